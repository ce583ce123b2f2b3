"""What is found after a start, a lost connection or missed events."""
