"""A telephone network on loopback, for the demo and the tests.

A FreeSWITCH of our own in a folder of its own, with the repository's dialplan
as shipped, and SIPp as the customers' phones and as the carriers.  Everything
runs on 127.0.0.1, on ports that were free, and is ended by its process id.
"""
