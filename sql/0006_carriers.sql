-- Carriers, and which of them take calls to which numbers.  Reference data, as decks are.

CREATE TABLE carriers (
    carrier            text PRIMARY KEY CHECK (carrier <> ''),
    dial_template      text NOT NULL CHECK (dial_template LIKE '%{number}%'), -- sofia/gateway/alpha/{number}
    number_format      text NOT NULL CHECK (number_format IN ('e164', 'plus', 'national', 'international')),
    strip_digits       integer NOT NULL CHECK (strip_digits >= 0), -- off the front of the formatted number
    prepend            text NOT NULL, -- before what is left
    capacity           integer CHECK (capacity > 0), -- calls at a time; null: no limit
    progress_timeout_s integer CHECK (progress_timeout_s > 0), -- null: as long as the caller waits
    is_enabled         boolean NOT NULL DEFAULT true
);

-- The longest prefix that has a carrier enabled counts; '' is a prefix of every number.
CREATE TABLE routes (
    prefix   text COLLATE "C" NOT NULL CHECK (prefix ~ '^[0-9]{0,15}$'),
    carrier  text NOT NULL REFERENCES carriers (carrier),
    priority integer NOT NULL CHECK (priority >= 0), -- lower is tried first
    weight   integer NOT NULL CHECK (weight >= 0), -- the share among those of one priority
    PRIMARY KEY (prefix, carrier)
);
