"""JSON:API documents: sparse fieldsets, includes, paging, sorting and `meta` (MPDX reference, conventions)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from mailing_sandbox.mpdx.filters import words
from mailing_sandbox.mpdx.names import language
from mailing_sandbox.mpdx.records import moment
from mailing_sandbox.mpdx.refusal import MEDIA_TYPE, Refusal
from mailing_sandbox.mpdx.resources import Kind, find
from mailing_sandbox.provider import Reply

if TYPE_CHECKING:
    from mailing_sandbox.mpdx.account import Request
    from mailing_sandbox.mpdx.records import Stored
    from mailing_sandbox.mpdx.store import Store
    from mailing_sandbox.provider import Call

DEFAULT_PER_PAGE = 25

SORTS: dict[str, Callable[[Any], Any]] = {
    "created_at": lambda row: row.created,
    "updated_at": lambda row: row.updated,
    "name": lambda row: row.name.encode(),
}


def query_filters(call: Call) -> dict[str, str]:
    """Return the filters of a query, by name."""
    return {
        name[len("filter[") : -1]: value
        for name, value in call.query.items()
        if name.startswith("filter[") and name.endswith("]")
    }


def ordered(call: Call, kind: Kind, rows: Sequence[Any]) -> Sequence[Any]:
    """Return the rows as `sort` asks, by default in order of creation; 400 for what cannot be sorted by."""
    asked = call.query.get("sort", "")
    field, *nulls = asked.split() or ["created_at"]
    field = field.replace("-", "")
    if field not in kind.sorts:
        raise Refusal(400, f"Sorting by '{asked}' is not supported")
    if nulls and nulls[0].replace("-", "") != "nulls":  # where nulls go: no field that is sorted by has any
        raise Refusal(400, "Bad format for sort param.")
    found = sorted(rows, key=SORTS["created_at"])
    if field == "created_at" and not asked.startswith("-"):
        return found
    return sorted(found, key=SORTS[field], reverse=asked.startswith("-"))


def page(request: Request, kind: Kind, rows: Sequence[Any], accepted: Mapping[str, str]) -> tuple[Reply, int]:
    """Answer one page of sorted rows, and tell how many are on it; `accepted` are the filters to echo."""
    call, switches = request.call, request.switches
    if any(name.startswith(("page[", "per_page[")) for name in call.query):
        raise Refusal(500)
    number = max(_leading_number(call.query.get("page"), 1), 1)
    size = _leading_number(call.query.get("per_page"), DEFAULT_PER_PAGE)
    if switches.mpdx_max_per_page:
        size = min(size, switches.mpdx_max_per_page)
    shown = rows[(number - 1) * size : number * size]
    pagination = {
        "page": call.query.get("page", 1),
        "per_page": call.query.get("per_page", DEFAULT_PER_PAGE),
        "total_count": len(rows),
        "total_pages": -(-len(rows) // size) if size else switches.mpdx_pages_of_none,
    }
    meta = {"pagination": pagination, "sort": call.query.get("sort"), "filter": dict(accepted)}
    return document(request.store, call, kind, shown, meta=meta), len(shown)


def document(
    store: Store, call: Call, kind: Kind, found: Any, *, status: int = 200, meta: dict[str, Any] | None = None
) -> Reply:
    """Answer one resource or, with `meta`, a page of them; linked ones are included as `include` asks."""
    shape = _Shape(store, call)
    rows = found if meta is not None else [found]
    shown = [shape.resource(kind, row) for row in rows]
    body: dict[str, Any] = {"data": shown if meta is not None else shown[0]}
    if "include" in call.query:
        body["included"] = shape.included(kind, rows)
    if meta is not None:
        body["meta"] = meta
    return Reply(status, msgspec.json.encode(body), MEDIA_TYPE)


class _Shape:
    """How resources of one answer are trimmed, and which are included."""

    def __init__(self, store: Store, call: Call) -> None:
        self._store = store
        self._language = language(call.headers.get("accept-language", ""))
        self._includes = [path.split(".") for path in words(call.query.get("include", "")) if path != "**"]
        self._fields = {
            name[len("fields[") : -1]: frozenset(words(value))
            for name, value in call.query.items()
            if name.startswith("fields[") and name.endswith("]")
        }

    def resource(self, kind: Kind, row: Stored) -> dict[str, Any]:
        """Return a resource. Attributes and relationships outside a fieldset are omitted."""
        updated = moment(row.updated)
        stamps = {"created_at": moment(row.created), "updated_at": updated, "updated_in_db_at": updated}
        attributes = kind.attributes(row, self._language) | stamps
        relationships = {name: {"data": to} for name, to in kind.relationships(self._store, row).items()}
        kept = self._fields.get(kind.type)
        if kept is not None:
            attributes = {name: value for name, value in attributes.items() if name in kept}
            relationships = {name: value for name, value in relationships.items() if name in kept}
        shown = {"id": row.id, "type": kind.type, "attributes": dict(sorted(attributes.items()))}
        return shown | ({"relationships": dict(sorted(relationships.items()))} if relationships else {})

    def included(self, kind: Kind, rows: Sequence[Stored]) -> list[dict[str, Any]]:
        """Return the linked resources, each once."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for path in self._includes:
            self._follow(kind, rows, path, found)
        return list(found.values())

    def _follow(
        self, kind: Kind, rows: Sequence[Stored], path: Sequence[str], found: dict[tuple[str, str], dict[str, Any]]
    ) -> None:
        for row in rows:
            for name, to in kind.relationships(self._store, row).items():
                if path[0] not in (name, "*"):
                    continue
                for one in to if isinstance(to, list) else [to]:
                    target = find(self._store, one["type"], one["id"]) if one else None
                    if target is None:
                        continue
                    found.setdefault((target[0].type, target[1].id), self.resource(*target))
                    if path[1:]:
                        self._follow(target[0], [target[1]], path[1:], found)


def _leading_number(text: str | None, default: int) -> int:
    """Return the number at the beginning of a string, such as 2 of `2nd`; the default if there is none."""
    found = re.match(r"\d{1,18}", text or "", re.ASCII)
    return int(found[0]) if found else default
