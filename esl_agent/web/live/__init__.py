"""What a browser is told of the running daemon: rows, their changes, and the stream of both."""
