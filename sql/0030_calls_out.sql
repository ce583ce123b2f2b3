-- A limit on calls at a time holds back calls out, and no call that comes in.

-- As 0025 has it, but that the limit on calls at a time, the account's own and a throttle's, is one on calls out.  `calls_up`
-- counts a call that comes in as well; it is told apart where the limit may be reached, by the text of what is known of it:
-- -> and ->> fail on a JSON text with a NUL in any of its strings, which may be a name from the wire.
CREATE OR REPLACE FUNCTION hold_for_legs(
    account_ids bigint[], leg_uuids text[], leasts numeric[], wants numeric[], spares numeric[],
    switches text[], knowns json[], today date
) RETURNS TABLE (account_id bigint, leg_uuid text, outcome text, held numeric, available numeric)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM 1 FROM accounts WHERE account_id = ANY(account_ids) ORDER BY account_id FOR NO KEY UPDATE;
    RETURN QUERY
    WITH RECURSIVE asked AS MATERIALIZED (
        SELECT account_id, leg_uuid, ordinal,
               row_number() OVER (PARTITION BY account_id ORDER BY ordinal) AS turn,
               leg.state, coalesce(leg.held, 0) AS held, -- of a leg that is not heard of yet: null and 0
               greatest(least_held - coalesce(leg.held, 0), 0) AS need,
               greatest(least_held - coalesce(leg.held, 0), want_held - coalesce(leg.held, 0), 0) AS wish,
               spare, switch, known, coalesce(known::text, '') !~ '"product" *: *"inbound"' AS goes_out
        FROM unnest(account_ids, leg_uuids, leasts, wants, spares, switches, knowns)
             WITH ORDINALITY AS ask (account_id, leg_uuid, least_held, want_held, spare, switch, known, ordinal)
        -- LIMIT has each leg looked up by its key: no planner may think of reading the whole table.
        LEFT JOIN LATERAL (
            SELECT state, CASE state WHEN 'held' THEN held END AS held FROM reservations r
            WHERE (r.account_id, r.leg_uuid) = (ask.account_id, ask.leg_uuid) LIMIT 1
        ) AS leg ON true
    ),
    decided AS (
        SELECT account_id, 0::bigint AS turn, 0::bigint AS ordinal, ''::text AS leg_uuid, ''::text AS outcome,
               0::numeric AS held, 0::numeric AS taken, 0 AS begun,
               state, balance + credit_limit - reserved AS available,
               calls_up - come_in.calls AS calls_out, limits.max_calls, spend_per_call,
               spend_per_day - CASE WHEN spent_on BETWEEN coalesce(today, current_date) AND coalesce(today, current_date) + 1 THEN day_spent ELSE 0 END - reserved AS day_left
        FROM accounts LEFT JOIN account_limits USING (account_id)
        CROSS JOIN LATERAL (
            SELECT min(max_calls) AS calls FROM restrictions r
            WHERE r.account_id = accounts.account_id AND action = 'throttle' AND cleared_at IS NULL
              AND (until IS NULL OR until > now())
        ) AS throttle
        CROSS JOIN LATERAL (SELECT least(max_calls, throttle.calls) AS max_calls) AS limits
        CROSS JOIN LATERAL (
            SELECT CASE WHEN calls_up + cardinality(leg_uuids) > limits.max_calls THEN (
                SELECT count(*)::integer FROM reservations r
                WHERE r.account_id = accounts.account_id AND r.state = 'held' AND r.known::text ~ '"product" *: *"inbound"'
            ) ELSE 0 END AS calls
        ) AS come_in
        WHERE account_id = ANY(account_ids)
      UNION ALL
        SELECT account_id, asked.turn, asked.ordinal, asked.leg_uuid, verdict.outcome,
               asked.held + answer.taken, answer.taken, answer.begun,
               account.state, available - answer.taken,
               calls_out + CASE WHEN goes_out THEN answer.begun ELSE 0 END, max_calls, spend_per_call, day_left - answer.taken
        FROM decided AS account JOIN asked USING (account_id)
        CROSS JOIN LATERAL (SELECT spend_per_call - asked.held AS call_left) AS leg
        CROSS JOIN LATERAL (
            SELECT CASE WHEN asked.state <> 'held' THEN asked.state
                        WHEN account.state <> 'active' THEN 'not_active'
                        WHEN asked.state IS NULL AND asked.goes_out AND calls_out >= max_calls THEN 'too_many_calls'
                        WHEN asked.need = 0 THEN 'held' -- though a limit was lowered, or credit withdrawn
                        WHEN asked.need > day_left THEN 'day_spend'
                        WHEN asked.need > call_left THEN 'call_spend'
                        WHEN asked.need > available THEN 'no_funds'
                        ELSE 'held' END AS outcome
        ) AS verdict
        CROSS JOIN LATERAL (
            SELECT CASE WHEN verdict.outcome <> 'held' THEN 0
                        WHEN asked.wish <= least(available - asked.spare, day_left, call_left) THEN asked.wish
                        ELSE asked.need END AS taken,
                   (verdict.outcome = 'held' AND asked.state IS NULL)::integer AS begun
        ) AS answer
        WHERE asked.turn = account.turn + 1
    ),
    written AS (
        INSERT INTO reservations AS r (account_id, leg_uuid, state, held, held_at, switch, known)
        SELECT account_id, decided.leg_uuid, 'held', decided.held, now(), switch, known
        FROM decided JOIN asked USING (account_id, ordinal) WHERE outcome = 'held'
        ON CONFLICT (account_id, leg_uuid) DO UPDATE
        SET held = excluded.held, switch = coalesce(nullif(excluded.switch, ''), r.switch),
            known = coalesce(excluded.known, r.known)
        WHERE r.state = 'held'
          AND (r.held < excluded.held OR excluded.known IS NOT NULL OR excluded.switch NOT IN ('', r.switch))
    ),
    reserved AS (
        UPDATE accounts SET reserved = reserved + total.taken, calls_up = calls_up + total.begun
        FROM (
            SELECT account_id, sum(taken) AS taken, sum(begun) AS begun FROM decided GROUP BY account_id
        ) AS total
        WHERE accounts.account_id = total.account_id AND (total.taken > 0 OR total.begun > 0)
          AND greatest(balance + credit_limit - reserved, 0) >= total.taken
    )
    SELECT asked.account_id, asked.leg_uuid, coalesce(decided.outcome, 'no_account'),
           coalesce(decided.held, 0), coalesce(decided.available, 0)
    FROM asked LEFT JOIN decided USING (account_id, ordinal)
    ORDER BY asked.ordinal;
END
$$;
