-- Accounts, what is reserved on them, and the ledger.
--
-- account_id comes first in every key, and no trigger, foreign key or unique
-- constraint lacks it: with that the same schema can be distributed by account.
-- Whoever changes an account's money locks its row in `accounts` first; many
-- accounts are locked in the order of account_id.

CREATE TABLE accounts (
    account_id        bigint PRIMARY KEY CHECK (account_id BETWEEN 1 AND 999999999999999999),
    name              text NOT NULL,
    plan              text NOT NULL,
    currency          text NOT NULL DEFAULT 'CAD' CHECK (currency ~ '^[A-Z]{3}$'),
    state             text NOT NULL CHECK (state IN ('pending', 'active', 'suspended', 'closed')),
    state_reason      text NOT NULL DEFAULT '',
    state_since       timestamptz NOT NULL DEFAULT now(),
    state_by          text NOT NULL DEFAULT '',
    terms_version     text,
    terms_accepted_at timestamptz,
    credit_limit      numeric(18, 4) NOT NULL DEFAULT 0 CHECK (credit_limit >= 0),
    -- Both are caches that `esl-agent ledger check` re-adds: of the ledger, and of open reservations.
    balance           numeric(18, 4) NOT NULL DEFAULT 0,
    reserved          numeric(18, 4) NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    created_at        timestamptz NOT NULL DEFAULT now(),
    CHECK (state <> 'active' OR terms_accepted_at IS NOT NULL),
    CHECK ((terms_version IS NULL) = (terms_accepted_at IS NULL))
) WITH (fillfactor = 50); -- balance and reserved change all the time, in place while there is room

-- One row for each leg that ever held money or was settled: the gate through
-- which a leg settles once.  `held` stays after settlement, to compare with the ledger.
CREATE TABLE reservations (
    account_id bigint NOT NULL,
    leg_uuid   text COLLATE "C" NOT NULL CHECK (length(leg_uuid) BETWEEN 1 AND 256),
    state      text NOT NULL CHECK (state IN ('held', 'settled')),
    held       numeric(18, 4) NOT NULL CHECK (held >= 0),
    held_at    timestamptz, -- first held; null where the leg was settled with nothing ever held for it
    settled_at timestamptz,
    PRIMARY KEY (account_id, leg_uuid),
    CHECK ((state = 'settled') = (settled_at IS NOT NULL))
);

CREATE INDEX reservations_open ON reservations (account_id) WHERE state = 'held';

-- Double entry, never changed: each row moves `amount` from the debit side to
-- the credit side.  A customer's balance is what was credited to it less what was debited.
CREATE TABLE ledger (
    account_id      bigint NOT NULL,
    idempotency_key text COLLATE "C" NOT NULL CHECK (length(idempotency_key) BETWEEN 1 AND 300),
    debit           text NOT NULL,
    credit          text NOT NULL,
    amount          numeric(18, 4) NOT NULL CHECK (amount > 0),
    kind            text NOT NULL CHECK (kind ~ '^[a-z_]+$'),
    reference       text NOT NULL DEFAULT '',
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, idempotency_key),
    CONSTRAINT ledger_sides CHECK (
        debit <> credit
        AND debit IN ('customer', 'revenue', 'cash', 'fees', 'interest', 'tax', 'write_off')
        AND credit IN ('customer', 'revenue', 'cash', 'fees', 'interest', 'tax', 'write_off')
    )
);

CREATE INDEX ledger_in_time ON ledger (account_id, recorded_at);
