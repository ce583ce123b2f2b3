-- Who may use the HTTP API, and what it answered to requests that may be sent again (docs/api.md).
-- Neither is an account's data: on several servers both are local to the coordinator.

-- A secret has 256 random bits, so its plain SHA-256 gives nothing away: there is no list of likely secrets to try.
-- A token that was revoked stays, so that its name never stands for somebody else.
CREATE TABLE api_tokens (
    name          text COLLATE "C" PRIMARY KEY CHECK (name ~ '^[A-Za-z0-9_.-]{1,64}$'),
    role          text NOT NULL CHECK (role IN ('noc', 'office', 'admin')),
    secret_sha256 bytea NOT NULL UNIQUE CHECK (length(secret_sha256) = 32),
    added_at      timestamptz NOT NULL DEFAULT now(),
    added_by      text NOT NULL,
    expires_at    timestamptz, -- null: never
    revoked_at    timestamptz,
    revoked_by    text,
    last_used_at  timestamptz, -- to the minute
    CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
);

-- A row for each Idempotency-Key of a token, for a day.  `status` is null while the request is under way.
CREATE TABLE api_answers (
    token           text COLLATE "C" NOT NULL,
    idempotency_key text COLLATE "C" NOT NULL CHECK (length(idempotency_key) BETWEEN 1 AND 200),
    request_sha256  bytea NOT NULL,
    asked_at        timestamptz NOT NULL DEFAULT now(),
    status          integer,
    content_type    text,
    body            bytea,
    PRIMARY KEY (token, idempotency_key),
    CHECK (num_nonnulls(status, content_type, body) IN (0, 3))
);

CREATE INDEX api_answers_in_time ON api_answers (asked_at);

DO $$
DECLARE
    allowed text[];
BEGIN
    FOREACH allowed SLICE 1 IN ARRAY ARRAY[
        ['esl_agent_daemon', 'SELECT (name, role, secret_sha256, expires_at, revoked_at, last_used_at)', 'api_tokens'],
        ['esl_agent_daemon', 'UPDATE (last_used_at)', 'api_tokens'],
        ['esl_agent_daemon', 'SELECT, INSERT, UPDATE, DELETE', 'api_answers'],
        ['esl_agent_auditor', 'SELECT (name, role, added_at, added_by, expires_at, revoked_at, revoked_by, last_used_at)',
            'api_tokens'],
        ['esl_agent_auditor', 'SELECT (token, idempotency_key, asked_at, status)', 'api_answers']
    ] LOOP
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = allowed[1]) THEN
            EXECUTE format('GRANT %s ON %s TO %I', allowed[2], allowed[3], allowed[1]);
        END IF;
    END LOOP;
END
$$;
