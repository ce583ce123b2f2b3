-- From which networks an account's phones have registered or called (terms 14), the last few of them.

CREATE TABLE account_networks (
    account_id bigint NOT NULL,
    network    cidr NOT NULL, -- IPv4 /24, IPv6 /48
    first_seen timestamptz NOT NULL DEFAULT now(),
    last_seen  timestamptz NOT NULL DEFAULT now(), -- to the hour
    spike_at   timestamptz, -- when far more than usual was spent soon after first_seen: said once
    PRIMARY KEY (account_id, network)
);

CREATE INDEX account_networks_new ON account_networks (first_seen);

DO $$
DECLARE
    allowed text[];
BEGIN
    FOREACH allowed SLICE 1 IN ARRAY ARRAY[
        ['esl_agent_daemon', 'SELECT, INSERT, UPDATE'],
        ['esl_agent_office', 'SELECT'],
        ['esl_agent_auditor', 'SELECT']
    ] LOOP
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = allowed[1]) THEN
            EXECUTE format('GRANT %s ON account_networks TO %I', allowed[2], allowed[1]);
        END IF;
    END LOOP;
END
$$;
