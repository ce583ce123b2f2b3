-- What was done about invoices past due (terms 2): each step once, unless a payment lifted it and it came due again.

CREATE TABLE dunning_steps (
    account_id     bigint NOT NULL,
    invoice_number text COLLATE "C" NOT NULL,
    step           text NOT NULL CHECK (step IN ('reminder', 'suspension', 'closure')),
    due_on         date NOT NULL, -- that step was: tells reminders apart
    taken_at       timestamptz NOT NULL DEFAULT now(),
    open_amount    numeric(18, 4) NOT NULL,
    lifted_at      timestamptz, -- of a suspension: when a payment lifted it
    PRIMARY KEY (account_id, invoice_number, step, due_on, taken_at),
    FOREIGN KEY (account_id, invoice_number) REFERENCES invoices (account_id, invoice_number)
);
