"""The root of the errors that are told to a person."""

from __future__ import annotations


class EslAgentError(Exception):
    """Something a person can put right; its text says what was wrong, where, and what to do."""
