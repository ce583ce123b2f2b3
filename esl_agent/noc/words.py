"""The catalogue of event words: one stable word for each fact that the log tells.

NOC staff grep and page on these; a word keeps its meaning for ever.  The docs
page docs/log.md is held to this table by a test.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Level = Literal["debug", "info", "warning", "error"]


class Word(NamedTuple):
    """How loud a fact is, what it means, and what to do about it ("" where nothing)."""

    level: Level
    meaning: str
    action: str = ""


WORDS: Final[dict[str, Word]] = {
    "AGENT_STARTED": Word("info", "The daemon is up."),
    "AGENT_DRAINING": Word("info", "Told to stop: what is owed is being written; no call is cut by this."),
    "AGENT_STOPPED": Word(
        "info",
        "The daemon has ended; `unsettled` says how many CDRs wait in the journal for its next start.",
        "If `unkept` is there, so many are on no disk: take them from the switch's own CDR files.",
    ),
    "AGENT_CRASHED": Word(
        "error",
        "A part of the daemon failed; the daemon stops so that it can be started afresh.",
        "Start it again (systemd does) and report the line with what stands around it.",
    ),
    "AGENT_FEW_FILES": Word(
        "warning",
        "The daemon may open fewer files at once than calls, peers and connections can need.",
        "Raise `LimitNOFILE=` in its systemd unit, or `ulimit -Hn` where it is started.",
    ),
    "CONFIG_RELOADED": Word("info", "Decks, plans, numbers and rules of traffic were read again."),
    "CONFIG_REJECTED": Word(
        "error",
        "A reload failed; what was in force stays in force.",
        "Correct what `error` says and send SIGHUP again.",
    ),
    "SWITCH_CONNECTED": Word("info", "The event socket is up and subscribed."),
    "SWITCH_LOST": Word(
        "error",
        "The event socket is gone; the daemon tries again for ever.",
        "Is FreeSWITCH up? Calls stay limited by the switch's own scheduled kills.",
    ),
    "SWITCH_GAP": Word(
        "warning",
        "Events were missed, or the switch was restarted; `RECOVERY_DONE` follows.",
        "If it repeats: is the agent or the network too slow for the switch's events?",
    ),
    "RECOVERY_DONE": Word(
        "info",
        "The live calls were compared with those that the switch has; `missing` of them are gone from it.",
        "docs/recovery.md says what becomes of those.",
    ),
    "RECOVERY_FAILED": Word(
        "warning",
        "The live calls could not be compared with the switch's; it is tried again until it succeeds.",
        "Does the switch answer `show channels`, and the database?",
    ),
    "SWITCH_COMMAND_FAILED": Word(
        "warning",
        "The switch refused a command or did not answer it in time.",
        "If it repeats: is the switch overloaded? Look at its own log.",
    ),
    "PHONE_CHANGED": Word(
        "info",
        "A phone was changed or removed; the switch was told to forget it as it was.",
    ),
    "PHONE_ATTACKED": Word(
        "warning",
        "Wrong passwords were given `failures` times for a phone, or for several from one `network`.",
        "Block the network, unless it is the customer's own phone with an old password (docs/phones.md).",
    ),
    "PHONE_NEW_NETWORK": Word(
        "info", "A phone was used, with its password, from a network where its account was never seen before."
    ),
    "PHONE_SPEND_SPIKE": Word(
        "error",
        "Since an account is used from new `networks` it spends far more in an hour than `usual`.",
        "Ask the customer. If it was somebody else: `account suspend`, then `credential rotate`.",
    ),
    "TRAFFIC_COUNTED": Word(
        "info", "The calls of the last 30 days are counted: from now on every rule about traffic is applied."
    ),
    "TRAFFIC_ALERT": Word(
        "warning",
        "A rule about traffic was broken; nothing is restricted. `figures`: each measure with its threshold.",
        "`esl-agent traffic explain RESTRICTION` has the evidence. Ask the customer.",
    ),
    "TRAFFIC_RESTRICTED": Word(
        "warning",
        "An account, or its DID in `number`, is restricted by a `rule` or an operator until `until`;"
        " `action` says how.",
        "`esl-agent traffic explain RESTRICTION` has the evidence; `traffic clear` lifts it. With `stored=no`"
        " Postgres is away: it holds here, and is written when that is back. With `stored=refused` it does"
        " not hold: see DB_REFUSED.",
    ),
    "TRAFFIC_CLEARED": Word(
        "info", "A restriction was lifted, or an alert closed, by an operator or as its rule says."
    ),
    "TRAFFIC_WEBHOOK_DOWN": Word(
        "error",
        "What [traffic] webhook_url names does not take what it is told; it is tried again.",
        "Look at `error`, and at the receiver. `esl-agent traffic show` has what it was not told.",
    ),
    "TRAFFIC_WEBHOOK_UP": Word("info", "The webhook's receiver takes messages again."),
    "TRAFFIC_UNTOLD": Word(
        "error",
        "A message was never taken by the webhook's receiver, and is given up.",
        "`esl-agent traffic explain` has what it said.",
    ),
    "TRAFFIC_HOOK_FAILED": Word(
        "error",
        "The command of [traffic] hook failed or took too long; the verdict itself stands.",
        "See `error`; do what the command should have done by hand.",
    ),
    "SWITCH_EVENT_BAD": Word(
        "warning",
        "An event could not be read and was passed over.",
        "Report it with the switch's version; `error` says what was wrong.",
    ),
    "CLOCK_SKEWED": Word(
        "warning",
        "The switch's clock and this machine's are apart by `skew_ms`; calls are timed by the switch's.",
        "Run NTP on both machines: the days that spending is counted by, and CDRs, follow these clocks.",
    ),
    "CLOCK_AGREES": Word("info", "The two clocks agree again."),
    "DB_DOWN": Word(
        "error",
        "Postgres does not answer; holds are refused, CDRs wait in the journal.",
        "Bring Postgres back. Nothing is lost while the journal has room (docs/journal.md).",
    ),
    "DB_UP": Word("info", "Postgres answers again."),
    "DB_REFUSED": Word(
        "error",
        "Postgres answered a statement with an error: the calls concerned get no money, and CDRs wait;"
        " refused the `lease`, a twin can't be active.",
        "A migration that is missing, or a privilege: `esl-agent doctor` says which.",
    ),
    "NOTICES_HEARD": Word("info", "Postgres tells of what others change; everything was read again first."),
    "NOTICES_LOST": Word(
        "warning",
        "The connection on which Postgres tells of changes is lost; it is tried again for ever.",
        "Until `NOTICES_HEARD` a suspension or a top-up takes some seconds to reach live calls.",
    ),
    "CDR_UNWRITABLE": Word(
        "error",
        "Postgres refuses a CDR; it is set aside in `file`, in the journal's folder.",
        "Mend what `error` says, then run `esl-agent journal replay`.",
    ),
    "JOURNAL_REPLAYED": Word(
        "info", "What waited in the journal since a start or an outage is written to Postgres."
    ),
    "JOURNAL_FULL": Word(
        "error",
        "The journal or its disk has no room (`lacking`: size or free); new calls are refused.",
        "Bring Postgres back, or give the journal more room: docs/journal.md.",
    ),
    "JOURNAL_FAILED": Word(
        "error",
        "The journal's disk fails or hangs; new calls are refused, and what ends waits in memory.",
        "Mend what `error` says of `folder`. Do not restart the daemon meanwhile.",
    ),
    "JOURNAL_HAS_ROOM": Word("info", "The journal takes records again; new calls are admitted."),
    "JOURNAL_BROKEN": Word(
        "error",
        "Something in the journal could not be read and was passed over; `file` has it.",
        "After a power cut the last line may be half written, which is no loss; else look at the disk.",
    ),
    "CDR_DIFFERS": Word(
        "error",
        "A leg's CDR and the switch's own file say another duration: `billed_s` and `file_s`.",
        "The CDR stays as it is. See what the log says of the leg; correct the account by hand if need be.",
    ),
    "CDR_FILE_BROKEN": Word(
        "warning",
        "A file of the switch tells of no leg; it was moved to broken/.",
        "Is the switch's disk full? What the file has, or the switch's log, may still tell of the call.",
    ),
    "CDR_FOLDER_FAILED": Word(
        "error",
        "The folder of the switch's CDR files can't be read or changed; it is tried again for ever.",
        "Does the folder exist, and may the daemon's user read and write it? `esl-agent doctor` says.",
    ),
    "CDR_FOLDER_READ": Word("info", "The folder of the switch's CDR files can be used again."),
    "DOOR_TROUBLE": Word(
        "warning",
        "Something went wrong where calls are asked about; `kind` and `detail` say what.",
        "docs/log.md says it of each kind.",
    ),
    "QUEUE_FULL": Word(
        "error",
        "A queue has reached its limit; `queue` and `limit` say which.",
        "Postgres or the disk is too slow for the traffic, or away.",
    ),
    "LOG_DROPPED": Word(
        "warning",
        "Log lines were dropped, because what reads the log did not keep up.",
        "Look at what the daemon's output goes to.",
    ),
    "CALL_ADMITTED": Word("info", "A leg may go on: money is held for it, or it is free."),
    "CALL_REFUSED": Word(
        "warning",
        "A leg was refused; `reason` says why.",
        "For `no_funds` the customer has to top up; docs/admission.md explains every reason.",
    ),
    "CALL_RECOVERED": Word(
        "info",
        "A leg that is up, of which the daemon had not heard or knows no more, is metered from its answer.",
    ),
    "CALL_GONE": Word(
        "warning",
        "A leg ended and no event told so; it is settled `by` the switch's file or what was last known.",
        "With `what was last known`: set `[cdr_files] folder`, and compare with the carrier's invoice.",
    ),
    "CALL_NEVER_CAME": Word(
        "info", "A leg that was planned never came, and its caller is gone; what was held for it is free."
    ),
    "HOLD_UNREADABLE": Word(
        "warning",
        "What is known of a call that money is held for can't be read, so its leg is not awaited.",
        "If no CDR comes of the leg, compare `ledger check` and the switch's files.",
    ),
    "CALL_TRYING": Word("debug", "An admitted call is sent to a carrier."),
    "CALL_ANSWERED": Word("info", "The billed leg was answered; metering starts."),
    "CALL_EXTENDED": Word("debug", "More money was held for a live call."),
    "CALL_LOW_BALANCE": Word(
        "info", "No more could be held, `reason` says why (docs/budget.md); the call ends at its paid end."
    ),
    "CALL_WARNED": Word("info", "The money ends in `left_s` seconds; a customer who calls out hears a tone."),
    "CALL_CUT": Word("info", "The call was ended because what was held for it is used up."),
    "CALL_CUT_LANDED": Word(
        "debug",
        "A call that was cut is over, `early_ms` before the end of what was paid; below 0: after it.",
    ),
    "CALL_ENDED": Word(
        "info", "The call was ended because its account may make none now, or by a person (`killed`)."
    ),
    "CALL_CUT_FAILED": Word(
        "error",
        "The switch did not end a call that was killed.",
        "Look for the leg with `show channels` and end it by hand.",
    ),
    "CALL_RATED": Word(
        "info",
        "The call is over, CDR and ledger entries are written; `source` stands where its end was not heard.",
    ),
    "CALL_UNCOLLECTED": Word(
        "warning",
        "A call cost more than was held for it; the rest stands on its CDR.",
        "The cut came late: look for SWITCH_ and DB_ lines just before.",
    ),
    "CALL_STRANGE": Word(
        "warning",
        "A leg came with values that our dialplan never sets; see `problem`.",
        "Look at the dialplan: the leg can't be billed as it is.",
    ),
    "RECORDING_STARTED": Word(
        "info",
        "A call from or to the number of a `department` is recorded; `told` says who heard so before.",
    ),
    "RECORDING_STOPPED": Word("info", "The recording is over; its file has `seconds`."),
    "RECORDING_FAILED": Word(
        "error",
        "A department's call was answered and is not recorded.",
        "Can the switch write to its folder of recordings, is the disk full? See docs/recording.md.",
    ),
    "RECORDING_FOLDER_FAILED": Word(
        "error",
        "The folder of recordings can't be used, or its disk is nearly full; `error` says why.",
        'Mend it: by `[recording] when_failed = "refuse"` departments\' calls are refused until then.',
    ),
    "RECORDING_FOLDER_GOOD": Word("info", "The folder of recordings can be used again."),
    "TWIN_STANDBY": Word(
        "info",
        "This daemon is ready to take over; `active` is the one that acts (machine/process/run).",
    ),
    "TWIN_TAKING": Word(
        "warning",
        "The twin that was active has gone, or gave the switch back; this one waits until it surely acts no"
        " more.",
        "TWIN_ACTIVE follows within a second or two. Look why the other one ended.",
    ),
    "TWIN_ACTIVE": Word("info", "This daemon acts on the switch's calls from now on, and nobody else does."),
    "TWIN_OPEN": Word("info", "The doors of this daemon are open: calls can be asked about."),
    "TWIN_LOST": Word(
        "error",
        "This daemon may act no more, for `reason`; it starts over, in standby.",
        "No call is cut by this. Was the machine stalled, or cut off from the database or the switch?",
    ),
    "TWIN_ALREADY_ACTIVE": Word(
        "error",
        "Another daemon, which is no twin of this one, has the switch; `session` is its process on Postgres.",
        "End one of the two, or set `[twin] enabled` for both. `esl-agent doctor` says who it is.",
    ),
    "TWIN_UNSEEN": Word(
        "warning",
        "The database is reached through a pooler that shares sessions: a second daemon would not be noticed,"
        " and no twin becomes active.",
        "Set `[database] listen_url` to the server itself.",
    ),
    "DOOR_CLOSED": Word(
        "error",
        "A door could not be opened when this twin took over; it is tried again every second.",
        "Who listens there? On one machine each twin has doors of its own.",
    ),
    "WEB_OPEN": Word("info", "The HTTP server listens: API, live page, metrics."),
    "WEB_CLOSED": Word(
        "error",
        "The HTTP server can't listen where [web] says; it is tried again for ever, and calls go on.",
        "Who listens there? On one machine each daemon has a port of its own.",
    ),
    "API_ACTED": Word("info", "Somebody did something through the HTTP API: `act`, with the token `token`."),
    "API_REFUSED": Word(
        "warning",
        "The HTTP API refused a token: `unknown_token`, or one whose `role` may not do what was asked.",
        "Again and again from one `address`: is a token expired there, or does somebody guess?",
    ),
    "WEB_FAILED": Word(
        "error",
        "A request to the HTTP server, or the live page's feed, failed for a fault of ours; calls go on.",
        "Report the line; `path` and `error` say what was asked and what failed.",
    ),
    "PAGE_FULL": Word(
        "warning",
        "As many browsers as may have the live page open had it; one more asked for it, and was refused.",
        "Close pages that nobody looks at.",
    ),
    "PAGE_BEHIND": Word(
        "info", "A browser with the live page did not keep up, or was away; it was sent everything again."
    ),
    "LIBRARY_WARNING": Word("warning", "A library in use has something to say.", "Read `text`."),
    "PARTITION_MADE": Word("info", "CDR partitions for the months ahead were made."),
    "DUNNING_REMINDER": Word(
        "info", "An invoice is past due: the customer is to be reminded.", "Nothing, if a hook sends it."
    ),
    "DUNNING_SUSPENDED": Word(
        "warning",
        "An account was suspended for an invoice that is long past due; a payment lifts that at once.",
        "Nothing; `esl-agent invoice list ACCOUNT` says what is open.",
    ),
    "DUNNING_CLOSED": Word(
        "warning", "An account was closed for an invoice that was never paid.", "Collect it."
    ),
    "DUNNING_HOOK_FAILED": Word(
        "error",
        "The command of [office] dunning_hook failed; the step itself was taken.",
        "See `error`; send what it should have sent by hand.",
    ),
}
