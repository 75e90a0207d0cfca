"""Storage in PostgreSQL: its URL, its locks, and the check that a schema is our own.

Of a URL only host and database are shown, and only if they cannot be a part of a password.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

__all__ = [
    "LOCK_PATIENCE", "READ_ONLY", "OwnSchema", "Run", "connection_options", "failure", "for_libpq", "holder_of",
    "is_database", "is_statement_mode", "named", "problem_of",
]  # fmt: skip

#: Runs a statement with parameters, each as `%s`, by any driver; returns the rows.
Run = Callable[..., Sequence[Sequence[Any]]]

#: Seconds to wait for a lock: the server notices a killed holder with a delay.
LOCK_PATIENCE: Final = 5.0
#: libpq's options: UTF-8, whatever PGCLIENTENCODING and the server say; and keepalives, by which the server notices a
#: lost client, and releases its locks, within a minute.
_CONNECTION: Final[dict[str, Any]] = {
    "client_encoding": "utf8",
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}
#: Why a database cannot hold every string; no row if it can.
_ENCODING_PROBLEM: Final = """
SELECT 'has the encoding ' || pg_catalog.pg_encoding_to_char(encoding) || ', which lacks characters that addresses and '
'names have. Use a database with the encoding UTF8'
FROM pg_catalog.pg_database
WHERE datname = pg_catalog.current_database() AND pg_catalog.pg_encoding_to_char(encoding) NOT IN ('UTF8', 'SQL_ASCII')
"""
#: A session in which names lead to PostgreSQL's own objects, that gives numbers in full, and that the server does not
#: end while a run waits for its provider, whatever the settings of the role say. Early versions know no such end.
_BEGIN: Final = """
SELECT pg_catalog.set_config(name, value, false)
FROM (VALUES ('search_path', ''), ('extra_float_digits', '1'), ('idle_session_timeout', '0')) AS own (name, value)
WHERE name IN (SELECT name FROM pg_catalog.pg_settings)
"""
#: The holder of the advisory lock of a string's hash.
_HOLDER_OF_LOCK: Final = (
    "SELECT application_name FROM pg_catalog.pg_locks JOIN pg_catalog.pg_stat_activity USING (pid) "
    "WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND pg_locks.database = "
    "(SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) "
    "AND (classid::bigint << 32 | objid::bigint) = pg_catalog.hashtextextended(%s, 0)"
)
#: Objects in a schema that the role does not own, or that change the effect of its statements: triggers, rules,
#: policies. No row if there are none.
_FOREIGN_OBJECTS: Final = """
WITH ours AS (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user),
     place AS (SELECT oid, nspowner FROM pg_catalog.pg_namespace WHERE nspname = %s)
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
#: An unambiguous URL: special characters in a password are percent-encoded, and one `@` ends it.
_URL: Final = re.compile(
    rf"{_SCHEME}://"
    r"(?:(?P<user>(?:[^\s@/?#\[\]:%]|%[0-9a-f]{2})*)(?P<password>:(?:[^\s@/?#\[\]%]|%[0-9a-f]{2})*)?@)?"
    r"(?P<host>(?:[a-z0-9._-]|%2f)*|\[[0-9a-f:.]+\])(?::\d{1,5})?(?:,[a-z0-9._-]+(?::\d{1,5})?)*"
    r"(?:/(?P<database>(?:[a-z0-9_.$-]|%[0-9a-f]{2})*))?"
    r"(?:\?(?:[a-z_]+=(?:[^\s@#?&%]|%[0-9a-f]{2})*(?:&|$))*)?",
    re.IGNORECASE,
)
#: libpq's other form, `host=… password=…`, anywhere in a string.
_KEY_VALUE: Final = re.compile(
    r"(?:^|\s)(?:host|hostaddr|port|dbname|user|password|passfile|service|sslmode|options)\s*=", re.IGNORECASE
)
_SHOWN: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")


