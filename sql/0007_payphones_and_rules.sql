-- What a toll-free DID does with calls from payphones, and what a CDR says of the call's admission.

ALTER TABLE numbers
    ADD COLUMN payphone_policy    text NOT NULL DEFAULT 'allow'
        CHECK (payphone_policy IN ('allow', 'reject', 'surcharge')),
    ADD COLUMN payphone_surcharge numeric(18, 4) NOT NULL DEFAULT 0 CHECK (payphone_surcharge >= 0),
    ADD CONSTRAINT numbers_payphone_check CHECK (
        (kind = 'toll_free' OR payphone_policy = 'allow')
        AND (payphone_policy = 'surcharge') = (payphone_surcharge > 0)
    );

ALTER TABLE cdrs
    ADD COLUMN rule text, -- of admission, that decided on the call; null where it was not asked
    ADD COLUMN tags text[] NOT NULL DEFAULT '{}'; -- as `payphone`
