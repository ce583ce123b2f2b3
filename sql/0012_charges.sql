-- What customers are charged besides calls (terms 9): monthly ones, and single ones such as support.
-- Each is debited in the ledger when it is due; taxes come with the invoice.

CREATE TABLE recurring_charges (
    account_id  bigint NOT NULL,
    charge      text COLLATE "C" NOT NULL CHECK (charge ~ '^[A-Za-z0-9_.+-]{1,64}$'), -- the operator's word for it
    description text NOT NULL,
    amount      numeric(18, 4) NOT NULL CHECK (amount > 0), -- a month, before taxes
    is_taxed    boolean NOT NULL,
    number      text COLLATE "C", -- the DID it is for: charged while that is the account's
    anchor_day  smallint NOT NULL CHECK (anchor_day BETWEEN 1 AND 31),
    starts_on   date NOT NULL,
    ends_on     date CHECK (ends_on >= starts_on), -- the first day without it
    is_prorated boolean NOT NULL,
    added_by    text NOT NULL,
    PRIMARY KEY (account_id, charge)
);

-- `reference` is the key by which a charge is made once: a monthly one's is its word and the period's first day.
CREATE TABLE charges (
    account_id  bigint NOT NULL,
    reference   text COLLATE "C" NOT NULL CHECK (length(reference) BETWEEN 1 AND 200),
    description text NOT NULL,
    amount      numeric(18, 4) NOT NULL CHECK (amount > 0),
    is_taxed    boolean NOT NULL,
    charged_on  date NOT NULL,
    ends_on     date, -- of a monthly one: the first day after its period
    added_by    text NOT NULL,
    added_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, reference)
);