class OwnSchema:
    """A schema of a database that belongs to a plugin.

    Attributes:
        name: for messages and logs; holds no password.
        driver_error: the base class of the driver's exceptions.
    """

    def __init__(
        self, url: str, schema: str, *, setting: str, member: str = "", content: str, error: Callable[[str], Exception]
    ) -> None:
        """Name the schema; no connection is made.

        Args:
            url: in libpq's form: `postgresql://user:password@host/database`; missing parts come from libpq's
                environment variables, such as PGPASSWORD.
            schema: its name.
            setting: the setting that has the URL.
            member: the member of the setting, if it is an object.
            content: the noun for the content, for messages.
            error: makes the exception to raise from a message.

        Raises:
            Exception: `error`: it is not a URL, or psycopg is not installed.
        """
        if problem := problem_of(url):
            subject = f"`{setting}`: `{member}`" if member else f"`{setting}`"
            raise error(f"Setting {subject} {problem}.")
        try:
            import psycopg  # noqa: PLC0415 - an extra, and slow to import
        except ImportError:
            raise error(
                f"Setting `{setting}`: a {content} in PostgreSQL needs the package psycopg: install this project with "
                "its extra `postgresql`."
            ) from None
        self.driver_error: type[Exception] = psycopg.Error
        self._schema = schema
        self._setting = setting
        self._content = content
        self._error = error
        self.name = f"{named(url, os.environ)}, schema {schema}"

    def check(self, run: Run) -> None:
        """Check that the database can hold every string.

        Raises:
            Exception: `error`: it cannot.
        """
        if problem := run(_ENCODING_PROBLEM):
            raise self._error(f"Setting `{self._setting}`: the database of {self.name} {problem[0][0]}.")

    def begin(self, run: Run) -> None:
        """Begin a session in which names lead to PostgreSQL's own objects, and settings of the role do no harm.

        Raises:
            Exception: `error`: the database cannot hold every string.
        """
        run(_BEGIN)
        self.check(run)

    def is_there(self, run: Run) -> bool:
        """Return whether the schema exists."""
        return bool(run("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = %s", self._schema))

    def enter(self, run: Run) -> bool:
        """Use the schema from now on; return whether it was created. Two runs must not do this at the same time.

        Raises:
            Exception: `error`: it holds objects that this role does not own.
        """
        is_new = self.make(run)
        run(f'SET search_path TO "{self._schema}", pg_temp')
        run("SET synchronous_commit TO on")  # committed rows survive a crash of the server
        return is_new

    def make(self, run: Run) -> bool:
        """Make the schema if there is none; return whether it was made. Nothing of the session changes.

        Raises:
            Exception: `error`: it holds objects that this role does not own.
        """
        is_new = not self.is_there(run)
        if is_new:
            run(f'CREATE SCHEMA IF NOT EXISTS "{self._schema}"')
        if foreign := run(_FOREIGN_OBJECTS, self._schema):
            raise self._error(
                f"Setting `{self._setting}`: in {self.name}, {foreign[0][0]} does not belong to this role, so it may "
                f"do more than keep a {self._content}. Find out who made it. A schema that was made beforehand must "
                "belong to the role: CREATE SCHEMA ... AUTHORIZATION."
            )
        return is_new


def connection_options() -> dict[str, Any]:
    """Return the options of a connection; its name lets other runs report who holds a lock."""
    from mailing_api.storage.locks import who_we_are  # noqa: PLC0415 - loads filelock, which few runs of the tap need

    return {"application_name": who_we_are()[:63], **_CONNECTION}


def holder_of(run: Run, text: str) -> str | None:
    """Return who holds the advisory lock of a string; None if nobody does."""
    holder = run(_HOLDER_OF_LOCK, text)
    return str(holder[0][0] or "another session") if holder else None


def is_database(place: str) -> bool:
    """Return whether a string is meant as a database's URL, even a wrong one, and not as a file's name."""
    return bool(
        "://" in place
        or re.match(rf"\s*(?:jdbc:)?{_SCHEME}:", place, re.IGNORECASE)
        or _KEY_VALUE.search(place)
        # Not a file's name: user, password and host without the scheme.
        or re.match(r"[^/\s:@]+:[^/\s].*@[\w.\[\]-]*(?::\d+)?(?:/.*)?$", place)
        or re.match(r"//[^/\s]*@", place)
    )


