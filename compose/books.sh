#!/bin/sh
# The books of compose.yaml: rates, a carrier, and three customers of whom one has money for some seconds only.
# It runs at every start: what is there already is left as it is, but the café, whose money is used up, pays again.
set -eu

has() { esl-agent "$@" >/dev/null 2>&1; }

has deck show standard || esl-agent deck import /etc/esl-agent/rates.csv --deck standard
esl-agent carrier add alpha --progress-timeout 4
esl-agent route add any --carrier alpha

customer() { # account, name, its phone's number, its money, and what it was paid for: once for each
    has account show "$1" || esl-agent account add --id "$1" --name "$2" --accept-terms 2026-01
    esl-agent account top-up "$1" "$4" --reference "$5"
    esl-agent number add "$3" --account "$1" --kind verified
}

customer 1001 "A garage" 15145550101 25.00 opening
customer 1002 "A clinic" 15145550102 10.00 opening
customer 1003 "A café" 15145550103 0.21 "visit $(date +%s)"
