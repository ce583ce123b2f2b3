-- Legs that were answered, or rang when their daemon stopped, and are not over: what a daemon that never heard of one
-- needs to settle it.

-- Kept apart from what is held: an emergency call, or one that went out while the database was away, has no hold.
-- A row goes when its leg is settled.  `known` is of the same kind as that of a reservation, which is newer once
-- more was held.
CREATE TABLE answers (
    account_id bigint NOT NULL, -- 0 where nobody known pays
    leg_uuid   text COLLATE "C" NOT NULL CHECK (length(leg_uuid) BETWEEN 1 AND 256),
    switch     text NOT NULL,
    known      json NOT NULL,
    kept_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, leg_uuid)
);

DO $$
DECLARE
    allowed text[];
BEGIN
    FOREACH allowed SLICE 1 IN ARRAY ARRAY[
        ['esl_agent_daemon', 'SELECT, INSERT, UPDATE, DELETE'],
        ['esl_agent_auditor', 'SELECT']
    ] LOOP
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = allowed[1]) THEN
            EXECUTE format('GRANT %s ON answers TO %I', allowed[2], allowed[1]);
        END IF;
    END LOOP;
END
$$;
