-- Whom a mirror keeps on a list. Each row has the number of all rows, which proves that all of them came.

CREATE OR REPLACE VIEW crm.members AS
SELECT id, email, name, city, count(*) OVER () AS total
FROM crm.people
WHERE id BETWEEN 341 AND 340 + {members};
