"""Recordings of departments' calls (terms 12), as the daemon hears of them."""
