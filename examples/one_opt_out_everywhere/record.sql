-- Takes over what was read into the schema opt_outs_read. All of it or, after a failure, nothing.
BEGIN;
SET LOCAL search_path TO opt_outs, opt_outs_read;
SET LOCAL timezone TO 'UTC';
LOCK TABLE register IN SHARE ROW EXCLUSIVE MODE;

CREATE TEMPORARY TABLE reported ON COMMIT DROP AS
-- Mailjet: any list counts.
SELECT
    'mailjet' AS place, 'mailjet' AS source, 'opt_out' AS kind,
    'unsubscribed from ' || coalesce(m.list_name, 'a list') AS reason, c.email,
    m.unsubscribed_at::timestamptz AS opted_out_at
FROM mailjet_list_members m JOIN mailjet_contacts c ON (c.account, c.id) = (m.account, m.contact_id)
WHERE m.is_unsubscribed
UNION ALL
SELECT 'mailjet', 'mailjet', 'opt_out', 'excluded from campaigns', email, exclusion_from_campaigns_updated_at::timestamptz
FROM mailjet_contacts WHERE is_excluded_from_campaigns
UNION ALL
SELECT 'mailjet', 'mailjet', 'complaint', 'spam complaint', email, NULL
FROM mailjet_contacts WHERE is_spam_complaining
UNION ALL
-- Amazon SES: an opt-out of some topics is none of everything.
SELECT 'ses_contacts', 'ses', 'opt_out', 'unsubscribed from ' || list_id, email, updated_at::timestamptz
FROM ses_contacts WHERE subscription_status = 'unsubscribed'
UNION ALL
SELECT
    'ses_suppressions', 'ses', CASE reason WHEN 'BOUNCE' THEN 'bounce' ELSE 'complaint' END,
    lower(coalesce(reason, 'suppressed')), email, updated_at::timestamptz
FROM ses_suppressions
UNION ALL
-- MPDX: a person opts out with all of their addresses.
SELECT 'mpdx', 'mpdx', 'opt_out', reason, spelling, NULL
FROM (
    SELECT
        email, email_addresses,
        CASE
            WHEN optout_enewsletter THEN 'opted out of the newsletter'
            WHEN subscription_status = 'excluded' AND EXISTS (
                SELECT FROM mpdx_contacts h
                WHERE h.account = p.account AND h.send_newsletter = 'None' AND h.id = ANY (p.contact_ids)
            ) THEN 'household wants no newsletter'
        END AS reason
    FROM mpdx_people p
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
    AND NOT EXISTS (
        SELECT FROM sent
        WHERE sent.place = reported.place AND sent.address = address(email)
        AND kind = CASE place WHEN 'ses_suppressions' THEN 'complaint' ELSE 'opt_out' END
    )
    GROUP BY 1, 2, 3
    ON CONFLICT DO NOTHING
    RETURNING source, kind
)
SELECT 'New: ' || count(*) || ' ' || source || ' ' || kind FROM recorded GROUP BY source, kind ORDER BY source, kind;

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
    address_country, send_newsletter,
    ARRAY(
        SELECT DISTINCT address(one ->> 'email')
        FROM mpdx_people p CROSS JOIN unnest(p.email_addresses) AS one
        WHERE p.account = h.account AND h.id = ANY (p.contact_ids) AND address(one ->> 'email') IS NOT NULL
    )
FROM mpdx_contacts h;

INSERT INTO sent
SELECT 'mailjet', id FROM to_mailjet
UNION SELECT 'ses_contacts', id FROM to_ses_contacts
UNION SELECT 'ses_suppressions', id FROM to_ses_suppressions
ON CONFLICT DO NOTHING;
COMMIT;
