"""The HTTP server inside the daemon: API, live page and metrics, on one port of this machine."""
