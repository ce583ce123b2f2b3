"""Calls that ask: the doors, the facts, the answer."""
