"""Calls that are up: the desk that steps them, what they need, and what is told to the switch."""
