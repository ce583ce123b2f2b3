-- For a distributed Postgres (Citus): the functions that hold and settle money, one leg at a time.
--
-- `esl-agent distribute` puts them in the place of the migrations' functions, which do the same for a whole batch
-- in one statement.  Citus 13 refuses that: recursion, locks and functions such as now() in statements that
-- reach several machines.  Here every statement is about one account and goes to the machine that has it.
-- Signatures, answers and effects are the same, and tests/store/test_one_by_one.py holds both to each other on a plain
-- Postgres; what is commented there is not said again here.  Not a migration: it may be run again at any time.

CREATE OR REPLACE FUNCTION lock_accounts(account_ids bigint[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    id bigint;
BEGIN
    FOR id IN SELECT DISTINCT each FROM unnest(account_ids) AS each ORDER BY each LOOP
        PERFORM 1 FROM accounts WHERE account_id = id FOR NO KEY UPDATE;
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION hold_for_legs(
    account_ids bigint[], leg_uuids text[], leasts numeric[], wants numeric[], spares numeric[],
    switches text[], knowns json[], today date
) RETURNS TABLE (account_id bigint, leg_uuid text, outcome text, held numeric, available numeric)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    this_day date := coalesce(today, current_date);
    moment timestamptz := now();
    purse record;
    leg record;
    before numeric;
    need numeric;
    wish numeric;
    call_left numeric;
    calls_max integer; -- the account's own, or a throttle's while one holds
    calls_out bigint;
    goes_out boolean;
    taken numeric;
BEGIN
    PERFORM lock_accounts(account_ids);
    FOR i IN 1 .. coalesce(cardinality(leg_uuids), 0) LOOP
        account_id := account_ids[i];
        leg_uuid := leg_uuids[i];
        SELECT state, balance + credit_limit - reserved AS free, calls_up, max_calls, spend_per_call,
               spend_per_day - CASE WHEN spent_on BETWEEN this_day AND this_day + 1 THEN day_spent ELSE 0 END
               - reserved AS day_left
        INTO purse
        FROM accounts LEFT JOIN account_limits USING (account_id) WHERE accounts.account_id = account_ids[i];
        IF NOT FOUND THEN
            outcome := 'no_account'; held := 0; available := 0;
            RETURN NEXT;
            CONTINUE;
        END IF;
        calls_max := least(purse.max_calls, (
            SELECT min(max_calls) FROM restrictions
            WHERE account_id = account_ids[i] AND action = 'throttle' AND cleared_at IS NULL
              AND (until IS NULL OR until > moment)
        ));
        goes_out := coalesce(knowns[i]::text, '') !~ '"product" *: *"inbound"';
        calls_out := purse.calls_up;
        IF goes_out AND purse.calls_up >= calls_max THEN
            calls_out := calls_out - (
                SELECT count(*) FROM reservations r
                WHERE r.account_id = account_ids[i] AND r.state = 'held' AND r.known::text ~ '"product" *: *"inbound"'
            );
        END IF;
        SELECT r.state, r.held INTO leg
        FROM reservations r WHERE r.account_id = account_ids[i] AND r.leg_uuid = leg_uuids[i];
        before := CASE WHEN leg.state = 'held' THEN leg.held ELSE 0 END;
        need := greatest(leasts[i] - before, 0);
        wish := greatest(leasts[i] - before, wants[i] - before, 0);
        call_left := purse.spend_per_call - before;
        outcome := CASE WHEN leg.state <> 'held' THEN leg.state
                        WHEN purse.state <> 'active' THEN 'not_active'
                        WHEN leg.state IS NULL AND goes_out AND calls_out >= calls_max THEN 'too_many_calls'
                        WHEN need = 0 THEN 'held'
                        WHEN need > purse.day_left THEN 'day_spend'
                        WHEN need > call_left THEN 'call_spend'
                        WHEN need > purse.free THEN 'no_funds'
                        ELSE 'held' END;
        taken := CASE WHEN outcome <> 'held' THEN 0
                      WHEN wish <= least(purse.free - spares[i], purse.day_left, call_left) THEN wish
                      ELSE need END;
        held := before + taken;
        available := purse.free - taken;
        IF outcome = 'held' THEN
            INSERT INTO reservations AS r (account_id, leg_uuid, state, held, held_at, switch, known)
            VALUES (account_ids[i], leg_uuids[i], 'held', before + taken, moment, switches[i], knowns[i])
            ON CONFLICT (account_id, leg_uuid) DO UPDATE
            SET held = excluded.held, switch = coalesce(nullif(excluded.switch, ''), r.switch),
                known = coalesce(excluded.known, r.known)
            WHERE r.state = 'held';
            UPDATE accounts SET reserved = reserved + taken, calls_up = calls_up + (leg.state IS NULL)::integer
            WHERE accounts.account_id = account_ids[i] AND (taken > 0 OR leg.state IS NULL);
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION hold_for_legs(
    asked json, take_accounts bigint[], take_from text[], take_to text[], today date
) RETURNS TABLE (account_id bigint, leg_uuid text, outcome text, held numeric, available numeric)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    IF cardinality(take_accounts) > 0 THEN
        PERFORM lock_accounts(ARRAY(SELECT ask.account_id FROM json_to_recordset(asked) AS ask (account_id bigint)));
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

CREATE OR REPLACE FUNCTION take_over_legs(account_ids bigint[], from_legs text[], to_legs text[]) RETURNS void
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    gives numeric[];
    gives_now numeric;
    i bigint;
    giver record;
    taker record;
    has_taken numeric;
BEGIN
    FOR n IN 1 .. coalesce(cardinality(to_legs), 0) LOOP
        gives_now := (SELECT held FROM reservations
                      WHERE account_id = account_ids[n] AND leg_uuid = from_legs[n] AND state = 'held' AND held > 0);
        gives := gives || gives_now;
    END LOOP;
    -- The greatest first: what is known of that call goes along.
    FOR i IN SELECT place FROM unnest(gives) WITH ORDINALITY AS give (held, place)
             WHERE held IS NOT NULL ORDER BY held DESC, place LOOP
        SELECT held, switch, known INTO giver
        FROM reservations WHERE account_id = account_ids[i] AND leg_uuid = from_legs[i];
        SELECT state, held INTO taker
        FROM reservations WHERE account_id = account_ids[i] AND leg_uuid = to_legs[i];
        CONTINUE WHEN taker.state <> 'held';
        UPDATE reservations SET held = 0 WHERE account_id = account_ids[i] AND leg_uuid = from_legs[i];
        INSERT INTO reservations AS r (account_id, leg_uuid, state, held, held_at, switch, known)
        VALUES (account_ids[i], to_legs[i], 'held', giver.held, now(), giver.switch, giver.known)
        ON CONFLICT (account_id, leg_uuid) DO UPDATE
        SET held = greatest(r.held, excluded.held), switch = coalesce(nullif(r.switch, ''), excluded.switch),
            known = coalesce(r.known, excluded.known)
        RETURNING r.held INTO has_taken;
        UPDATE accounts
        SET reserved = reserved + has_taken - coalesce(taker.held, 0) - giver.held,
            calls_up = calls_up + (taker.held IS NULL)::integer
        WHERE account_id = account_ids[i];
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION hand_over_legs(account_ids bigint[], from_legs text[], to_legs text[]) RETURNS void
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    giver record;
    held_before numeric;
    has_taken numeric;
BEGIN
    FOR i IN 1 .. coalesce(cardinality(to_legs), 0) LOOP
        SELECT held, switch, known INTO giver FROM reservations
        WHERE account_id = account_ids[i] AND leg_uuid = from_legs[i] AND state = 'held' AND held_at IS NOT NULL;
        CONTINUE WHEN NOT FOUND;
        held_before := (SELECT held FROM reservations WHERE account_id = account_ids[i] AND leg_uuid = to_legs[i]
                                                        AND state = 'held' AND held_at IS NOT NULL);
        UPDATE reservations SET held = 0, held_at = NULL
        WHERE account_id = account_ids[i] AND leg_uuid = from_legs[i];
        has_taken := NULL;
        INSERT INTO reservations AS r (account_id, leg_uuid, state, held, held_at, switch, known)
        VALUES (account_ids[i], to_legs[i], 'held', giver.held, now(), giver.switch, giver.known)
        ON CONFLICT (account_id, leg_uuid) DO UPDATE
        SET held = greatest(r.held, excluded.held), held_at = coalesce(r.held_at, excluded.held_at),
            switch = coalesce(nullif(r.switch, ''), excluded.switch),
            known = coalesce(r.known, excluded.known)
        WHERE r.state = 'held'
        RETURNING r.held INTO has_taken;
        UPDATE accounts
        SET reserved = reserved - giver.held + coalesce(has_taken - coalesce(held_before, 0), 0),
            calls_up = calls_up - (has_taken IS NULL OR held_before IS NOT NULL)::integer
        WHERE account_id = account_ids[i];
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION release_legs(account_ids bigint[], leg_uuids text[])
RETURNS TABLE (account_id bigint, leg_uuid text, held numeric)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    moment timestamptz := now();
    gave record;
BEGIN
    PERFORM lock_accounts(account_ids);
    FOR i IN 1 .. coalesce(cardinality(leg_uuids), 0) LOOP
        gave := NULL;
        INSERT INTO reservations AS r (account_id, leg_uuid, state, held, released_at)
        VALUES (account_ids[i], leg_uuids[i], 'released', 0, moment)
        ON CONFLICT (account_id, leg_uuid) DO UPDATE
        SET state = 'released', released_at = excluded.released_at, known = NULL
        WHERE r.state = 'held'
        RETURNING r.held, r.held_at INTO gave;
        CONTINUE WHEN gave.held_at IS NULL;
        UPDATE accounts SET reserved = reserved - gave.held, calls_up = calls_up - 1
        WHERE accounts.account_id = account_ids[i];
        account_id := account_ids[i]; leg_uuid := leg_uuids[i]; held := gave.held;
        RETURN NEXT;
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION settle_legs(
    cdr_rows json, hand_accounts bigint[], hand_from text[], hand_to text[], hand_turns integer[], today date
) RETURNS TABLE (settled boolean, charged numeric, uncollected numeric, balance numeric)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    cdrs_sent cdrs[] := ARRAY(SELECT json_populate_recordset(NULL::cdrs, cdr_rows));
    turns_sent integer := coalesce((SELECT max(turn) FROM unnest(hand_turns) AS turn), 0);
    this_day date := coalesce(today, current_date);
    moment timestamptz := now();
    leg cdrs;
    purse record;
    gate record;
    pays numeric;
    ended integer;
BEGIN
    PERFORM lock_accounts(ARRAY(SELECT account_id FROM unnest(cdrs_sent)));

    FOR this_turn IN 1 .. turns_sent LOOP
        PERFORM hand_over_legs(array_agg(account_id), array_agg(from_leg), array_agg(to_leg))
        FROM unnest(hand_accounts, hand_from, hand_to, hand_turns) AS hand (account_id, from_leg, to_leg, turn)
        WHERE turn = this_turn;
    END LOOP;

    FOREACH leg IN ARRAY cdrs_sent LOOP
        gate := NULL;
        INSERT INTO reservations AS r (account_id, leg_uuid, state, held, settled_at)
        VALUES (leg.account_id, leg.leg_uuid, 'settled', 0, moment)
        ON CONFLICT (account_id, leg_uuid) DO UPDATE
        SET state = 'settled', settled_at = excluded.settled_at, known = NULL
        WHERE r.state <> 'settled'
        RETURNING true AS is_settled, CASE WHEN r.held_at IS NOT NULL AND r.released_at IS NULL THEN r.held END AS held
        INTO gate;
        settled := gate.is_settled IS NOT NULL;
        SELECT a.balance, a.balance + a.credit_limit - a.reserved AS free INTO purse
        FROM accounts a WHERE a.account_id = leg.account_id;
        pays := round(CASE WHEN NOT settled THEN 0
                           WHEN gate.held IS NOT NULL THEN least(leg.total, gate.held)
                           ELSE greatest(least(leg.total, coalesce(purse.free, 0)), 0) END, 4);
        ended := (gate.held IS NOT NULL)::integer;
        IF settled THEN
            PERFORM post_lines(leg, pays);
            leg.charged := pays;
            leg.uncollected := leg.total - pays;
            leg.recorded_at := moment;
            INSERT INTO cdrs SELECT (leg).*;
        END IF;
        IF pays <> 0 OR ended <> 0 THEN
            UPDATE accounts SET
                balance = balance - pays,
                reserved = reserved - coalesce(gate.held, 0),
                calls_up = calls_up - ended,
                day_spent = CASE WHEN spent_on BETWEEN this_day AND this_day + 1 THEN day_spent ELSE 0 END + pays,
                spent_on = CASE WHEN spent_on BETWEEN this_day AND this_day + 1 THEN spent_on ELSE this_day END
            WHERE account_id = leg.account_id;
        END IF;
        charged := pays;
        uncollected := CASE WHEN settled THEN leg.total - pays ELSE 0.0000 END;
        balance := coalesce(purse.balance, 0.0000) - pays;
        RETURN NEXT;
    END LOOP;
END
$$;

-- The lines of a leg's charge, cut in their order to what it pays, as ledger entries.
CREATE OR REPLACE FUNCTION post_lines(leg cdrs, pays numeric) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    line record;
    left_to_pay numeric := pays;
    takes numeric;
BEGIN
    FOR line IN SELECT l.kind, l.amount
                FROM ROWS FROM (jsonb_to_recordset(leg.lines) AS (kind text, amount numeric)) WITH ORDINALITY
                     AS l (kind, amount, place) ORDER BY l.place LOOP
        takes := least(line.amount, left_to_pay);
        IF takes > 0 THEN
            INSERT INTO ledger (account_id, idempotency_key, debit, credit, amount, kind, reference)
            VALUES (leg.account_id, 'leg:' || leg.leg_uuid || ':' || line.kind, 'customer', 'revenue', takes,
                    line.kind, leg.leg_uuid);
        END IF;
        left_to_pay := left_to_pay - line.amount;
    END LOOP;
END
$$;
