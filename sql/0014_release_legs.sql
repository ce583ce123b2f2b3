-- Giving up legs that were planned and never made, in one round trip.

-- Gives up leg_uuids[i] of account_ids[i]; a leg comes once in a call.  A leg that is over, or given up already,
-- stays as it is.  Returns those that held, and how much each gave back.
CREATE FUNCTION release_legs(account_ids bigint[], leg_uuids text[])
RETURNS TABLE (account_id bigint, leg_uuid text, held numeric)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM 1 FROM accounts WHERE account_id = ANY(account_ids) ORDER BY account_id FOR NO KEY UPDATE;
    RETURN QUERY
    WITH released AS (
        INSERT INTO reservations AS r (account_id, leg_uuid, state, held, released_at)
        SELECT account_id, leg_uuid, 'released', 0, now()
        FROM unnest(account_ids, leg_uuids) AS leg (account_id, leg_uuid)
        ON CONFLICT (account_id, leg_uuid) DO UPDATE
        SET state = 'released', released_at = now(), known = NULL
        WHERE r.state = 'held'
        RETURNING r.account_id, r.leg_uuid, r.held, r.held_at
    ),
    freed AS (
        UPDATE accounts SET reserved = reserved - total.held, calls_up = calls_up - total.calls
        FROM (
            SELECT account_id, sum(held) AS held, count(*) AS calls FROM released WHERE held_at IS NOT NULL
            GROUP BY account_id
        ) AS total
        WHERE accounts.account_id = total.account_id
    )
    SELECT account_id, leg_uuid, held FROM released WHERE held_at IS NOT NULL;
END
$$;
