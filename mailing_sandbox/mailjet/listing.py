"""Listings: Limit, Offset, Sort, countOnly and filters, the same for every resource that declares them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mailing_sandbox.mailjet.refusal import Refusal

if TYPE_CHECKING:
    from mailing_sandbox.mailjet.account import Account
    from mailing_sandbox.provider import Reply

Query = Mapping[str, str]
Test = Callable[[Any], bool]
Filter = Callable[["Account", str], Test]
Rows = Callable[["Account", Query], list[Any]]

DEFAULT_LIMIT = 10
MAX_LIMIT = 1000


@dataclass(frozen=True)
class Sort:
    """How a sort key orders rows; `both` allows `` DESC``."""

    key: Callable[[Any], Any]
    both: bool = True


@dataclass(frozen=True)
class Resource:
    """One listed resource. `rows` gives the rows in ID order, already narrowed where an index allows it.

    `filters` and `sorts` are spelled as Mailjet spells them; `fields` are those of a row, for metadata.
    """

    name: str
    rows: Rows
    render: Callable[[Account, Any, Query], dict[str, Any]]
    filters: Mapping[str, Filter] = field(default_factory=dict)
    sorts: Mapping[str, Sort] = field(default_factory=dict)
    narrows: Sequence[str] = ()

    def list(self, account: Account, query: Query) -> Reply:
        """Answer one page."""
        rows = self.select(account, query)
        if flag(query.get("countonly", "")):
            return account.envelope([], count=len(rows), total=len(rows))
        offset, limit = bounds(account, query)
        page = [self.render(account, row, query) for row in rows[offset : offset + limit]]
        account.counters.served(self.name, len(page))
        total = len(rows) if flag(query.get("countrecords", "")) else None
        return account.envelope(page, total=total)

    def select(self, account: Account, query: Query) -> Sequence[Any]:
        """Return all rows that the filters let pass, sorted; kept until something changes."""
        key, descending = self._order(account, query)
        chosen = {name: query[name.lower()] for name in self.filters if query.get(name.lower(), "") != ""}
        narrowed = {name: query[name.lower()] for name in self.narrows if name.lower() in query}
        cached = (self.name, tuple(chosen.items()), tuple(narrowed.items()), query.get("sort", "").lower())
        if account.selected != account.store.version:
            account.selections.clear()
            account.selected = account.store.version
        rows = account.selections.get(cached)
        if rows is None:
            rows = self.rows(account, query)
            tests = [self.filters[name](account, value) for name, value in chosen.items()]
            if tests:
                rows = [row for row in rows if all(test(row) for test in tests)]
            if key is not None:
                rows = sorted(rows, key=key, reverse=descending)
            account.selections[cached] = rows
        return rows

    def _order(self, account: Account, query: Query) -> tuple[Callable[[Any], Any] | None, bool]:
        """Return the sort key, None for plain ID order, and whether it descends."""
        words = query.get("sort", "").split()
        if not words:
            return None, False
        sorts = {name.lower(): sort for name, sort in self.sorts.items()}
        sort = sorts.get(words[0].lower())
        descending = words[1:] == ["DESC"] or [word.lower() for word in words[1:]] == ["desc"]
        known = sort is not None and (len(words) == 1 or (descending and sort.both) or words[1].lower() == "asc")
        if sort is None or not known:
            if account.switches.unsupported_sort == "ignore":
                return None, False
            raise Refusal(400, f'Invalid sort key "{query["sort"]}" for {self.name}')
        return (None, False) if words[0].lower() == "id" and not descending else (sort.key, descending)


def bounds(account: Account, query: Query) -> tuple[int, int]:
    """Return Offset and Limit (Mailjet reference, generic query parameters)."""
    limit = whole(query.get("limit") or str(DEFAULT_LIMIT), "Limit")
    offset = whole(query.get("offset") or "0", "Offset")
    if offset < 0:
        raise Refusal(400, f'Invalid value "{offset}" for Offset')
    if account.switches.max_offset and offset > account.switches.max_offset:
        raise Refusal(500, "Unexpected database error during GET")
    if limit > MAX_LIMIT:
        rule = account.switches.limit_above_maximum
        if rule == "error":
            raise Refusal(400, f'Invalid value "{limit}" for Limit')
        limit = MAX_LIMIT if rule == "clamp" else DEFAULT_LIMIT
    return offset, limit if limit > 0 else MAX_LIMIT


def whole(text: str, name: str) -> int:
    """Return a whole number; a 400 names the parameter otherwise."""
    try:
        return int(text)
    except ValueError as error:
        raise Refusal(400, f'Invalid value "{text}" for {name}') from error


def flag(text: str) -> bool:
    """Read a boolean parameter."""
    return text.strip().lower() in ("true", "1")


def seconds(text: str) -> float:
    """Read a moment: RFC 3339 or Unix seconds; a naive one is UTC."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Refusal(400, f'Invalid date "{text}"') from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


