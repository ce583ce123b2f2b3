"""Traffic: what an account's calls look like, and what is done about it (terms 5, 10, 11, 13)."""
