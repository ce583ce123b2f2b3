"""What goes wrong, and what may never come of it.

The stage (`stage.py`) has a Postgres, a switch and daemons, each a process of
its own, with a proxy on every way between them.  A scenario breaks something,
and ends with the same audit (`audit.py`) as all the others.
"""
