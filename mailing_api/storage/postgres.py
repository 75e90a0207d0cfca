"""PostgreSQL as a place to keep something: its URL, its locks, and whether what is there is our own.

Nothing of a URL is shown but host and database, and these only where they cannot be a piece of a password.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

__all__ = [
    "CONNECTION", "ENCODING_PROBLEM", "FOREIGN_OBJECTS", "HOLDER_OF_LOCK", "LOCK_PATIENCE", "failure", "is_database",
    "named", "problem_of",
]  # fmt: skip

#: Seconds to wait for a lock: the server learns a moment late that a killed holder is gone.
LOCK_PATIENCE: Final = 5.0
#: libpq's options: texts are UTF-8, whatever PGCLIENTENCODING and the server say; and a worker that is gone without a
#: word is noticed, and its locks are free, within a minute.
CONNECTION: Final[dict[str, Any]] = {
    "client_encoding": "utf8",
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}
#: Why a database cannot hold every text; no row: it can.
ENCODING_PROBLEM: Final = """
SELECT 'has the encoding ' || pg_catalog.pg_encoding_to_char(encoding) || ', which lacks characters that addresses and '
'names have. Give a database with the encoding UTF8'
FROM pg_catalog.pg_database
WHERE datname = pg_catalog.current_database() AND pg_catalog.pg_encoding_to_char(encoding) NOT IN ('UTF8', 'SQL_ASCII')
"""
#: Who holds the advisory lock of a text's hash; to be formatted with the sign of the text's parameter.
HOLDER_OF_LOCK: Final = (
    "SELECT application_name FROM pg_catalog.pg_locks JOIN pg_catalog.pg_stat_activity USING (pid) "
    "WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND pg_locks.database = "
    "(SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) "
    "AND (classid::bigint << 32 | objid::bigint) = pg_catalog.hashtextextended({}, 0)"
)
#: What in a schema is not the role's own, or would make its statements do something else: a trigger, a rule, a policy.
#: To be formatted with the sign of the schema's parameter. No row: everything is ours.
FOREIGN_OBJECTS: Final = """
WITH ours AS (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user),
     place AS (SELECT oid, nspowner FROM pg_catalog.pg_namespace WHERE nspname = {0})
SELECT 'the schema itself' FROM place WHERE nspowner NOT IN (SELECT oid FROM ours)
UNION ALL
SELECT 'a table, view or sequence' FROM pg_catalog.pg_class JOIN place ON relnamespace = place.oid
WHERE relowner NOT IN (SELECT oid FROM ours)
UNION ALL
SELECT 'a view or foreign table' FROM pg_catalog.pg_class JOIN place ON relnamespace = place.oid
WHERE relkind IN ('v', 'm', 'f')
UNION ALL
SELECT 'a function' FROM pg_catalog.pg_proc JOIN place ON pronamespace = place.oid
WHERE proowner NOT IN (SELECT oid FROM ours)
UNION ALL
SELECT 'an operator' FROM pg_catalog.pg_operator JOIN place ON oprnamespace = place.oid
WHERE oprowner NOT IN (SELECT oid FROM ours)
UNION ALL
SELECT 'a type' FROM pg_catalog.pg_type JOIN place ON typnamespace = place.oid
WHERE typowner NOT IN (SELECT oid FROM ours)
UNION ALL
SELECT 'a trigger' FROM pg_catalog.pg_trigger JOIN pg_catalog.pg_class AS of ON tgrelid = of.oid
JOIN place ON of.relnamespace = place.oid WHERE NOT tgisinternal
UNION ALL
SELECT 'a rule' FROM pg_catalog.pg_rewrite JOIN pg_catalog.pg_class AS of ON ev_class = of.oid
JOIN place ON of.relnamespace = place.oid
UNION ALL
SELECT 'a row security policy' FROM pg_catalog.pg_policy JOIN pg_catalog.pg_class AS of ON polrelid = of.oid
JOIN place ON of.relnamespace = place.oid
LIMIT 1
"""

_SCHEME: Final = r"postgres(?:ql)?(?:\+psycopg)?"
#: What is a URL of ours without doubt: whatever is special in a password is percent-encoded, and one `@` ends it.
_URL: Final = re.compile(
    rf"{_SCHEME}://"
    r"(?:(?P<user>(?:[^\s@/?#\[\]:%]|%[0-9a-f]{2})*)(?P<password>:(?:[^\s@/?#\[\]%]|%[0-9a-f]{2})*)?@)?"
    r"(?P<host>(?:[a-z0-9._-]|%2f)*|\[[0-9a-f:.]+\])(?::\d{1,5})?(?:,[a-z0-9._-]+(?::\d{1,5})?)*"
    r"(?:/(?P<database>(?:[a-z0-9_.$-]|%[0-9a-f]{2})*))?"
    r"(?:\?(?:[a-z_]+=(?:[^\s@#?&%]|%[0-9a-f]{2})*(?:&|$))*)?",
    re.IGNORECASE,
)
#: libpq's other form, `host=… password=…`, at any place.
_KEY_VALUE: Final = re.compile(
    r"(?:^|\s)(?:host|hostaddr|port|dbname|user|password|passfile|service|sslmode|options)\s*=", re.IGNORECASE
)
_SHOWN: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")


def is_database(place: str) -> bool:
    """Whether a text is meant for a database and is no file's name, however it is written."""
    return bool(
        "://" in place
        or re.match(rf"\s*(?:jdbc:)?{_SCHEME}:", place, re.IGNORECASE)
        or _KEY_VALUE.search(place)
        # No file's name: somebody left out the scheme before user, password and host.
        or re.match(r"[^/\s:@]+:[^/\s].*@[\w.\[\]-]*(?::\d+)?(?:/.*)?$", place)
        or re.match(r"//[^/\s]*@", place)
    )


