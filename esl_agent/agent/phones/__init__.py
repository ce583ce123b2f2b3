"""Customers' phones: what the switch is told of them, and who tries their passwords."""
