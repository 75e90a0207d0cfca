"""The tables of the journal."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import Final

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement

__all__ = [
    "absentees", "allowances", "batches", "contacts", "contents", "declined", "keys", "known_rejects", "make", "meta",
    "metadata", "names", "open_rejects", "past_jobs", "past_runs", "possible_addresses", "rejected_streams", "rejects",
    "removed", "replaced_contacts", "returned_keys", "runs", "shared_keys", "steps", "strangers", "streams",
    "taken_off",
]  # fmt: skip

metadata = sa.MetaData()
#: 64 bits, as a primary key: SQLite makes INTEGER alone the row's own number.
_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
meta = sa.Table(
    "meta",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("value", sa.LargeBinary, nullable=False),
)
batches = sa.Table(
    "batches",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("destination", sa.String, nullable=False, index=True),
    sa.Column("action", sa.String, nullable=False),
    sa.Column("route", sa.String, nullable=False),
    sa.Column("state", sa.String, nullable=False),  # open, settled, split, lost
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("payload", sa.LargeBinary),
    sa.Column("outcomes", sa.String),
    # The same as `confirmed_at` of the contacts that it confirmed.
    sa.Column("settled_at", sa.Float),
    # The place of the line before the first one of the run, among the lines of all runs; 0 where each row has its own
    # place, as a reject that was sent again. Null: an earlier version noted no lines.
    sa.Column("base", sa.BigInteger),
)
steps = sa.Table(
    "steps",
    metadata,
    sa.Column("batch", sa.Integer, primary_key=True),
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("begun_at", sa.Float, nullable=False),
    sa.Column("evidence", sa.String),  # JSON; null until the step is done
)
contacts = sa.Table(
    "contacts",
    metadata,
    # In the order of their arrival; a contact that is confirmed again has a new row.
    sa.Column("n", _NUMBER, primary_key=True, autoincrement=False),
    # 64 bits: two contacts with one hash would only be sent more often than needed.
    sa.Column("id", sa.BigInteger, nullable=False),
    sa.Column("fingerprint", sa.BigInteger, nullable=False),
    sa.Column("confirmed_at", sa.Float),  # null: submitted, without a confirmed result
    # By which streams it was put there: a bit for each, see streams.py; 1 is what versions before this column know.
    sa.Column("streams", sa.BigInteger, nullable=False, server_default="1"),
)
streams = sa.Table(
    "streams",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),  # of its bit
    sa.Column("destination", sa.BigInteger, nullable=False),  # keyed hash
    sa.Column("id", sa.LargeBinary, nullable=False),  # keyed hash of destination and stream
    sa.Column("version", sa.BigInteger),  # the greatest that its rows had
    sa.Column("runs", sa.Integer, nullable=False),  # that read it
    sa.Column("has_ended", sa.Boolean, nullable=False),  # one of these ended well
    sa.Column("forgot", sa.Boolean, nullable=False),  # contacts of it were forgotten because of their age
    sa.Column("key_form", sa.LargeBinary),  # hash of how the keys are made that its contacts have
    sa.Column("names_lists", sa.Boolean, nullable=False),  # its rows name lists, which may be those of other streams
    # People whom its deleted rows took off and who were forgotten since; null: an earlier version did not note it.
    sa.Column("forgotten", sa.BigInteger),
    sa.Column("name", sa.String),  # in the input; null until a run reads it
    sa.Column("place", sa.String),  # the name of its destination, likewise
    sa.Column("compared", sa.Boolean),  # a run that ended well compared its list with it; null, too, for none
    sa.Column("by_address", sa.Boolean),  # its rows have no key but their address; null until a run reads it
    sa.Column("closing_runs", sa.Integer),  # as `runs`, noted by versions that close open rejects
)
absentees = sa.Table(
    "absentees",
    metadata,
    # Rows of contacts whom a whole run did not name; they are removed if the next run is whole and does not, either.
    sa.Column("n", _NUMBER, primary_key=True, autoincrement=False),
    sa.Column("run", sa.Integer, nullable=False),
)
strangers = sa.Table(
    "strangers",
    metadata,
    # Members of a list whom no stream put there and a whole run did not name, by the keyed hash of destination and
    # address, and the number of the stream that is to equal the list; likewise.
    sa.Column("contact", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("stream", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("run", sa.Integer, nullable=False),
    sqlite_with_rowid=False,
)
replaced_contacts = sa.Table(
    "replaced_contacts",
    metadata,
    sa.Column("n", _NUMBER, primary_key=True),
    sa.Column("numbers", sa.LargeBinary, nullable=False),  # of rows of contacts that have a newer one; 64 bits each
)
keys = sa.Table(
    "keys",
    metadata,
    # In the order of their arrival; the row of a key that changes is blanked, and a new one is added.
    sa.Column("n", _NUMBER, primary_key=True, autoincrement=False),
    sa.Column("id", sa.LargeBinary, nullable=False),  # keyed hash of destination, stream and key
    sa.Column("email", sa.String, nullable=False),  # "" for a key that was deleted; its contact is then -(the time)
    sa.Column("contact", sa.BigInteger, nullable=False),
)
runs = sa.Table(
    "runs",
    metadata,
    # The sorted runs of each index, in tables of their own; see runs.py.
    sa.Column("n", sa.Integer, primary_key=True),
    sa.Column("of", sa.String, nullable=False),
    sa.Column("first", sa.BigInteger, nullable=False),
    sa.Column("last", sa.BigInteger, nullable=False),
)
possible_addresses = sa.Table(
    "strays",
    metadata,
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("email", sa.String, primary_key=True),
    sa.Column("contact", sa.BigInteger, nullable=False),
    sa.Column("stuck", sa.Boolean, nullable=False),
    sqlite_with_rowid=False,
)
names = sa.Table(
    "names",
    metadata,
    # The provider's IDs of contacts, where contacts are removed by these; one contact may have several.
    sa.Column("contact", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("name", sa.String, primary_key=True, index=True),
    sa.Column("destination", sa.BigInteger, nullable=False),  # keyed hash; a contact has one, an ID several
    sqlite_with_rowid=False,
)
shared_keys = sa.Table(
    "shared_keys",
    metadata,
    # Keyed hash of destination, stream and key: in one run the key had several addresses, so it has none of its own.
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sqlite_with_rowid=False,
)
returned_keys = sa.Table(
    "returned_keys",
    metadata,
    # The same, of a stream of changes: in one run the key left an address and came back to it.
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sqlite_with_rowid=False,
)
declined = sa.Table(
    "declined",
    metadata,
    # Keyed hash of destination and address, and a topic that is declined.
    sa.Column("contact", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("name", sa.String, primary_key=True),
    sqlite_with_rowid=False,
)
removed = sa.Table(
    "removed",
    metadata,
    # Contacts that were taken off lately: the keyed hashes of destination and address, and of the destination.
    sa.Column("contact", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("destination", sa.BigInteger, nullable=False),
    sa.Column("is_move", sa.Boolean, nullable=False),  # its key has another address
    sa.Column(
        "allowance", sa.BigInteger, nullable=False
    ),  # under which it was made; 0 within the limit, -1 without one
    sa.Column("at", sa.Float, nullable=False),
    sqlite_with_rowid=False,
)
taken_off = sa.Table(
    "taken_off",
    metadata,
    # Contacts (keyed hashes of destination and address) that deleted rows took off, until they are forgotten.
    sa.Column("contact", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("stream", sa.Integer, nullable=False),  # of its bit
    sa.Column("at", sa.Float),  # null: it stayed, because it opted out
    sqlite_with_rowid=False,
)
allowances = sa.Table(
    "allowances",
    metadata,
    # The setting `allow_removals_once` at each destination (keyed hash); the columns are those of `Allowed`.
    sa.Column("destination", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("last", sa.BigInteger, nullable=False),
    sa.Column("named", sa.BigInteger, nullable=False),
    sa.Column("named_at", sa.Float, nullable=False),
    sa.Column("allowance", sa.BigInteger, nullable=False),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("began_at", sa.Float, nullable=False),
    sa.Column("base", sa.BigInteger, nullable=False),
    sa.Column("base_at", sa.Float, nullable=False),
    sqlite_with_rowid=False,
)
contents = sa.Table(
    "contents",
    metadata,
    # Contacts of destinations that are replaced as a whole: the keyed hashes of destination and address, and of the
    # destination, the key that brought it (64 bits of its hash), and when the runs began that first and last delivered
    # each; the first is 0 if that run did not replace the others.
    sa.Column("contact", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("destination", sa.BigInteger, nullable=False),
    sa.Column("key", sa.BigInteger),
    sa.Column("since", sa.Float, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sqlite_with_rowid=False,
)
known_rejects = sa.Table(
    "known_rejects",
    metadata,
    # Keyed hash of stream, code and record.
    sa.Column("id", _NUMBER, primary_key=True, autoincrement=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("file", sa.String, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)
rejects = sa.Table(
    "rejects",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("stream", sa.String, nullable=False),
    sa.Column("record", sa.LargeBinary, nullable=False),
    sa.Column("code", sa.String, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("job", sa.String),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)
past_runs = sa.Table(
    "past_runs",
    metadata,
    # The runs up to now; the columns are those of `PastRun`.
    sa.Column("run_id", sa.String, primary_key=True),
    sa.Column("destination", sa.String),
    sa.Column("list", sa.String),
    sa.Column("version", sa.String),
    sa.Column("history", sa.String),
    sa.Column("started_at", sa.Float, nullable=False),
    sa.Column("ended_at", sa.Float),
    sa.Column("exit_code", sa.Integer),
    sa.Column("error", sa.String),
    sa.Column("totals", sa.String, nullable=False),  # JSON
    sqlite_with_rowid=False,
)
past_jobs = sa.Table(
    "past_jobs",
    metadata,
    # Their jobs; the other columns are those of `PastJob`.
    sa.Column("run_id", sa.String, primary_key=True),
    sa.Column("batch", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("job_id", sa.String, primary_key=True),
    sa.Column("destination", sa.String, nullable=False),
    sa.Column("route", sa.String, nullable=False),
    sa.Column("action", sa.String, nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("submitted", sa.Float, nullable=False),
    sa.Column("resumed", sa.Boolean, nullable=False),
    sa.Column("ended", sa.Float),
    sa.Column("looks", sa.Integer),
    sa.Column("status", sa.String, nullable=False),
    sa.Column("refused", sa.Integer, nullable=False),
    sqlite_with_rowid=False,
)
open_rejects = sa.Table(
    "open_rejects",
    metadata,
    # Rejected records of which nothing newer came since, to be sent again.
    sa.Column("id", sa.Integer, primary_key=True),
    # The place of its line among the lines of all runs; a line has several where it goes to several destinations.
    sa.Column("n", sa.BigInteger, nullable=False, index=True),
    sa.Column("destination", sa.String, nullable=False),
    sa.Column("stream", sa.String, nullable=False),
    sa.Column("key", sa.LargeBinary, index=True),  # keyed hash of destination, stream and key
    sa.Column("contact", sa.BigInteger, index=True),  # keyed hash of destination and address
    sa.Column("record", sa.LargeBinary, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),  # of the record, in bytes
    sa.Column("code", sa.String, nullable=False),
    sa.Column("job", sa.String),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("run", sa.String, nullable=False),  # that rejected it last
    # A newer row of its key or contact came, or may have come, and was not seen to end; null: none.
    sa.Column("overtaken", sa.Boolean),
)
rejected_streams = sa.Table(
    "rejected_streams",
    metadata,
    sa.Column("name", sa.String, primary_key=True),  # of a stream with open rejects, in the input
    sa.Column("message", sa.LargeBinary, nullable=False),  # its latest SCHEMA
)

#: Columns that tables of versions before do not have.
_LATER_COLUMNS: Final[Mapping[str, Mapping[str, str]]] = {
    contacts.name: {"streams": "BIGINT DEFAULT '1' NOT NULL"},
    batches.name: {"settled_at": "FLOAT", "base": "BIGINT"},
    streams.name: {
        "forgotten": "BIGINT",
        "name": "VARCHAR",
        "place": "VARCHAR",
        "compared": "BOOLEAN",
        "by_address": "BOOLEAN",
        "closing_runs": "INTEGER",
    },
    open_rejects.name: {"overtaken": "BOOLEAN"},
}


def make(connection: sa.Connection, only: Collection[str] | None = None) -> None:
    """Make the tables, and the columns of tables, that do not exist yet; of tables `only` these, if they are given."""
    present = {*sa.inspect(connection).get_table_names()}
    for name, statements in _statements(connection.dialect.name).items():
        if name not in present and (only is None or name in only):
            for statement in statements:
                connection.exec_driver_sql(statement)
    for table, columns in _LATER_COLUMNS.items():
        if table in present:
            there = {column["name"] for column in sa.inspect(connection).get_columns(table)}
            for column, kind in columns.items():
                if column not in there:
                    connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")


@cache
def _statements(dialect: str) -> dict[str, list[str]]:
    """The statements that make each table, composed once: that takes longer than many a run."""
    language = sa.make_url(f"{dialect}://").get_dialect()()

    def statement(ddl: ExecutableDDLElement) -> str:
        return str(ddl.compile(dialect=language))

    return {
        table.name: [statement(CreateTable(table)), *(statement(CreateIndex(index)) for index in table.indexes)]
        for table in metadata.sorted_tables
    }
