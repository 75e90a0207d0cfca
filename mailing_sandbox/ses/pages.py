"""Pages and their tokens: opaque, bound to one listing of one region."""

from __future__ import annotations

import base64
import hmac
import secrets
from bisect import bisect_right
from hashlib import blake2s
from typing import TYPE_CHECKING, TypeVar
from zlib import crc32

import msgspec

from mailing_sandbox.ses.records import Numbered
from mailing_sandbox.ses.refusal import bad_request, constraint, invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailing_sandbox.ses.refusal import Refusal
    from mailing_sandbox.ses.switches import Switches

Row = TypeVar("Row", bound=Numbered)


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a walk stands: after the row that sorts at `after`, or after the first `passed` rows.

    `walk` names its order, 0 the natural one.
    """

    scope: str
    walk: int = 0
    after: tuple[int, int] | None = None
    passed: int = 0
    empty_next: bool = False


class Pager:
    """Cuts listings into pages."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(16)
        self._walks = 0

    def size(self, asked: int | None, default: int, largest: int) -> int:
        """Check a page size; BadRequestException beyond its bounds."""
        if asked is None:
            return default
        if asked < 1:
            raise invalid(constraint(f"'{asked}'", "pageSize", "have value greater than or equal to 1"))
        if asked > largest:
            raise invalid(constraint(f"'{asked}'", "pageSize", f"have value less than or equal to {largest}"))
        return asked

    def place(self, token: str | None, scope: str, switches: Switches, refusal: Refusal | None = None) -> Place:
        """Return the place that a token names, the beginning of a new walk without one.

        `scope` is what the token must have been given for. Raises `refusal`, or a BadRequestException.
        """
        if token is None:
            if switches.ses_list_order == "natural":
                return Place(scope, empty_next=switches.ses_empty_pages == "first")
            self._walks += 1
            return Place(scope, self._walks, empty_next=switches.ses_empty_pages == "first")
        refusal = refusal or bad_request("The NextToken value is not valid")
        try:
            sealed = base64.b64decode(token, validate=True)
            seal, content = sealed[:8], sealed[8:]
            if not hmac.compare_digest(seal, self._seal(content)):
                raise refusal
            found = msgspec.msgpack.decode(content, type=Place)
        except (ValueError, msgspec.DecodeError) as error:
            raise refusal from error
        if found.scope != scope:
            raise refusal
        return found

    def token(self, place: Place) -> str:
        """Return the token of a place; it may hold plus signs, slashes and equals signs, as real ones do."""
        content = msgspec.msgpack.encode(place)
        return base64.b64encode(self._seal(content) + content).decode()

    def _seal(self, content: bytes) -> bytes:
        return blake2s(content, key=self._secret, digest_size=8).digest()

    def cut(
        self,
        rows: Sequence[Row],
        place: Place,
        size: int,
        switches: Switches,
        keep: Callable[[Row], bool] | None = None,
        *,
        newest_first: bool = False,
    ) -> tuple[list[Row], str | None]:
        """Return one page of rows, which are given by number, and the token of the next.

        A filter either fills its pages (switch `ses_filtered_pages` full), or omits rows of pages cut before.
        """
        if place.empty_next:
            return [], self.token(msgspec.structs.replace(place, empty_next=False))
        sign = -1 if newest_first else 1

        def sort(row: Row) -> tuple[int, int]:
            return (crc32(f"{place.walk}:{row.number}".encode()) if place.walk else 0, sign * row.number)

        if place.walk:
            rows = sorted(rows, key=sort)
        elif newest_first:
            rows = rows[::-1]
        by_row = 0 if place.after is None else bisect_right(rows, place.after, key=sort)
        start = by_row if switches.ses_next_page == "row" else min(place.passed, len(rows))
        page: list[Row] = []
        stop = start
        scanned = switches.ses_filtered_pages == "scanned"
        while stop < len(rows) and (stop - start if scanned else len(page)) < size:
            if keep is None or keep(rows[stop]):
                page.append(rows[stop])
            stop += 1
        if not scanned and keep is not None:
            # A full page without a following row that matches is the last one.
            while stop < len(rows) and not keep(rows[stop]):
                stop += 1
        more = stop < len(rows)
        if not more and not (switches.ses_empty_pages == "last" and stop > start):
            return page, None
        between = switches.ses_empty_pages == "between" and more
        there = msgspec.structs.replace(place, after=sort(rows[stop - 1]), passed=stop, empty_next=between)
        return page, self.token(there)
