-- A CRM's table with invented customers. Two have no address, three want no newsletter, one was never asked.

CREATE SCHEMA crm;

CREATE TABLE crm.customers (
    id bigint PRIMARY KEY,
    email_address text,
    full_name text,
    city text,
    visits integer,
    newsletter boolean,  -- null: was never asked
    wants_offers boolean,
    notes text,  -- nobody else's business
    deleted_at timestamptz,  -- rows are never really deleted, or nobody would notice
    changed_at timestamptz NOT NULL DEFAULT now()
);

-- Each run asks for what changed since the last one.
CREATE INDEX ON crm.customers (changed_at);

-- Whatever changes, moves changed_at.
CREATE FUNCTION crm.changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.changed_at := now();
    RETURN NEW;
END $$;

CREATE TRIGGER changed BEFORE UPDATE ON crm.customers FOR EACH ROW EXECUTE FUNCTION crm.changed();

INSERT INTO crm.customers (id, email_address, full_name, city, visits, newsletter, wants_offers, notes, changed_at)
SELECT
    n,
    CASE n WHEN 11 THEN 'ask at reception' WHEN 12 THEN NULL ELSE 'customer' || n || '@example.com' END,
    'Customer ' || n,
    (ARRAY['Lyon', 'Porto', 'Graz', 'Bergen', 'Turku'])[1 + n % 5],
    n % 7,
    CASE WHEN n IN (21, 22, 23) THEN false WHEN n <> 24 THEN true END,
    n % 2 = 0,
    'private',
    timestamptz '2026-01-01 00:00:00Z' + n * interval '1 minute'
FROM generate_series(1, 60) AS n;
