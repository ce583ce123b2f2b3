"""`python -m demo [--keep]`."""

from gevent import monkey

monkey.patch_all()  # before anything imports psycopg or subprocess

import signal  # noqa: E402

signal.signal(signal.SIGINT, signal.SIG_DFL)  # until there is something to end

import argparse  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

from rich.console import Console  # noqa: E402
from rich.text import Text  # noqa: E402

from demo.errors import Stopped  # noqa: E402
from demo.play import play  # noqa: E402
from demo.shell import ROOT  # noqa: E402
from esl_agent.errors import EslAgentError  # noqa: E402

FAILED = 1
#: A shell's exit code for a process that a signal ended is this and the signal's number.
STOPPED = 128


ENVIRONMENT = """\
environment:
  DEMO_SWITCH=simulator   the simulator, also where FreeSWITCH and SIPp are installed
  DEMO_SWITCH=freeswitch  a FreeSWITCH of the demo's own, or nothing
  FREESWITCH=host:port    the event socket of a FreeSWITCH that runs already, with our dialplan in it and
                          nobody else's calls; its password is in FREESWITCH_PASSWORD.  Its carriers may be
                          real: only the numbers that DEMO_NUMBERS="…, …" names are called there
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m demo",
        description="A switch, calls, a live log, and what they cost.",
        epilog=ENVIRONMENT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--keep", action="store_true", help="leave everything up, with commands to play with")
    parser.add_argument("--folder", type=Path, default=ROOT / ".demo", help="where it lives (%(default)s)")
    arguments = parser.parse_args()
    console = Console(highlight=False, emoji=False)
    try:
        play(console, arguments.folder.absolute(), keep=arguments.keep)
    except Stopped as stopped:
        console.print("Stopped; nothing is left running.")
        return STOPPED + stopped.number
    except EslAgentError as error:
        text = Text.assemble(("The demo failed: ", "bold red"), str(error))
        Console(stderr=True, highlight=False).print(text, soft_wrap=True)
        return FAILED
    return 0


sys.exit(main())
