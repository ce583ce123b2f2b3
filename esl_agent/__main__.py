"""`python -m esl_agent` is the `esl-agent` command."""

from esl_agent.cli.main import main

main()
