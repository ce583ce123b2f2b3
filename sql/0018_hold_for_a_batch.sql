-- A batch of requests to hold money, and of holds to take over, in one round trip.

-- Moves what is held for from_legs[i] to to_legs[i], both of account_ids[i]; a leg that takes may come several times.
-- One that is over, or given up, takes nothing.  Of several holds the greatest is taken and the others are free
-- again: a call has one.  What is known of the call goes with the hold, unless something is known of the leg that
-- takes.  A leg that was taken from keeps its place among the account's calls until it ends.  The accounts are locked.
CREATE FUNCTION take_over_legs(account_ids bigint[], from_legs text[], to_legs text[]) RETURNS void
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    WITH given AS MATERIALIZED (
        SELECT account_id, from_leg, to_leg, giver.held, giver.switch, giver.known, taker.held AS held_before
        FROM unnest(account_ids, from_legs, to_legs) AS take (account_id, from_leg, to_leg)
        -- LIMIT has each leg looked up by its key: no planner may think of reading the whole table.
        CROSS JOIN LATERAL (
            SELECT held, switch, known FROM reservations r
            WHERE (r.account_id, r.leg_uuid, r.state) = (take.account_id, from_leg, 'held') AND held > 0 LIMIT 1
        ) AS giver
        LEFT JOIN LATERAL (
            SELECT state, held FROM reservations r
            WHERE (r.account_id, r.leg_uuid) = (take.account_id, to_leg) LIMIT 1
        ) AS taker ON true
        WHERE coalesce(taker.state, 'held') = 'held'
    ),
    emptied AS ( -- by its key, too, which a plain UPDATE might not do
        INSERT INTO reservations (account_id, leg_uuid, state, held)
        SELECT account_id, from_leg, 'held', 0 FROM given
        ON CONFLICT (account_id, leg_uuid) DO UPDATE SET held = 0
    ),
    taken AS (
        INSERT INTO reservations AS r (account_id, leg_uuid, state, held, held_at, switch, known)
        SELECT DISTINCT ON (account_id, to_leg) account_id, to_leg, 'held', held, now(), switch, known
        FROM given ORDER BY account_id, to_leg, held DESC
        ON CONFLICT (account_id, leg_uuid) DO UPDATE
        SET held = greatest(r.held, excluded.held), switch = coalesce(nullif(r.switch, ''), excluded.switch),
            known = coalesce(r.known, excluded.known)
        RETURNING account_id, leg_uuid, held
    ),
    taker_of AS (
        SELECT account_id, to_leg, sum(held) AS given, max(held_before) AS held_before
        FROM given GROUP BY account_id, to_leg
    ),
    change AS (
        SELECT taken.account_id, sum(taken.held - coalesce(held_before, 0) - given) AS held,
               count(*) FILTER (WHERE held_before IS NULL) AS begun
        FROM taken JOIN taker_of ON (taker_of.account_id, to_leg) = (taken.account_id, taken.leg_uuid)
        GROUP BY taken.account_id
    )
    UPDATE accounts SET reserved = reserved + change.held, calls_up = calls_up + change.begun
    FROM change WHERE accounts.account_id = change.account_id;
END
$$;

-- Does the take-overs, as above, then holds what is asked for, as the function of 0010 does.  `asked` is an array with
-- an object for each request: to write arrays of text with quotes in it costs the daemon ten times what writing JSON
-- does, and each request brings such a text.  `known` is a text in the object, so that a NUL in a name from the wire
-- is no matter.
CREATE FUNCTION hold_for_legs(
    asked json, take_accounts bigint[], take_from text[], take_to text[], today date
) RETURNS TABLE (account_id bigint, leg_uuid text, outcome text, held numeric, available numeric)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    IF cardinality(take_accounts) > 0 THEN
        PERFORM 1 FROM accounts
        WHERE account_id IN (SELECT account_id FROM json_to_recordset(asked) AS ask (account_id bigint))
        ORDER BY account_id FOR NO KEY UPDATE;
        PERFORM take_over_legs(take_accounts, take_from, take_to);
    END IF;
    RETURN QUERY
    SELECT answer.* FROM (
        SELECT array_agg(account_id) AS account_ids, array_agg(leg_uuid) AS leg_uuids, array_agg(least) AS leasts,
               array_agg(want) AS wants, array_agg(spare) AS spares, array_agg(switch) AS switches,
               array_agg(known::json) AS knowns
        FROM json_to_recordset(asked) AS ask (
            account_id bigint, leg_uuid text, least numeric, want numeric, spare numeric, switch text, known text
        )
    ) AS request
    CROSS JOIN LATERAL hold_for_legs(
        account_ids, leg_uuids, leasts, wants, spares, switches, knowns, today
    ) AS answer;
END
$$;
