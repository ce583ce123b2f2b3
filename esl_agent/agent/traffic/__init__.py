"""Traffic, as the daemon sees it: what is done about a verdict, and who is told (terms 5, 10, 11, 13)."""
