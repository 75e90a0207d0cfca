-- The tables and views of the example; run it once. What they hold stays from cycle to cycle.
BEGIN;
CREATE SCHEMA opt_outs;
SET LOCAL search_path TO opt_outs;

-- What you decide; README.md explains each choice.
CREATE TABLE choices (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    mailjet_list text NOT NULL DEFAULT 'Customers',  -- as in mailjet.json
    bounces_to_mailjet boolean NOT NULL DEFAULT true,
    letters_follow_email boolean NOT NULL DEFAULT false
);
INSERT INTO choices DEFAULT VALUES;

-- The labels of a domain in Punycode (RFC 3492).
CREATE FUNCTION punycode(label text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
    codes int[] := ARRAY(SELECT ascii(letter) FROM regexp_split_to_table(label, '') AS letter);
    encoded text := regexp_replace(label, '[^\x01-\x7f]', '', 'g');
    basic bigint := length(encoded);
    handled bigint := basic;
    least bigint := 128;
    delta bigint := 0;
    bias bigint := 72;
    next_code int;
    code int;
    rest bigint;
    base bigint;
    threshold bigint;
    digit bigint;
BEGIN
    IF label !~ '[^\x01-\x7f]' THEN
        RETURN label;
    END IF;
    IF basic > 0 THEN
        encoded := encoded || '-';
    END IF;
    WHILE handled < cardinality(codes) LOOP
        SELECT min(one) INTO next_code FROM unnest(codes) AS one WHERE one >= least;
        delta := delta + (next_code - least) * (handled + 1);
        least := next_code;
        FOREACH code IN ARRAY codes LOOP
            IF code < least THEN
                delta := delta + 1;
            ELSIF code = least THEN
                rest := delta;
                base := 36;
                LOOP
                    threshold := least(greatest(base - bias, 1), 26);
                    digit := CASE WHEN rest < threshold THEN rest
                             ELSE threshold + (rest - threshold) % (36 - threshold) END;
                    encoded := encoded || chr((CASE WHEN digit < 26 THEN 97 ELSE 22 END + digit)::int);
                    EXIT WHEN rest < threshold;
                    rest := (rest - threshold) / (36 - threshold);
                    base := base + 36;
                END LOOP;
                rest := CASE WHEN handled = basic THEN delta / 700 ELSE delta / 2 END;
                rest := rest + rest / (handled + 1);
                bias := 0;
                WHILE rest > 455 LOOP
                    rest := rest / 35;
                    bias := bias + 36;
                END LOOP;
                bias := bias + 36 * rest / (rest + 38);
                delta := 0;
                handled := handled + 1;
            END IF;
        END LOOP;
        delta := delta + 1;
        least := least + 1;
    END LOOP;
    RETURN 'xn--' || encoded;
END $$;

-- One form for all spellings of an address, as target-mailing compares them. Null if it is unclear which one is meant.
CREATE FUNCTION address(spelling text) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$
    WITH bare AS (
        -- Without hidden characters, a name before <...>, mailto:, and quotes and brackets around it.
        SELECT lower(normalize(regexp_replace(regexp_replace(
            regexp_replace(
                replace(spelling, E'\u0130', E'i\u0307'),
                '[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]', '', 'g'
            ),
            '^.*<([^<>]*@[^<>]*)>.*$', '\1'),
            '^[\s"''<(\[]*(mailto:)?[\s"''<(\[]*|[\s"''>)\].]*$', '', 'gi'), NFKC)) AS text
    ), found AS (
        SELECT text FROM bare WHERE text ~ '^[^\s@,;()<>"]+@[^\s@,;()<>"]+$'
        UNION ALL
        -- The one address in `ada@example.com (Ada)`, or in `ada@example.com;`.
        SELECT min(part[1])
        FROM bare CROSS JOIN regexp_matches(text, '[^\s@,;:()<>"]+@[^\s@,;:()<>"]+', 'g') AS part
        WHERE text !~ '^[^\s@,;()<>"]+@[^\s@,;()<>"]+$' AND text !~ '@.*@'
    )
    SELECT split_part(text, '@', 1) || '@' || (
        SELECT string_agg(opt_outs.punycode(label), '.' ORDER BY place)
        FROM regexp_split_to_table(rtrim(translate(split_part(text, '@', 2), E'\u3002', '.'), '.'), '\.')
            WITH ORDINALITY AS labels (label, place)
    )
    FROM found WHERE length(text) BETWEEN 3 AND 320
$$;

-- Who opted out: a row for each address, source and kind. Rows are only ever added; `lift` takes them out by hand.
CREATE TABLE register (
    address text NOT NULL,
    source text NOT NULL,   -- mailjet, ses, mpdx
    kind text NOT NULL,     -- opt_out, complaint, bounce
    reason text NOT NULL,
    email text NOT NULL,    -- as the source spells it
    opted_out_at timestamptz,  -- as the source says; null if it does not
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (address, source, kind)
);

-- What each place holds, as of the last reading; replaced by each cycle.
CREATE TABLE held (place text NOT NULL, address text NOT NULL, PRIMARY KEY (place, address));
CREATE TABLE households (
    account text NOT NULL,
    id text NOT NULL,
    name text,
    company text,
    address_line1 text,
    address_line2 text,
    address_city text,
    address_region text,
    address_postal_code text,
    address_country text,
    send_newsletter text,
    addresses text[] NOT NULL,  -- e-mail addresses of its people
    PRIMARY KEY (account, id)
);

-- What went out to a place, so that it is not taken for the person's own act when it comes back.
CREATE TABLE sent (place text NOT NULL, address text NOT NULL, PRIMARY KEY (place, address));

-- One row a person: where and why they opted out first, and everywhere else that they did.
CREATE VIEW people AS
SELECT DISTINCT ON (address)
    address, email, source, kind, reason, opted_out_at, recorded_at,
    array_agg(source || ': ' || reason) OVER (PARTITION BY address) AS every_reason
FROM register
ORDER BY address, recorded_at, opted_out_at NULLS LAST, source, kind;

-- What goes out: whatever the place does not hold already, so never what came from there.
CREATE VIEW to_mailjet AS
SELECT DISTINCT ON (address) address AS id, email, 'unsubscribed' AS subscription_status
FROM register CROSS JOIN choices
WHERE (kind <> 'bounce' OR bounces_to_mailjet)
AND NOT EXISTS (SELECT FROM held WHERE place = 'mailjet' AND held.address = register.address)
ORDER BY address, recorded_at;

-- A bounce is nobody's will, and a complaint at Amazon SES is on its suppression list: neither is an opt-out here.
CREATE VIEW to_ses_contacts AS
SELECT DISTINCT ON (address) address AS id, email, 'unsubscribed' AS subscription_status
FROM register
WHERE (kind = 'opt_out' OR kind = 'complaint' AND source <> 'ses')
AND NOT EXISTS (SELECT FROM held WHERE place = 'ses_contacts' AND held.address = register.address)
ORDER BY address, recorded_at;

-- The suppression list stops all mail of the account, receipts too: it gets complaints only.
CREATE VIEW to_ses_suppressions AS
SELECT DISTINCT ON (address) address AS id, email, 'COMPLAINT' AS reason
FROM register
WHERE kind = 'complaint' AND source <> 'ses'
AND NOT EXISTS (SELECT FROM held WHERE place = 'ses_suppressions' AND held.address = register.address)
ORDER BY address, recorded_at;

-- Households that want no letters. PostGrid holds no opt-outs: the target's journal knows who has left.
CREATE VIEW to_postgrid AS
SELECT
    account, id, name, company, address_line1, address_line2, address_city, address_region, address_postal_code,
    address_country, 'unsubscribed' AS subscription_status
FROM households CROSS JOIN choices
WHERE send_newsletter IN ('None', 'Email')
OR letters_follow_email
AND EXISTS (SELECT FROM register WHERE kind <> 'bounce' AND register.address = ANY (households.addresses));

-- For the table only: a provider that still holds the opt-out reports it again.
CREATE FUNCTION lift(spelling text) RETURNS void LANGUAGE sql AS $$
    DELETE FROM opt_outs.register WHERE address = opt_outs.address(spelling);
    DELETE FROM opt_outs.sent WHERE address = opt_outs.address(spelling);
$$;
COMMIT;
