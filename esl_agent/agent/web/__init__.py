"""The daemon's side of the HTTP server."""
