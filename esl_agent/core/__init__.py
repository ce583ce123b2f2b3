"""What can be decided without a socket, a database or a clock is decided here.

Plain functions and frozen dataclasses: numbering, tariff, rating, budget and
the life of a call.  Time is always an argument.  import-linter keeps it so.
"""
