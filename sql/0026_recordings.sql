-- Calls from and to the operator's own departments are recorded (terms 12): which numbers these are, and what was
-- recorded.  The recordings themselves are files on the switch.

-- Reference data: a few rows.
CREATE TABLE departments (
    number   text PRIMARY KEY CHECK (number ~ '^[0-9]{3,15}$'), -- digits from the country code on
    name     text NOT NULL CHECK (name <> ''), -- support, administration …
    days     integer NOT NULL CHECK (days > 0), -- how long its recordings are kept
    added_at timestamptz NOT NULL DEFAULT now(),
    added_by text NOT NULL
);

-- A row for each recording that began.  It stays when the file was deleted, as long as CDRs are kept.
CREATE TABLE recordings (
    account_id      bigint NOT NULL, -- whose call it was, as on the CDR
    leg_uuid        text NOT NULL, -- the leg that was recorded: the one that was called
    caller_leg_uuid text, -- the one that called it
    path            text NOT NULL, -- of the file, from [recording] folder; the CDR has the same
    department      text NOT NULL, -- its number
    told            text CHECK (told IN ('caller', 'called', 'both')), -- who heard that the call is recorded
    told_at         timestamptz, -- until when: before started_at
    started_at      timestamptz NOT NULL,
    stopped_at      timestamptz, -- null while it is recorded, or where that was not heard
    duration_ms     bigint, -- of the file, as the switch says
    bytes           bigint, -- these two null where the daemon doesn't see the switch's folder
    sha256          text,
    delete_after    timestamptz NOT NULL,
    deleted_at      timestamptz, -- by esl-agent retention run
    deleted_by      text,
    PRIMARY KEY (account_id, leg_uuid)
);

CREATE INDEX cdrs_recorded ON cdrs (recording) WHERE recording IS NOT NULL;

CREATE INDEX recordings_to_delete ON recordings (delete_after) WHERE deleted_at IS NULL;
CREATE INDEX recordings_by_path ON recordings (path);

-- Nobody but the owner of the tables can say that a recording was deleted: that is retention's to do.
DO $$
DECLARE
    allowed text[];
BEGIN
    FOREACH allowed SLICE 1 IN ARRAY ARRAY[
        ['esl_agent_daemon', 'SELECT', 'departments'],
        ['esl_agent_daemon', 'SELECT, INSERT', 'recordings'],
        ['esl_agent_daemon', 'UPDATE (stopped_at, duration_ms, bytes, sha256)', 'recordings'],
        ['esl_agent_noc', 'SELECT', 'departments, recordings'],
        ['esl_agent_office', 'SELECT, INSERT, UPDATE, DELETE', 'departments'],
        ['esl_agent_office', 'SELECT', 'recordings'],
        ['esl_agent_auditor', 'SELECT', 'departments, recordings']
    ] LOOP
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = allowed[1]) THEN
            EXECUTE format('GRANT %s ON %s TO %I', allowed[2], allowed[3], allowed[1]);
        END IF;
    END LOOP;
END
$$;
