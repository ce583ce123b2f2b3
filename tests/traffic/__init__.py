"""Months of calls with known truth, and what the shipped rules make of them: `python -m tests.traffic`."""
