-- What each account may do, and what the store needs to keep count of it.

-- No row, and null in a row: no limit.
CREATE TABLE account_limits (
    account_id        bigint PRIMARY KEY,
    max_calls         integer CHECK (max_calls >= 0),
    calls_per_second  integer CHECK (calls_per_second > 0),
    spend_per_day     numeric(18, 4) CHECK (spend_per_day >= 0),
    spend_per_call    numeric(18, 4) CHECK (spend_per_call >= 0),
    blocked_classes   text[] NOT NULL DEFAULT '{}',
    blocked_countries text[] NOT NULL DEFAULT '{}', -- ISO 3166 alpha-2
    blocked_prefixes  text[] NOT NULL DEFAULT '{}', -- digits from the country code on
    default_caller_id text COLLATE "C" CHECK (default_caller_id ~ '^[0-9]{3,15}$'),
    caller_id_policy  text NOT NULL DEFAULT 'refuse' CHECK (caller_id_policy IN ('refuse', 'replace')),
    toll_free         text NOT NULL DEFAULT 'free' CHECK (toll_free IN ('free', 'off', 'rated'))
);

ALTER TABLE accounts
    -- A cache, as `reserved` is: how many reservations are open.  Each is one call, free ones included.
    ADD COLUMN calls_up  integer NOT NULL DEFAULT 0 CHECK (calls_up >= 0),
    -- What calls took from the balance on the day `spent_on`, by the operator's clock.
    ADD COLUMN day_spent numeric(18, 4) NOT NULL DEFAULT 0 CHECK (day_spent >= 0),
    ADD COLUMN spent_on  date NOT NULL DEFAULT '1970-01-01';

UPDATE accounts SET calls_up = open.calls
FROM (SELECT account_id, count(*) AS calls FROM reservations WHERE state = 'held' GROUP BY account_id) AS open
WHERE accounts.account_id = open.account_id;

-- `released`: nothing is ever held for the leg again, because it was planned and never made.
-- If it was made after all it can still be settled; it has released_at then, too.
ALTER TABLE reservations
    ADD COLUMN released_at timestamptz,
    DROP CONSTRAINT reservations_state_check,
    ADD CONSTRAINT reservations_state_check CHECK (state IN ('held', 'released', 'settled')),
    ADD CONSTRAINT reservations_released_check CHECK (
        CASE state WHEN 'held' THEN released_at IS NULL WHEN 'released' THEN released_at IS NOT NULL ELSE true END
    );
