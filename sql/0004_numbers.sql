-- Numbers that are an account's: its DIDs, and numbers of others that it has shown to be its own.
-- Reference data, looked up by the number before the account is known.

CREATE TABLE numbers (
    number       text COLLATE "C" PRIMARY KEY CHECK (number ~ '^[0-9]{3,15}$'), -- international, without "+"
    account_id   bigint NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('did', 'toll_free', 'verified')),
    forward_to   text CHECK (forward_to ~ '^[0-9]{3,15}$'),
    forward_when text NOT NULL DEFAULT 'never' CHECK (forward_when IN ('always', 'busy', 'no_answer', 'never')),
    added_at     timestamptz NOT NULL DEFAULT now(),
    CHECK ((forward_when = 'never') = (forward_to IS NULL)),
    CHECK (kind <> 'verified' OR forward_when = 'never')
);

CREATE INDEX numbers_of_account ON numbers (account_id);
