-- Takes over what was read into the schema opt_outs_read. All of it or, after a failure, nothing.
BEGIN;
SET LOCAL search_path TO opt_outs, opt_outs_read;
SET LOCAL timezone TO 'UTC';
LOCK TABLE register IN SHARE ROW EXCLUSIVE MODE;
-- The tables are new, and nobody has counted their rows yet.
ANALYZE mailjet_contacts, mailjet_list_members, mpdx_contacts, mpdx_people;

-- People with a household that wants no newsletter.
CREATE TEMPORARY TABLE declined ON COMMIT DROP AS
SELECT DISTINCT households_of.account, households_of.id
FROM (SELECT account, id, unnest(contact_ids) AS household FROM mpdx_people) AS households_of
JOIN mpdx_contacts AS h ON (h.account, h.id) = (households_of.account, households_of.household)
WHERE h.send_newsletter = 'None';

CREATE TEMPORARY TABLE reported (place, source, kind, reason, email, opted_out_at, may_come_back) ON COMMIT DROP AS
-- Mailjet: any list counts. What was sent there can come back from one list only.
SELECT
    'mailjet' AS place, 'mailjet' AS source, 'opt_out' AS kind,
    'unsubscribed from ' || coalesce(m.list_name, 'a list') AS reason, c.email,
    m.unsubscribed_at::timestamptz AS opted_out_at, coalesce(m.list_name = mailjet_list, true) AS may_come_back
FROM mailjet_list_members m JOIN mailjet_contacts c ON (c.account, c.id) = (m.account, m.contact_id) CROSS JOIN choices
WHERE m.is_unsubscribed
UNION ALL
SELECT
    'mailjet', 'mailjet', 'opt_out', 'excluded from campaigns', email,
    exclusion_from_campaigns_updated_at::timestamptz, false
FROM mailjet_contacts WHERE is_excluded_from_campaigns
UNION ALL
SELECT 'mailjet', 'mailjet', 'complaint', 'spam complaint', email, NULL::timestamptz, false
FROM mailjet_contacts WHERE is_spam_complaining
UNION ALL
-- Amazon SES: an opt-out of some topics is none of everything.
SELECT 'ses_contacts', 'ses', 'opt_out', 'unsubscribed from ' || list_id, email, updated_at::timestamptz, true
FROM ses_contacts WHERE subscription_status = 'unsubscribed'
UNION ALL
SELECT
    'ses_suppressions', 'ses', CASE reason WHEN 'BOUNCE' THEN 'bounce' ELSE 'complaint' END,
    lower(coalesce(reason, 'suppressed')), email, updated_at::timestamptz, reason <> 'BOUNCE'
FROM ses_suppressions
UNION ALL
-- MPDX: a person opts out with all of their addresses.
SELECT 'mpdx', 'mpdx', 'opt_out', reason, spelling, NULL::timestamptz, false
FROM (
    SELECT
        email, email_addresses,
        CASE
            WHEN optout_enewsletter THEN 'opted out of the newsletter'
            WHEN subscription_status = 'excluded' AND (account, id) IN (SELECT account, id FROM declined)
            THEN 'household wants no newsletter'
        END AS reason
    FROM mpdx_people
) AS p
CROSS JOIN LATERAL (
    SELECT p.email AS spelling
    UNION SELECT one ->> 'email' FROM unnest(p.email_addresses) AS one
) AS spellings
WHERE reason IS NOT NULL;

-- What a place reports because it was sent there is nothing new.
WITH recorded AS (
    INSERT INTO register (address, source, kind, reason, email, opted_out_at)
    SELECT address(email), source, kind, min(reason), min(email), min(opted_out_at)
    FROM reported
    WHERE address(email) IS NOT NULL
    AND NOT (may_come_back AND EXISTS (
        SELECT FROM sent WHERE sent.place = reported.place AND sent.address = address(email)
    ))
    GROUP BY 1, 2, 3
    ON CONFLICT DO NOTHING
    RETURNING source, kind
)
SELECT 'New: ' || count(*) || ' ' || source || ' ' || kind FROM recorded GROUP BY source, kind ORDER BY source, kind;

SELECT 'Unclear address: ' || count(*) || ' ' || source
FROM reported WHERE email ~ '\S' AND address(email) IS NULL
GROUP BY source ORDER BY source;

DELETE FROM held;
INSERT INTO held
SELECT 'mailjet', address(c.email)
FROM mailjet_list_members m JOIN mailjet_contacts c ON (c.account, c.id) = (m.account, m.contact_id) CROSS JOIN choices
WHERE m.is_unsubscribed AND m.list_name = mailjet_list AND address(c.email) IS NOT NULL
UNION
SELECT 'mailjet', address(email) FROM mailjet_contacts WHERE is_excluded_from_campaigns AND address(email) IS NOT NULL
UNION
SELECT place, address(email) FROM reported WHERE source = 'ses' AND address(email) IS NOT NULL;

DELETE FROM households;
INSERT INTO households
SELECT
    account, id, name, company, address_line1, address_line2, address_city, address_region, address_postal_code,
    address_country, send_newsletter, coalesce(addresses, '{}')
FROM mpdx_contacts
LEFT JOIN (
    SELECT account, household AS id, array_agg(DISTINCT address(one ->> 'email')) AS addresses
    FROM mpdx_people CROSS JOIN unnest(contact_ids) AS household CROSS JOIN unnest(email_addresses) AS one
    WHERE address(one ->> 'email') IS NOT NULL
    GROUP BY account, household
) AS people USING (account, id);

-- Noted before it is sent, so that it counts also after a kill; only a delivery sends.
INSERT INTO sent
SELECT * FROM (
    SELECT 'mailjet', id FROM to_mailjet
    UNION SELECT 'ses_contacts', id FROM to_ses_contacts
    UNION SELECT 'ses_suppressions', id FROM to_ses_suppressions
) AS sending
WHERE coalesce(current_setting('opt_outs.mode', true), 'deliver') = 'deliver'
ON CONFLICT DO NOTHING;
COMMIT;
