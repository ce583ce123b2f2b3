-- Customers' phones, as the switch's SIP directory is told of them.
-- Reference data, looked up by user and domain before the account is known.

-- So that a number can't be taken from an account whose phones show it to emergency services.
ALTER TABLE numbers ADD CONSTRAINT numbers_by_owner UNIQUE (number, account_id);

-- Small letters only: the switch takes names that differ in their case for one.
CREATE TABLE sip_users (
    sip_user       text COLLATE "C" NOT NULL CHECK (sip_user ~ '^[a-z0-9_.+-]{1,64}$'),
    domain         text COLLATE "C" NOT NULL CHECK (domain ~ '^[a-z0-9.-]{1,64}$'),
    account_id     bigint NOT NULL,
    a1_hash        text COLLATE "C" NOT NULL CHECK (a1_hash ~ '^[0-9a-f]{32}$'), -- as good as the password
    password_since timestamptz NOT NULL DEFAULT now(),
    password_by    text NOT NULL,
    caller_number  text COLLATE "C",
    emergency_caller_number text COLLATE "C", -- null: emergency calls show caller_number
    PRIMARY KEY (sip_user, domain),
    FOREIGN KEY (caller_number, account_id) REFERENCES numbers (number, account_id),
    FOREIGN KEY (emergency_caller_number, account_id) REFERENCES numbers (number, account_id)
);

CREATE INDEX sip_users_of_account ON sip_users (account_id);
