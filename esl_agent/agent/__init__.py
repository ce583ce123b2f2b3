"""The daemon: the shell that turns events into steps and effects into deeds."""
