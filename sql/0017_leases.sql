-- Which of a switch's twin daemons is active (esl_agent/core/lease.py has the theory).
--
-- One row a switch, of nobody's account: operational, and of no use to anybody but the
-- daemons; where the schema is distributed by account it is a reference table.  Whoever
-- is active writes its row again and again; another takes it over only if it is still as
-- it was read, so the database's clock decides nothing: the times are for people.
CREATE TABLE leases (
    switch      text COLLATE "C" PRIMARY KEY CHECK (length(switch) BETWEEN 1 AND 300),
    holder      text COLLATE "C" NOT NULL CHECK (length(holder) <= 300), -- '': given back
    epoch       bigint NOT NULL CHECK (epoch > 0),       -- higher with every holder
    renewals    bigint NOT NULL CHECK (renewals > 0),    -- higher with every write
    lease_us    bigint NOT NULL CHECK (lease_us > 0),    -- how long its holder acts after a write
    backend_pid integer NOT NULL,                        -- of the holder's session, which has the switch's lock
    taken_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    renewed_at  timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 10); -- a row that is written twice a second, in place
