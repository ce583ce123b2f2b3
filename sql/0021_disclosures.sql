-- The register of what was handed over because the law requires it (terms 15).  Rows are only ever added, and each
-- bears the hash of the one before, so one that was changed or removed shows.  Reference data: it is of all accounts.

CREATE TABLE disclosures (
    disclosure      integer PRIMARY KEY CHECK (disclosure > 0), -- 1, 2, 3 …
    made_at         timestamptz NOT NULL,
    made_by         text NOT NULL,
    authority       text NOT NULL, -- who asked
    legal_reference text NOT NULL, -- by which order or section
    scope           text NOT NULL, -- JSON: accounts, numbers, period, kinds
    row_count       bigint NOT NULL,
    file_bytes      bigint NOT NULL,
    file_sha256     text NOT NULL,
    previous_sha256 text NOT NULL,
    entry_sha256    text NOT NULL
);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'esl_agent_office') THEN
        GRANT SELECT, INSERT ON disclosures TO esl_agent_office;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'esl_agent_auditor') THEN
        GRANT SELECT ON disclosures TO esl_agent_auditor;
    END IF;
END
$$;