def problem_of(url: str) -> str | None:
    """Return what is wrong with a database's URL, and how to write it, without quoting it; None if it is valid."""
    if _URL.fullmatch(url):
        return None
    form = "write postgresql://host/database, with user:password@ before the host,"
    if not re.match(rf"\s*(?:jdbc:)?{_SCHEME}:", url, re.IGNORECASE):
        if _KEY_VALUE.search(url):
            return f"is in libpq's form of keys and values; {form.rstrip(',')}"
        return f"is not a URL of PostgreSQL; {form.rstrip(',')}"
    return (
        f"is not a valid URL; {form} with special characters of the password percent-encoded (@ is %40, / is %2F, ? is "
        "%3F, # is %23, % is %25, a space is %20), or set the password in PGPASSWORD"
    )


def for_libpq(url: str) -> str:
    """Return a valid URL as libpq reads it, which knows two schemes, in lower case only."""
    return re.sub(rf"^{_SCHEME}:", "postgresql:", url, flags=re.IGNORECASE)


def named(url: str, environ: Mapping[str, str]) -> str:
    """Return host and database of a valid URL for messages and logs; missing ones from PGHOST and PGDATABASE."""
    parts = _URL.fullmatch(url)
    host, database = (parts["host"], parts["database"]) if parts else (None, None)
    shown = [host or environ.get("PGHOST", ""), database or environ.get("PGDATABASE", "")]
    return "PostgreSQL " + "/".join(part if _SHOWN.fullmatch(part) else "" for part in shown)


def failure(error: BaseException) -> str:
    """Return the message for an error of the driver, whose own may quote addresses, values and passwords."""
    error = getattr(error, "orig", error)
    if explanation := getattr(error, "explanation", ""):
        return str(explanation)
    if is_statement_mode(error):
        return (
            "a connection pooler in statement mode allows no transactions. Connect to the server's own port, or to a "
            "pool in session mode"
        )
    code = getattr(error, "sqlstate", None) or ""
    if not code and type(error).__name__ == "DataError":
        return "it cannot store a value, most often a NUL character in the name of a stream"
    return _FAILURES.get(code) or (f"SQLSTATE {code}" if re.fullmatch(r"[0-9A-Z]{5}", code) else _LOST)


def is_statement_mode(error: BaseException) -> bool:
    """Return whether an error is that of a pooler in statement mode, which gives each statement another session."""
    return getattr(error, "sqlstate", None) in (None, "08P01") and "not allowed in statement pooling" in str(error)


_LOST: Final = (
    "check that the server can be reached and has a connection left, and the user, password and database in the URL or "
    "in libpq's environment variables, such as PGPASSWORD"
)
#: Why nothing can be written.
READ_ONLY: Final = "nothing can be written there: it is a replica, or default_transaction_read_only is set"
_CHANGED: Final = "its tables were changed or dropped by another program"
_FAILURES: Final = {
    "08006": "the connection was lost; see whether the server restarted, or the network failed",
    "23502": _CHANGED,
    "25006": READ_ONLY,
    "25P03": "the server ended a transaction that waited (idle_in_transaction_session_timeout)",
    "25P04": "a transaction took longer than the server allows (transaction_timeout)",
    "28000": "the server refuses this user",
    "28P01": "the server refuses this user or password",
    "3D000": "the database does not exist",
    "3F000": _CHANGED,
    "42501": "the user lacks a permission; it needs a schema of its own, or the permission to create one",
    "42703": _CHANGED,
    "42P01": _CHANGED,
    "53100": "the server's disk is full",
    "53300": "the server has too many connections",
    "55P03": "another session holds a lock for longer than the server allows to wait (lock_timeout)",
    "57014": "a statement took longer than the server allows (statement_timeout)",
    "57P01": "the connection was ended by an administrator",
    "57P05": "the server ended a connection that was idle (idle_session_timeout)",
}
