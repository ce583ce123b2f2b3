-- Invoices (terms 9): what an account was charged since the last one, with its taxes.  Never changed: what was
-- wrong is put right by a credit note.  Whether one is paid is not kept: it follows from the balance
-- (core/office/arrears.py).

-- Reference data: an operator whose taxes change adds a row with the day.
CREATE TABLE tax_rates (
    tax            text NOT NULL CHECK (tax ~ '^[A-Z]{2,8}$'),
    effective_from date NOT NULL,
    rate           numeric(8, 6) NOT NULL CHECK (rate >= 0 AND rate < 1), -- a fraction; 0: abolished
    PRIMARY KEY (tax, effective_from)
);

INSERT INTO tax_rates (tax, effective_from, rate) VALUES
    ('GST', '2008-01-01', 0.05),
    ('QST', '2013-01-01', 0.09975)
ON CONFLICT DO NOTHING;

ALTER TABLE accounts
    ADD COLUMN is_taxed boolean NOT NULL DEFAULT true,
    ADD COLUMN language text NOT NULL DEFAULT 'en' CHECK (language IN ('en', 'fr')), -- of invoices
    ADD COLUMN address text NOT NULL DEFAULT '', -- as it stands on an invoice, under the name
    -- Null: calls are prepaid, and on statements only.  Else they are invoiced, from that moment on.
    ADD COLUMN calls_invoiced_since timestamptz;

-- The last number of each year.  Its row is locked until an invoice is committed, so no number is missing.
CREATE TABLE invoice_series (
    year        integer PRIMARY KEY,
    last_number integer NOT NULL CHECK (last_number > 0)
);

-- A credit note names the invoice it `credits`; its amounts are below zero.
CREATE TABLE invoices (
    account_id     bigint NOT NULL,
    invoice_number text COLLATE "C" NOT NULL CHECK (invoice_number ~ '^[0-9]{4}-[0-9]{6}$'),
    credits        text COLLATE "C",
    issued_on      date NOT NULL,
    due_on         date NOT NULL CHECK (due_on >= issued_on),
    before_taxes   numeric(18, 4) NOT NULL,
    total          numeric(18, 4) NOT NULL,
    calls_until    timestamptz, -- calls settled before that moment are on this invoice or an earlier one
    currency       text NOT NULL,
    note           text NOT NULL DEFAULT '',
    issued_by      text NOT NULL,
    issued_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, invoice_number),
    FOREIGN KEY (account_id, credits) REFERENCES invoices (account_id, invoice_number)
);

CREATE TABLE invoice_lines (
    account_id     bigint NOT NULL,
    invoice_number text COLLATE "C" NOT NULL,
    position       integer NOT NULL CHECK (position > 0),
    kind           text NOT NULL CHECK (kind ~ '^[a-z_]+$'), -- usage, monthly_charge, tax …
    description    text NOT NULL,
    calls          bigint, -- of usage: how many calls, and what they were billed in all
    billed_seconds bigint,
    amount         numeric(18, 4) NOT NULL,
    is_taxed       boolean NOT NULL,
    credits_position integer, -- of a credit note: the line of the invoice, credited once
    PRIMARY KEY (account_id, invoice_number, position),
    FOREIGN KEY (account_id, invoice_number) REFERENCES invoices (account_id, invoice_number)
);

ALTER TABLE charges
    ADD COLUMN kind           text NOT NULL DEFAULT 'single_charge' CHECK (kind ~ '^[a-z_]+$'), -- as in the ledger
    ADD COLUMN invoice_number text COLLATE "C", -- null: on none yet
    DROP CONSTRAINT charges_reference_check,
    ADD CONSTRAINT charges_reference_check CHECK (length(reference) BETWEEN 1 AND 256);

UPDATE charges SET kind = 'monthly_charge' WHERE ends_on IS NOT NULL;

-- The fee of a returned payment is a charge like others, from here on.
INSERT INTO charges (account_id, reference, description, amount, is_taxed, charged_on, added_by, kind)
SELECT account_id, 'fee of returned payment ' || reference, 'Fee: payment ' || reference || ' returned',
       return_fee, false, returned_on, returned_by, 'returned_payment_fee'
FROM payments WHERE return_fee > 0
ON CONFLICT DO NOTHING;

CREATE INDEX charges_not_invoiced ON charges (account_id) WHERE invoice_number IS NULL;

-- Interest on what was open of an invoice when its n-th month past the due date was completed (terms 7).
CREATE TABLE interest_charges (
    account_id     bigint NOT NULL,
    invoice_number text COLLATE "C" NOT NULL,
    month          integer NOT NULL CHECK (month > 0),
    charged_on     date NOT NULL,
    open_amount    numeric(18, 4) NOT NULL CHECK (open_amount > 0),
    amount         numeric(18, 4) NOT NULL CHECK (amount > 0),
    PRIMARY KEY (account_id, invoice_number, month),
    FOREIGN KEY (account_id, invoice_number) REFERENCES invoices (account_id, invoice_number)
);

-- The day that an entry counts from, where that is not the day it was recorded: a check counts from when it came.
ALTER TABLE ledger ADD COLUMN effective_on date;
