"""The demo: a switch, the daemon and Postgres in a folder, calls, and what they cost."""
