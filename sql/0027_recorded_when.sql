-- From when until when a call was recorded, on its CDR.  Null where it was not, as in all rows before.
ALTER TABLE cdrs
    ADD COLUMN recording_began_at timestamptz,
    ADD COLUMN recording_ended_at timestamptz;

-- As in 0013_settle_legs.sql, whose theory of operation holds, with these two columns more.
-- Settles the legs of `cdr_rows`, a JSON array of what their CDRs say, but for `charged` and `uncollected`.  An
-- account that doesn't exist pays nothing, but its leg has a CDR all the same.  Of the hand-overs, which are
-- from legs among these, those with hand_turns[i] = 1 take place first, then those with 2, and so on.  `today` is
-- the operator's date, whose spending this is; null takes the database's.  Returns a row for each leg, in order:
-- whether it was settled now, what it was charged, what stays uncollected, and the account's balance after it.
CREATE OR REPLACE FUNCTION settle_legs(
    cdr_rows json, hand_accounts bigint[], hand_from text[], hand_to text[], hand_turns integer[], today date
) RETURNS TABLE (settled boolean, charged numeric, uncollected numeric, balance numeric)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    cdrs_sent cdrs[] := ARRAY(SELECT json_populate_recordset(NULL::cdrs, cdr_rows));
    account_ids bigint[] := ARRAY(SELECT DISTINCT account_id FROM unnest(cdrs_sent));
    turns_sent integer := coalesce((SELECT max(turn) FROM unnest(hand_turns) AS turn), 0);
    this_day date := coalesce(today, current_date);
BEGIN
    PERFORM 1 FROM accounts WHERE account_id = ANY(account_ids) ORDER BY account_id FOR NO KEY UPDATE;

    FOR this_turn IN 1 .. turns_sent LOOP
        PERFORM hand_over_legs(array_agg(account_id), array_agg(from_leg), array_agg(to_leg))
        FROM unnest(hand_accounts, hand_from, hand_to, hand_turns) AS hand (account_id, from_leg, to_leg, turn)
        WHERE turn = this_turn;
    END LOOP;

    RETURN QUERY
    WITH legs AS MATERIALIZED (
        SELECT *, row_number() OVER (PARTITION BY account_id, leg_uuid ORDER BY ordinality) = 1 AS is_first
        FROM unnest(cdrs_sent) WITH ORDINALITY
    ),
    gate AS (
        INSERT INTO reservations AS r (account_id, leg_uuid, state, held, settled_at)
        SELECT account_id, leg_uuid, 'settled', 0, now() FROM legs WHERE is_first
        ORDER BY account_id, leg_uuid -- where there is no account, nothing else keeps two daemons out of a circle
        ON CONFLICT (account_id, leg_uuid) DO UPDATE SET state = 'settled', settled_at = now(), known = NULL
        WHERE r.state <> 'settled'
        RETURNING true AS is_first, r.account_id, r.leg_uuid,
                  CASE WHEN r.held_at IS NOT NULL AND r.released_at IS NULL THEN r.held END AS held
    ),
    purses AS (
        SELECT account_id, balance, balance + credit_limit - reserved AS free
        FROM accounts WHERE account_id = ANY(account_ids)
    ),
    passed AS ( -- what did not get through counts as nothing
        SELECT ordinality, account_id, leg_uuid, gate.is_first IS NOT NULL AS is_settled, held, lines,
               CASE WHEN gate.is_first THEN total ELSE 0.0000 END AS total,
               coalesce(balance, 0.0000) AS balance, coalesce(free, 0.0000) AS free
        FROM legs LEFT JOIN gate USING (account_id, leg_uuid, is_first) LEFT JOIN purses USING (account_id)
    ),
    counted AS (
        SELECT *, free_after_legs(free, total, held) OVER (PARTITION BY account_id ORDER BY ordinality) AS free_after
        FROM passed
    ),
    paid AS MATERIALIZED (
        SELECT *, CASE WHEN held IS NOT NULL THEN least(total, held)
                       ELSE lag(free_after, 1, free) OVER (PARTITION BY account_id ORDER BY ordinality) - free_after
                  END AS pays
        FROM counted
    ),
    posted AS (
        INSERT INTO ledger (account_id, idempotency_key, debit, credit, amount, kind, reference)
        SELECT account_id, 'leg:' || leg_uuid || ':' || kind, 'customer', 'revenue', taken, kind, leg_uuid
        FROM paid CROSS JOIN LATERAL (
            -- The lines cut, in order, to what the leg pays.
            SELECT kind, least(amount, pays - sum(amount) OVER (ORDER BY ordinality) + amount) AS taken
            FROM ROWS FROM (jsonb_to_recordset(lines) AS (kind text, amount numeric)) WITH ORDINALITY
        ) AS line
        WHERE taken > 0
    ),
    written AS (
        INSERT INTO cdrs (
            account_id, created_at, leg_uuid, other_leg_uuid, product, caller, dialled, number,
            number_class, country, deck, deck_version, prefix, destination, rate_per_minute, minimum_s,
            step_s, connection_fee, forwarding_rate_per_minute, grace_ms, is_free, answered_at, ended_at,
            duration_us, billed_seconds, lines, total, currency, hangup_cause, sip_code, ended_by,
            forwarded_from, carrier, mos, packet_loss, jitter_ms, recording, recording_began_at,
            recording_ended_at, source, refused, rule, tags, charged, uncollected)
        SELECT account_id, created_at, leg_uuid, other_leg_uuid, product, caller, dialled, number,
               number_class, country, deck, deck_version, prefix, destination, rate_per_minute, minimum_s,
               step_s, connection_fee, forwarding_rate_per_minute, grace_ms, is_free, answered_at, ended_at,
               duration_us, billed_seconds, lines, total, currency, hangup_cause, sip_code, ended_by,
               forwarded_from, carrier, mos, packet_loss, jitter_ms, recording, recording_began_at,
               recording_ended_at, source, refused, rule, tags, pays, total - pays
        FROM legs JOIN (SELECT ordinality, is_settled, pays FROM paid) AS paid USING (ordinality)
        WHERE is_settled
    ),
    charged AS (
        UPDATE accounts SET
            balance = balance - sums.charged,
            reserved = reserved - sums.released,
            calls_up = calls_up - sums.ended,
            -- Around midnight another daemon's clock may be on the next day; a later day was a clock gone wrong.
            day_spent = CASE WHEN spent_on BETWEEN this_day AND this_day + 1 THEN day_spent ELSE 0 END + sums.charged,
            spent_on = CASE WHEN spent_on BETWEEN this_day AND this_day + 1 THEN spent_on ELSE this_day END
        FROM (
            SELECT account_id, sum(pays) AS charged, coalesce(sum(held), 0) AS released, count(held) AS ended
            FROM paid GROUP BY account_id
        ) AS sums
        WHERE accounts.account_id = sums.account_id AND (sums.charged <> 0 OR sums.ended <> 0)
    )
    SELECT is_settled, pays, total - pays, balance - sum(pays) OVER (PARTITION BY account_id ORDER BY ordinality)
    FROM paid ORDER BY ordinality;
END
$$;
