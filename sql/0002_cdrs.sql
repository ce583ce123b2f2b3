-- Call detail records, one partition for each month (UTC) of created_at.

-- account_id is 0 for a refused call that named no account of ours.  A refused
-- call has `refused`, the reason, and no charge; leg_uuid is then the one its leg would have had.
CREATE TABLE cdrs (
    account_id      bigint NOT NULL CHECK (account_id >= 0),
    created_at      timestamptz NOT NULL,
    leg_uuid        text COLLATE "C" NOT NULL,
    other_leg_uuid  text,
    product         text NOT NULL,
    caller          text NOT NULL,
    dialled         text NOT NULL,
    number          text NOT NULL,
    number_class    text NOT NULL,
    country         text NOT NULL,
    deck            text NOT NULL,
    deck_version    integer NOT NULL,
    prefix          text NOT NULL,
    destination     text NOT NULL,
    rate_per_minute numeric(12, 6) NOT NULL,
    minimum_s       integer NOT NULL,
    step_s          integer NOT NULL,
    connection_fee  numeric(18, 4) NOT NULL,
    forwarding_rate_per_minute numeric(12, 6) NOT NULL, -- 0 unless the leg was a forwarded one and is surcharged
    grace_ms        integer NOT NULL,
    is_free         boolean NOT NULL, -- nothing was held or metered, whatever it lasted
    answered_at     timestamptz,
    ended_at        timestamptz NOT NULL,
    duration_us     bigint NOT NULL CHECK (duration_us >= 0),
    billed_seconds  integer NOT NULL CHECK (billed_seconds >= 0),
    lines           jsonb NOT NULL, -- [{"kind": "usage", "rate_per_minute": "0.0125", "amount": "0.0013"}]
    total           numeric(18, 4) NOT NULL, -- the sum of the lines
    charged         numeric(18, 4) NOT NULL, -- what the ledger took
    uncollected     numeric(18, 4) NOT NULL, -- the rest
    currency        text NOT NULL,
    hangup_cause    text NOT NULL,
    sip_code        integer,
    ended_by        text NOT NULL,
    forwarded_from  text,
    carrier         text,
    mos             numeric,
    packet_loss     numeric,
    jitter_ms       numeric,
    recording       text,
    source          text NOT NULL CHECK (source IN ('live', 'recovered', 'switch file')),
    refused         text,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, created_at, leg_uuid),
    CHECK (total = charged + uncollected)
) PARTITION BY RANGE (created_at);

CREATE INDEX cdrs_in_time ON cdrs (created_at);

-- A stray date must not stop the row of a call that took place.
CREATE TABLE cdrs_stray PARTITION OF cdrs DEFAULT;

-- Makes the partitions of `months` months beginning with the one of `from_time`,
-- as far as they are missing, and returns how many it made.  Rows that strayed
-- into the default partition before theirs was there are moved into it.
CREATE FUNCTION make_cdr_partitions(from_time timestamptz, months integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    first_day date := date_trunc('month', from_time AT TIME ZONE 'UTC');
    starts timestamptz;
    ends timestamptz;
    partition_name text;
    made integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('esl_agent.make_cdr_partitions'));
    FOR month IN 0 .. months - 1 LOOP
        starts := (first_day + make_interval(months => month))::timestamp AT TIME ZONE 'UTC';
        ends := (first_day + make_interval(months => month + 1))::timestamp AT TIME ZONE 'UTC';
        partition_name := 'cdrs_' || to_char(starts AT TIME ZONE 'UTC', 'YYYY_MM');
        CONTINUE WHEN to_regclass(partition_name) IS NOT NULL;
        -- Attached when filled: that asks for weaker locks than CREATE TABLE ... PARTITION OF.
        EXECUTE format('CREATE TABLE %I (LIKE cdrs INCLUDING ALL)', partition_name);
        EXECUTE format(
            'WITH strays AS (DELETE FROM cdrs_stray WHERE created_at >= %L AND created_at < %L RETURNING *) '
            'INSERT INTO %I SELECT * FROM strays', starts, ends, partition_name);
        EXECUTE format('ALTER TABLE cdrs ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
            partition_name, starts, ends);
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;
