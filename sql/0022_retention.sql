-- How long what is known of calls and customers is kept (terms 15), and that it was cleared away.

-- Reference data: a row for each run that removed anything.
CREATE TABLE retention_runs (
    run_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    run_by    text NOT NULL,
    kind      text NOT NULL, -- calls, holds, networks, ledger, customers
    before    date NOT NULL, -- what is older
    row_count bigint NOT NULL,
    PRIMARY KEY (run_at, kind)
);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'esl_agent_auditor') THEN
        GRANT SELECT ON retention_runs TO esl_agent_auditor;
    END IF;
END
$$;
