-- What is delivered where: a row for each list. The example's data are invented: one CRM, eight views of it.

CREATE TABLE pipelines (
    account text NOT NULL,  -- a name in accounts.json
    list text NOT NULL,     -- as in the target's setting `list`
    view text NOT NULL,     -- of the schema crm, with the columns in catalog.json
    state jsonb,            -- the bookmark: the STATE that the target wrote last
    PRIMARY KEY (account, list, view)
);

CREATE SCHEMA crm;

CREATE TABLE crm.people (
    id bigint PRIMARY KEY,
    city text NOT NULL,
    email text,
    name text,
    newsletter boolean,  -- null: was never asked
    changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON crm.people (city, changed_at);

INSERT INTO crm.people
SELECT
    n,
    (ARRAY['bergen', 'graz', 'lyon', 'porto', 'tallinn', 'turin', 'turku', 'vigo'])[1 + n % 8],
    CASE WHEN n % 97 = 0 THEN 'ask at reception' ELSE 'person' || n || '@example.com' END,
    'Person ' || n,
    CASE WHEN n % 53 = 0 THEN false WHEN n % 59 <> 0 THEN true END,
    timestamptz '2026-01-01 00:00:00Z' + n * interval '1 second'
FROM generate_series(1, 4000) AS n;

-- A view for each list, its columns named as the target reads them. Rows appear five minutes after their change: by then
-- others have been committed that were changed before, and no bookmark passes them.
DO $$
DECLARE place text;
BEGIN
    FOR place IN SELECT DISTINCT city FROM crm.people LOOP
        EXECUTE format($view$
            CREATE VIEW crm.%I AS
            SELECT
                id, email, name,
                CASE WHEN newsletter THEN 'subscribed' WHEN newsletter IS NULL THEN 'pending' ELSE 'unsubscribed' END
                    AS subscription_status,
                changed_at
            FROM crm.people WHERE city = %L AND changed_at < now() - interval '5 minutes'
        $view$, place, place);
    END LOOP;
END $$;

INSERT INTO pipelines (account, list, view)
SELECT CASE WHEN city < 'q' THEN 'north' ELSE 'south' END, 'Readers in ' || initcap(city), city
FROM (SELECT DISTINCT city FROM crm.people) AS cities;
