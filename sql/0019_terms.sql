-- Terms of service (terms 16): each version with its text, and who accepted which, when, from where and how.

-- Reference data.  A version is in force from a day on; who accepted an older one has so many days to accept it.
CREATE TABLE terms_versions (
    version      text COLLATE "C" PRIMARY KEY CHECK (length(version) BETWEEN 1 AND 64),
    body         text NOT NULL,
    sha256       text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'), -- of the body, in UTF-8
    in_force_on  date NOT NULL UNIQUE,
    grace_days   integer NOT NULL CHECK (grace_days >= 0),
    published_by text NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now()
);

-- `sha256` is of the text that was accepted; null where that version was never published here.
CREATE TABLE terms_acceptances (
    account_id  bigint NOT NULL,
    version     text COLLATE "C" NOT NULL,
    sha256      text,
    accepted_at timestamptz NOT NULL,
    means       text NOT NULL, -- signature, web, telephone …
    address     text NOT NULL, -- the network address, or the place
    recorded_by text NOT NULL,
    PRIMARY KEY (account_id, version)
);

INSERT INTO terms_acceptances (account_id, version, accepted_at, means, address, recorded_by)
SELECT account_id, terms_version, terms_accepted_at, '', '', 'accounts' FROM accounts
WHERE terms_version IS NOT NULL
ON CONFLICT DO NOTHING;
