"""Holds and settlements on their way to Postgres, and the journal that they wait in."""
