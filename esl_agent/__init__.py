"""Prepaid call control and rating beside FreeSWITCH."""

__version__ = "0.1.0"
