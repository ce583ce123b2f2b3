"""What a browser is told of the running daemon, as it changes: rows, their changes, and the stream of both."""
