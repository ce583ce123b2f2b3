"""What the office charges and is owed, decided: periods, taxes, interest."""
