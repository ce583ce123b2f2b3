"""An example of every command, shown below its help; a test holds each to the command."""

from __future__ import annotations

from typing import Final

import click

#: A command, and what it may be given.
EXAMPLES: Final = {
    "account accept-terms": "1001 2026-01 --means signature",
    "account add": "--id 1001 --name 'A garage' --plan standard --accept-terms 2026-01",
    "account billing": "1001 --language fr --address '1 rue Principale' --address Montréal",
    "account close": "1001 --reason 'moved away'",
    "account limits": "1001 --max-calls 4 --spend-per-day 50 --blocked-countries CU,JM",
    "account list": "--json",
    "account resume": "1001 --reason paid",
    "account set-credit": "1001 20.00",
    "account set-plan": "1001 business",
    "account show": "1001",
    "account suspend": "1001 --reason 'phone was stolen'",
    "account top-up": "1001 25.00 --reference receipt-1",
    "admit": "--from 1001 --to 011442079460000 --dry-run",
    "carrier add": "alpha --dial 'sofia/gateway/alpha/{number}' --capacity 30",
    "carrier disable": "alpha",
    "carrier enable": "alpha",
    "carrier list": "",
    "cdr export": "--since 2026-03-01 --until 2026-04-01 --output march.csv",
    "cdr list": "--account 1001 --limit 50",
    "charge add": "1001 75.00 --description 'Support, one hour' --reference ticket-17",
    "charge end": "1001 did-5145550101 --on 2026-04-01",
    "charge list": "1001",
    "charge monthly": "1001 1.50 --id did-5145550101 --description 'Number 514 555-0101' --number 5145550101",
    "charge run": "--dry-run",
    "completion": "bash > /etc/bash_completion.d/esl-agent",
    "credential add": "--account 1001 --user garage1 --domain sip.example.com --caller-id 15145550101",
    "credential change": "--user garage1 --domain sip.example.com --caller-id none",
    "credential list": "--account 1001",
    "credential remove": "--user garage1 --domain sip.example.com",
    "credential rotate": "--user garage1 --domain sip.example.com",
    "deck import": "rates.csv --deck standard --effective 2026-04-01",
    "deck list": "",
    "deck show": "standard --prefix 5255",
    "department add": "5145550111 --name support --days 180",
    "department list": "",
    "department remove": "5145550111",
    "disclose": (
        "1001.zip --authority 'Sûreté du Québec' --reference 'order 500-26-1' --account 1001"
        " --since 2026-01-01 --until 2026-02-01 --kind calls"
    ),
    "disclosures check": "1001.zip",
    "disclosures list": "",
    "distribute": "--dry-run",
    "doctor": "--config /etc/esl-agent/esl-agent.toml",
    "dunning run": "--dry-run",
    "files": "dialplan /etc/freeswitch/dialplan",
    "health": "--ready --json",
    "interest run": "--dry-run",
    "invoice credit": "2026-000017 --line 2 --reason 'billed twice'",
    "invoice export": "2026-000017 invoice.pdf",
    "invoice list": "1001",
    "invoice run": "--on 2026-04-01 --dry-run",
    "invoice show": "2026-000017",
    "journal replay": "--config /etc/esl-agent/esl-agent.toml",
    "journal show": "--config /etc/esl-agent/esl-agent.toml",
    "ledger check": "",
    "live": "--watch",
    "migrate": "",
    "number add": "5145550101 --account 1001 --forward-to 4165550123 --forward-when no_answer",
    "number list": "--account 1001",
    "number remove": "5145550101",
    "payment list": "1001",
    "payment return": "1001 check-88 --reason 'no funds'",
    "payment take": "1001 100.00 --method check --reference check-88",
    "plan add": "business --deck business --increment mexico=60/60 --inbound-rate 0.01",
    "plan list": "",
    "plan set-deck": "business standard",
    "plan show": "business",
    "quote": "+525512345678 --seconds 61 --rate-per-minute 0.02",
    "reconcile": "--since 2026-03-01 --dry-run",
    "recording check": "--since 2026-03-01",
    "recording list": "--account 1001",
    "retention run": "--dry-run",
    "route add": "44 --carrier alpha --priority 1",
    "route import": "routes.csv --dry-run",
    "route list": "--prefix 44",
    "route remove": "44 --carrier alpha",
    "run": "--config /etc/esl-agent/esl-agent.toml",
    "simulate": "--calls-per-second 2 --duration 10 --account 1001 --to 442079460000",
    "statement": "1001 --since 2026-03-01 --output statement.pdf",
    "terms accepted": "1001",
    "terms list": "",
    "terms publish": "2026-02 terms.txt --from 2026-07-01 --grace-days 30",
    "terms show": "2026-02",
    "token add": "wallboard --role noc --expires 2027-01-01",
    "token list": "",
    "token revoke": "wallboard",
    "traffic clear": "17 --reason 'a sale, not a dialer'",
    "traffic explain": "17",
    "traffic replay": "--since 2026-03-01 --account 1001",
    "traffic restrict": "1001 --action throttle --max-calls 2 --for 2h --reason 'looks like a dialer'",
    "traffic show": "--account 1001",
}


def with_examples(command: click.Command, path: str) -> click.Command:
    """The command and those in it, each with its example; `path` is what is typed behind `esl-agent`."""
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            with_examples(each, f"{path} {name}")
    elif path in EXAMPLES and command.epilog is None:
        command.epilog = f"\b\nExample:\n  esl-agent {path} {EXAMPLES[path]}".rstrip()
    return command
