-- What customers paid, and how.  The money itself moves in the ledger: each payment credits its account
-- once, and one that the bank returns takes that credit back once (terms 8).

ALTER TABLE accounts
    ADD COLUMN customer_type text NOT NULL DEFAULT 'business' CHECK (customer_type IN ('business', 'consumer'));

CREATE TABLE payments (
    account_id    bigint NOT NULL,
    reference     text COLLATE "C" NOT NULL CHECK (length(reference) BETWEEN 1 AND 200),
    method        text NOT NULL CHECK (method IN ('cash', 'card', 'transfer', 'check', 'other')),
    amount        numeric(18, 4) NOT NULL CHECK (amount > 0),
    received_on   date NOT NULL,
    recorded_by   text NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    returned_on   date, -- null: it stands
    return_reason text,
    return_fee    numeric(18, 4) CHECK (return_fee >= 0), -- 0: none was charged
    returned_by   text,
    PRIMARY KEY (account_id, reference),
    CHECK (num_nonnulls(returned_on, return_reason, return_fee, returned_by) IN (0, 4))
);

CREATE INDEX payments_in_time ON payments (account_id, received_on);

-- What was paid before there was this table.
INSERT INTO payments (account_id, reference, method, amount, received_on, recorded_by, recorded_at)
SELECT account_id, reference, 'other', amount, recorded_at::date, 'ledger', recorded_at
FROM ledger WHERE kind = 'top_up'
ON CONFLICT DO NOTHING;
