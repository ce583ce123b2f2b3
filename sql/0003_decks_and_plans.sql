-- What calls cost: rate decks in versions that never change, and plans that point to a deck by name.
-- Reference data: the same for every account, and small enough to be everywhere.

CREATE TABLE deck_versions (
    deck_version_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    deck            text NOT NULL CHECK (deck <> ''),
    version         integer NOT NULL CHECK (version > 0),
    currency        text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    effective_from  timestamptz NOT NULL,
    rates           integer NOT NULL,
    source          text NOT NULL, -- the name of the file it came from
    imported_at     timestamptz NOT NULL DEFAULT now(),
    imported_by     text NOT NULL,
    UNIQUE (deck, version)
);

-- No foreign key: it would double the time of an import, and both sides are written by one statement's transaction.
CREATE TABLE rates (
    deck_version_id integer NOT NULL,
    prefix          text COLLATE "C" NOT NULL CHECK (prefix ~ '^[0-9]{1,15}$'),
    destination     text NOT NULL,
    rate_per_minute numeric(12, 6) NOT NULL CHECK (rate_per_minute >= 0),
    minimum_s       integer CHECK (minimum_s >= 0), -- null: as the plan says for the number's class
    step_s          integer CHECK (step_s > 0),
    connection_fee  numeric(18, 4) NOT NULL DEFAULT 0 CHECK (connection_fee >= 0),
    PRIMARY KEY (deck_version_id, prefix)
);

CREATE TABLE plans (
    plan                       text PRIMARY KEY CHECK (plan <> ''),
    deck                       text NOT NULL CHECK (deck <> ''), -- may have no version yet
    increments                 jsonb NOT NULL, -- {"mexico": [60, 60], ...}: minimum_s and step_s of each class
    forwarding_surcharge       boolean NOT NULL DEFAULT true,
    forwarding_rate_per_minute numeric(12, 6) NOT NULL DEFAULT 0.015 CHECK (forwarding_rate_per_minute >= 0),
    free_toll_free             boolean NOT NULL DEFAULT true,
    inbound_rate_per_minute    numeric(12, 6) NOT NULL DEFAULT 0 CHECK (inbound_rate_per_minute >= 0),
    grace_ms                   integer NOT NULL DEFAULT 0 CHECK (grace_ms >= 0)
);

-- A fresh installation needs no more than `deck import` for its first call.
INSERT INTO plans (plan, deck, increments) VALUES ('standard', 'standard', '{}');
