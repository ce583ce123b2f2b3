-- Who may do what in the database (terms 15).  Each is a group without a login; the operator grants it to logins:
--
--     CREATE ROLE agent_on_switch_1 LOGIN IN ROLE esl_agent_daemon;
--
-- Roles belong to the whole server, tables to this database.  Who runs the migrations owns the tables, and needs
-- CREATEROLE or the four roles made beforehand; without either the owner goes on alone, and `doctor` says so.
DO $$
DECLARE
    wanted text;
BEGIN
    -- Two databases of one server may be migrated at once.
    PERFORM pg_advisory_xact_lock(hashtext('esl_agent.roles'));
    FOREACH wanted IN ARRAY ARRAY['esl_agent_daemon', 'esl_agent_noc', 'esl_agent_office', 'esl_agent_auditor'] LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = wanted);
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        EXCEPTION
            WHEN insufficient_privilege THEN RAISE NOTICE 'role % is not there, and may not be made', wanted;
            WHEN duplicate_object OR unique_violation THEN NULL; -- another database's migration was quicker
        END;
    END LOOP;
END
$$;

-- What NOC staff see: that calls run and what they cost, not whose they are.  All but four digits of a number are hidden.
CREATE FUNCTION masked(digits text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT repeat('x', greatest(length(digits) - 4, 0)) || right(digits, 4) $$;

CREATE VIEW noc_accounts AS
SELECT account_id, plan, currency, state, state_since, credit_limit, balance, reserved,
       balance + credit_limit - reserved AS available, calls_up, day_spent, spent_on
FROM accounts;

CREATE VIEW noc_cdrs AS
SELECT account_id, created_at, leg_uuid, other_leg_uuid, product, masked(caller) AS caller,
       masked(number) AS number, number_class, country, deck, deck_version, prefix, destination,
       rate_per_minute, answered_at, ended_at, duration_us, billed_seconds, total, charged, uncollected,
       currency, hangup_cause, sip_code, ended_by, masked(forwarded_from) AS forwarded_from, carrier,
       mos, packet_loss, jitter_ms, source, refused, rule, tags, recorded_at
FROM cdrs;

CREATE VIEW noc_numbers AS
SELECT account_id, masked(number) AS number, kind, forward_when, payphone_policy FROM numbers;

-- Partitions are made by the daemon, in tables of the owner's.
ALTER FUNCTION make_cdr_partitions(timestamptz, integer) SECURITY DEFINER SET search_path FROM CURRENT;

-- A role that could not be made gets nothing; the others get what is theirs.
CREATE FUNCTION pg_temp.allow(role_name text, privileges text, objects text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
        EXECUTE format('GRANT %s ON %s TO %I', privileges, objects, role_name);
    END IF;
END
$$;

-- The daemon: reads what it decides by, moves money only through the ledger, and takes nothing back.
SELECT pg_temp.allow('esl_agent_daemon', 'SELECT',
    'accounts, account_limits, plans, deck_versions, rates, numbers, carriers, routes, sip_users, schema_migrations');
SELECT pg_temp.allow('esl_agent_daemon', 'SELECT (version, in_force_on, grace_days, sha256, published_by, published_at)',
    'terms_versions');
SELECT pg_temp.allow('esl_agent_daemon', 'UPDATE (balance, reserved, calls_up, day_spent, spent_on)', 'accounts');
SELECT pg_temp.allow('esl_agent_daemon', 'SELECT, INSERT, UPDATE', 'reservations, leases');
SELECT pg_temp.allow('esl_agent_daemon', 'SELECT, INSERT', 'ledger, cdrs');

-- NOC staff: the masked views, and what is nobody's secret.
SELECT pg_temp.allow('esl_agent_noc', 'SELECT',
    'noc_accounts, noc_cdrs, noc_numbers, plans, deck_versions, rates, carriers, routes, leases, schema_migrations');

-- The office: customers, their money and their papers.  Entries, invoices and CDRs are never changed or removed, and
-- nobody needs to read a digest of a password to give a phone a new one.
SELECT pg_temp.allow('esl_agent_office', 'SELECT, INSERT, UPDATE',
    'accounts, account_limits, plans, numbers, carriers, routes, payments, recurring_charges, charges,'
    ' invoice_series, dunning_steps, tax_rates');
SELECT pg_temp.allow('esl_agent_office', 'DELETE', 'numbers, routes, sip_users');
SELECT pg_temp.allow('esl_agent_office', 'SELECT, INSERT',
    'ledger, invoices, invoice_lines, interest_charges, deck_versions, rates, terms_versions, terms_acceptances');
SELECT pg_temp.allow('esl_agent_office', 'SELECT', 'cdrs, reservations, leases, schema_migrations');
SELECT pg_temp.allow('esl_agent_office', 'INSERT, UPDATE', 'sip_users');
SELECT pg_temp.allow('esl_agent_office',
    'SELECT (sip_user, domain, account_id, password_since, password_by, caller_number, emergency_caller_number)',
    'sip_users');

-- The auditor: reads everything but secrets, and writes nothing.
SELECT pg_temp.allow('esl_agent_auditor', 'SELECT',
    'accounts, account_limits, plans, deck_versions, rates, numbers, carriers, routes, reservations, ledger, cdrs,'
    ' payments, recurring_charges, charges, invoice_series, invoices, invoice_lines, interest_charges, dunning_steps,'
    ' tax_rates, terms_versions, terms_acceptances, leases, schema_migrations');
SELECT pg_temp.allow('esl_agent_auditor',
    'SELECT (sip_user, domain, account_id, password_since, password_by, caller_number, emergency_caller_number)',
    'sip_users');

DROP FUNCTION pg_temp.allow(text, text, text);
