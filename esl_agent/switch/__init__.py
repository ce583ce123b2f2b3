"""The switch: its Event Socket as frames, events, legs and commands, and the link that is kept to it."""
