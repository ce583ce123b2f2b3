"""What can go wrong between the agent and a switch, each by a name of its own."""

from __future__ import annotations

from esl_agent.errors import EslAgentError


class SwitchError(EslAgentError):
    """Anything that a connection to a switch can fail with."""


class SwitchUnreachable(SwitchError):
    """Nothing answers at the switch's address, or it isn't an Event Socket."""


class SwitchRefused(SwitchError):
    """The switch's access list sends us away (`text/rude-rejection`)."""


class PasswordRefused(SwitchError):
    """The switch answers, but not to this password."""


class ConnectionLost(SwitchError):
    """The connection ended; whether a command that waited was carried out can't be known."""


class CommandTimeout(SwitchError):
    """The switch did not answer a command in time; it may still carry it out."""


class CommandRefused(SwitchError):
    """The switch answered a message of ours with -ERR."""


class TooManyCommands(SwitchError):
    """More commands wait for their answers than the connection's limit allows."""


class DoorError(SwitchError):
    """A door of admission can't be opened as it is set up."""


class QuestionError(SwitchError):
    """What was asked at a door is no question; it can't be answered."""