Value = Callable[[Any], Any]


def number(value: Value) -> Filter:
    """Equality with a whole number, or with one of a comma list."""

    def build(_: Account, text: str) -> Test:
        wanted = {whole(part, "a numeric filter") for part in text.split(",")}
        return lambda row: value(row) in wanted

    return build


def text(value: Value) -> Filter:
    """Equality with a string."""
    return lambda _, wanted: lambda row: value(row) == wanted


def folded_text(value: Value) -> Filter:
    """Equality with a string in any case."""
    return lambda _, wanted: lambda row: value(row).lower() == wanted.lower()


def within(value: Value, place: str = "any", *, fold: bool = False) -> Filter:
    """Presence of a string at the start, at the end or anywhere."""

    def build(_: Account, wanted: str) -> Test:
        part = wanted.lower() if fold else wanted

        def test(row: Any) -> bool:
            whole_text = value(row).lower() if fold else value(row)
            if place == "start":
                return bool(whole_text.startswith(part))
            return bool(whole_text.endswith(part)) if place == "end" else part in whole_text

        return test

    return build


def true(value: Value) -> Filter:
    """Equality with a boolean."""
    return lambda _, wanted: lambda row: bool(value(row)) == flag(wanted)


def moment(value: Value) -> Filter:
    """Equality with a moment."""

    def build(_: Account, wanted: str) -> Test:
        at = seconds(wanted)
        return lambda row: value(row) == at

    return build


def least(value: Value, *, documented: bool = False) -> Filter:
    """Not before a moment, rows without one never; exclusive with a switch unless `documented`."""

    def build(account: Account, wanted: str) -> Test:
        at = seconds(wanted)
        if documented or account.switches.min_filters == "inclusive":
            return lambda row: bool(value(row)) and value(row) >= at
        return lambda row: bool(value(row)) and value(row) > at

    return build


def most(value: Value, *, documented: bool = False) -> Filter:
    """Before a moment, rows without one never; inclusive with a switch unless `documented`."""

    def build(account: Account, wanted: str) -> Test:
        at = seconds(wanted)
        if documented or account.switches.max_filters == "exclusive":
            return lambda row: bool(value(row)) and value(row) < at
        return lambda row: bool(value(row)) and value(row) <= at

    return build


def emails(value: Value, prefix: str = "Email") -> dict[str, Filter]:
    """Return the family of filters on an address or a name."""
    return {
        prefix: text(value),
        f"{prefix}CI": folded_text(value),
        f"{prefix}Like": within(value),
        f"{prefix}LikeCI": within(value, fold=True),
        f"{prefix}LLike": within(value, "start"),
        f"{prefix}LLikeCI": within(value, "start", fold=True),
        f"{prefix}RLike": within(value, "end"),
        f"{prefix}RLikeCI": within(value, "end", fold=True),
    }
