"""What the network operations centre sees: the log and its catalogue of words."""
