"""The `esl-agent` command: one module for each group of subcommands."""
