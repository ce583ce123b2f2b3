"""The switch's CDR files: legs that end unheard are found there."""
