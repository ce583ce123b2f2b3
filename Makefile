# The developer's day.  Every target makes the virtual environment it needs.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: help setup demo test lint bench faults switch-test docs clean

help:
	@echo "make demo         a switch, calls, live log, rated CDRs (KEEP=1 leaves it all up)"
	@echo "make test         all tests (those on a real FreeSWITCH run where there is one)"
	@echo "make lint         style, types and import rules"
	@echo "make switch-test  the tests on a real FreeSWITCH only"
	@echo "make faults       everything that may break is broken, and the books are audited"
	@echo "make bench        speed and memory, as a table"
	@echo "make docs         write docs/cli.md from the commands"
	@echo "make setup        the virtual environment in .venv"
	@echo "make clean        remove what the other targets made"

setup: .venv/.installed

.venv/.installed: setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "esl-agent needs Python 3.11 or newer: make PYTHON=python3.12 …" >&2; exit 1; }
	@echo "Making the virtual environment in .venv …"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

demo: setup
	@$(BIN)/python -m demo $(if $(KEEP),--keep)

test: setup
	@$(BIN)/python -m pytest $(ARGS)

switch-test: setup
	@$(BIN)/python -m pytest -m switch -v tests/switch $(ARGS)

faults: setup
	@$(BIN)/python -m pytest -m "" tests/faults $(ARGS)

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: setup
	@$(BIN)/python -m tests.benchmarks $(ARGS)

docs: setup
	@$(BIN)/python -m esl_agent.cli.reference > docs/.cli.md && mv docs/.cli.md docs/cli.md

clean:
	@rm -rf .venv .demo build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