def problem_of(url: str) -> str | None:
    """What is wrong with a database's URL, and how to write it, without a word of it; None for nothing."""
    if _URL.fullmatch(url):
        return None
    form = "write postgresql://user:password@host/database"
    if not re.match(rf"\s*(?:jdbc:)?{_SCHEME}:", url, re.IGNORECASE):
        if _KEY_VALUE.search(url):
            return f"is in libpq's form of keys and values; {form}"
        return f"is no URL of PostgreSQL; {form}"
    return (
        f"is no URL that can be read; {form}, special characters of the password percent-encoded (@ is %40, / is %2F, "
        "? is %3F, # is %23, % is %25, a space is %20), or leave the password to PGPASSWORD"
    )


def named(url: str, environ: Mapping[str, str]) -> str:
    """Host and database of a URL without problem, for messages and logs; what is left out, libpq takes from PGHOST."""
    found = _URL.fullmatch(url)
    host, database = (found["host"] or "", found["database"] or "") if found else ("", "")
    parts = [host or environ.get("PGHOST", ""), database or environ.get("PGDATABASE", "")]
    return "PostgreSQL " + "/".join(part if _SHOWN.fullmatch(part) else "" for part in parts)


def failure(error: BaseException) -> str:
    """Words for an error of the driver; its own may quote addresses, values and passwords."""
    error = getattr(error, "orig", error)
    code = getattr(error, "sqlstate", None) or ""
    if not code and type(error).__name__ == "DataError":
        return "it cannot keep a value, most often a NUL character in the name of a stream"
    return _FAILURES.get(code) or (f"SQLSTATE {code}" if re.fullmatch(r"[0-9A-Z]{5}", code) else _LOST)


_LOST: Final = (
    "check that the server can be reached, and user, password and database in the URL or in PGPASSWORD and the like"
)
_CHANGED: Final = "its tables were changed or dropped by something else"
_FAILURES: Final = {
    "08006": "the connection was lost",
    "23502": _CHANGED,
    "25006": "the server is read-only",
    "28000": "the server refuses this user",
    "28P01": "the server refuses this user or password",
    "3D000": "there is no such database",
    "3F000": _CHANGED,
    "42501": "the user lacks a permission; it needs a schema of its own, or the right to make one",
    "42703": _CHANGED,
    "42P01": _CHANGED,
    "53100": "the server's disk is full",
    "53300": "the server has too many connections",
    "57014": "a statement took longer than the server allows (statement_timeout)",
    "57P01": "the connection was ended by an administrator",
}
