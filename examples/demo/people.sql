-- A CRM's table of people, made from contacts that were extracted; with the faults that such tables have.

CREATE SCHEMA crm;

CREATE TABLE crm.people AS
SELECT
    row_number() OVER (ORDER BY id) AS id,
    email,
    name,
    properties ->> 'city' AS city,
    properties ->> 'visits' AS visits,
    properties::jsonb - 'city' - 'visits' AS properties,
    'subscribed' AS subscription_status,
    timestamp '2026-01-01' + row_number() OVER (ORDER BY id) * interval '1 minute' AS updated_at
FROM mailing.mailjet_contacts
-- Where a contact has no properties, target-postgres has written JSON's null, not SQL's.
WHERE subscription_status = 'unknown' AND jsonb_typeof(properties::jsonb) = 'object'
ORDER BY id
LIMIT {people};

ALTER TABLE crm.people ADD PRIMARY KEY (id);

-- No address at all, a word where Mailjet has a whole number, a property that Mailjet does not have.
UPDATE crm.people SET email = 'ask at reception' WHERE id = 101;
UPDATE crm.people SET visits = 'often' WHERE id = 102;
UPDATE crm.people SET properties = properties || '{{"favourite_colour": "green"}}' WHERE id = 103;

-- People who opted out here.
UPDATE crm.people SET subscription_status = 'unsubscribed' WHERE id BETWEEN 201 AND 220;

-- The last person twice, the second time with a newer city.
INSERT INTO crm.people
SELECT id + 1, upper(email), name, 'Porto', visits, properties, subscription_status, updated_at + interval '1 minute'
FROM crm.people
WHERE id = {people};
