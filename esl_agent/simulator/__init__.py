"""A switch in software, which a client of the Event Socket can't tell from FreeSWITCH.

`core` is the switch without a socket or a clock: `call`, `dialling` and
`ending` are what happens to calls, `apps` and `dialplan` how they are routed,
`api` what commands say, `scheduler` when tasks run.  `script` and the files it
reads, `headers`, `slots` and `template` make the events out of legs.
`listener`, `commands` and `wire` speak the protocol, still without a socket;
`server` has the sockets.  `simulator` puts it together.
"""
