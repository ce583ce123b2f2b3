"""What every test has: gevent's patch, before anything imports psycopg, and the shared fixtures."""

from gevent import monkey

monkey.patch_all()

pytest_plugins = ["fixtures.commands", "fixtures.postgres", "fixtures.scripted_switch"]
