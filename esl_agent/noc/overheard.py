"""Who listens to the log: each fact is counted or kept where it is said, and nobody else need tell of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from esl_agent.noc.log import Log

#: Told of each word, however quiet the log is set, with its fields; it must not wait.
Ear = Callable[[str, Mapping[str, object]], None]


def overheard(log: Log, *ears: Ear) -> Log:
    """The same log, with others who hear what is said."""

    def say(word: str, /, **fields: object) -> None:
        log(word, **fields)
        for ear in ears:
            ear(word, fields)

    return say
