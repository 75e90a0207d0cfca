"""Whether the input of a stream is whole: that its last row came, and none is missing before it; pure.

A tap that fails at its end looks like one that succeeded, and STATE comes in the middle of a stream, too. So an input
is not whole unless something proves it:

- `whole_count`: each row has the number of all rows, and just as many came;
- a version: ACTIVATE_VERSION came after the last row and never before, with the version of all rows, which no earlier
  run had; one that comes before rows may come before the next part of them, too, as for each parent of a stream;
- the end of the stream, which tap-mailing tells after its last row, with the number of rows;
- the user's word (`whole: true`), of which more is asked: see `Proof.WORD`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec

__all__ = ["Proof", "Verdict", "Wholeness"]

#: What a STATE has beside the name of a stream that was read from where an earlier run had ended.
_POSITIONS: Final = frozenset(
    {
        "replication_key", "replication_key_value", "replication_key_signpost", "lsn", "log_file", "log_pos", "gtid",
        "scn", "current_log_version", "token", "oplog_ts_time", "shard_seq_numbers", "modified_since",
    }
)  # fmt: skip
#: What it has while a stream is read in full, until its last row came.
_PARTS: Final = frozenset({"xmin", "max_pk_values", "last_pk_fetched", "last_evaluated_key"})
#: No version is so great; the journal holds 64 bits with a sign.
_TOO_GREAT: Final = 1 << 62
#: How the time begins up to which a stream was read, whatever the column is called.
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


class Proof(StrEnum):
    """Why an input is whole."""

    COUNT = "as many rows came as `whole_count` says"
    VERSION = "ACTIVATE_VERSION came after the last row, with a new version that all rows have"
    END = "the tap told the end of the stream and the number of its rows"
    #: Only who is absent in two such runs in a row is taken off.
    WORD = "`whole: true` says so"


class Verdict(msgspec.Struct, frozen=True):
    """Whether an input is whole.

    Attributes:
        proof: None where it is not.
        reason: why it is not; may quote no data.
    """

    proof: Proof | None
    reason: str = ""


class _StreamInput(msgspec.Struct):
    """What came of one stream.

    Attributes:
        rows: how many.
        columns: of its SCHEMA, but for one that a STATE may name for itself.
        by_key: some of them tell a key and no address.
        ended: some of them were not delivered.
        totals: what the column of `whole_count` said; two different ones are enough.
        repeats: a key came twice, so as many rows as there should be may lack one.
        versions: of its rows; likewise.
        activated: the version that was activated after the last row, None for none.
        activations: how often one was.
        told: the number of rows that the tap told after the last row, None for none.
        reasons: why it is not whole, whatever proves it.
    """

    rows: int = 0
    columns: set[str] = set()
    by_key: bool = False
    ended: bool = False
    totals: set[int | None] = set()
    repeats: bool = False
    versions: set[int | None] = set()
    activated: int | None = None
    activations: int = 0
    told: int | None = None
    reasons: dict[str, None] = {}


class Wholeness:
    """Judges the streams of one input by its messages."""

    def __init__(self) -> None:
        self._streams: dict[str, _StreamInput] = {}
        self._unreadable = False
        self._has_state = False
        #: Streams of which rows came since the last STATE.
        self._since_state: set[str] = set()
        #: Names in STATEs that have a position from which an earlier run was to be continued.
        self._replicated: set[str] = set()
        #: Names in the last STATE of which it says that they were read in part; and those that such a part began with.
        self._in_part: set[str] = set()
        self._resumed: set[str] = set()

    def schema(self, stream: str, bookmarks: Sequence[str], columns: Iterable[str]) -> None:
        """A SCHEMA came, which names these columns as those by which the stream is replicated; `columns` are all."""
        self._of(stream).columns |= {*columns} - {"version"}
        if bookmarks:
            self._of(stream).reasons["it is replicated by a bookmark, so only what changed comes"] = None

    def rows(self, stream: str, count: int, versions: Iterable[Any]) -> None:
        """Rows came, in messages of these versions; None for a message without one."""
        one = self._of(stream)
        one.rows += count
        one.activated = one.told = None
        self._since_state.add(stream)
        if len(one.versions) < 2:
            one.versions.update(_number(version) for version in versions)

    def totals(self, stream: str, values: Iterable[Any]) -> None:
        """The column of `whole_count` has these values."""
        one = self._of(stream)
        if len(one.totals) < 2:
            one.totals.update(_number(value) for value in values)

    def ended(self, stream: str, *, by_key: bool) -> None:
        """Rows are not delivered, of which some may tell a key and no address."""
        one = self._of(stream)
        one.ended, one.by_key = True, one.by_key or by_key

    def keys_are_all_new(self, stream: str) -> bool:
        """Whether all rows were delivered, so that the journal knows the people by the keys that they have now."""
        return not self._of(stream).ended

    def repeated(self, stream: str) -> None:
        """A key came for the second time."""
        self._of(stream).repeats = True

    def unreadable(self) -> None:
        """A line cannot be read: whom it names is unknown, and so is its stream."""
        self._unreadable = True

    def unnamed(self, stream: str) -> None:
        """A row tells by neither key nor address whom it names."""
        self._of(stream).reasons["it has rows that tell by neither key nor address whom they name"] = None

    def replayed(self, stream: str) -> None:
        """Rows came from a rejects file, which has only rows that were rejected."""
        self._of(stream).reasons["it has rows of a rejects file"] = None

    def activated(self, stream: str, version: Any) -> None:
        """ACTIVATE_VERSION came."""
        one = self._of(stream)
        one.activated, one.activations = _number(version), one.activations + 1

    def state(self, value: Mapping[str, Any], end: Any = None) -> None:
        """A STATE came, with the end of a stream if the tap told one."""
        self._has_state = True
        self._since_state.clear()
        bookmarks = value.get("bookmarks", value)
        self._in_part.clear()
        for name, position in bookmarks.items() if isinstance(bookmarks, Mapping) else ():
            columns = [one.columns for stream, one in self._streams.items() if _is_of(stream, name)]
            if _holds(position, _POSITIONS.union(*columns)) or _has_date(position):
                self._replicated.add(name)
            elif _holds(position, _PARTS):
                self._in_part.add(name)
                if not any(one.rows for stream, one in self._streams.items() if _is_of(stream, name)):
                    self._resumed.add(name)
        if isinstance(end, Mapping) and isinstance(stream := end.get("stream"), str):
            self._of(stream).told = _number(end.get("rows"))

    def verdict(
        self,
        stream: str,
        *,
        counts: bool,
        is_word: bool,
        is_new_version: Callable[[int], bool],
        knows_keys: bool,
    ) -> Verdict:
        """Whether what came of a stream is whole.

        Args:
            stream: its name in the input.
            counts: `whole_count` is set, so nothing else proves it.
            is_word: the user says so.
            is_new_version: whether no row of an earlier run had a version.
            knows_keys: keys have the form by which the journal knows the stream's people.
        """
        one = self._of(stream)
        if one.by_key and not knows_keys:
            return Verdict(None, "its keys have another form than before, and it has rows without an address")
        proof, reason = self._proof(stream, one, counts=counts, is_word=is_word, is_new_version=is_new_version)
        refuted = self._refuted(stream, one)
        return Verdict(None, refuted or reason) if refuted or proof is None else Verdict(proof)

    def _refuted(self, stream: str, one: _StreamInput) -> str:
        """Why what came is not whole, whatever proves it; "" for no reason."""
        if self._unreadable:
            return "a line of the input cannot be read"
        if any(_is_of(stream, name) for name in self._replicated):
            return "its STATE has a replication key or a position, so only what changed comes"
        if any(_is_of(stream, name) for name in self._in_part | self._resumed):
            return "its STATE says that it was read in part"
        return "; ".join(one.reasons)

    def _proof(
        self, stream: str, one: _StreamInput, *, counts: bool, is_word: bool, is_new_version: Callable[[int], bool]
    ) -> tuple[Proof | None, str]:
        """What proves that it is whole; None, and why, where nothing does. Arguments as in `verdict`."""
        proof: Proof | None = None
        if one.told is not None and not counts:
            proof, reason = Proof.END, f"the tap told {one.told} rows, and {one.rows} came"
            return (proof if one.told == one.rows else None), reason
        if not one.rows:
            reason = "it has no rows, and nothing proves that there are none"
        elif counts:
            proof, reason = _by_count(one)
        elif one.activated is not None and one.versions == {one.activated}:
            is_new = is_new_version(one.activated)
            proof = Proof.VERSION if is_new and one.activations == 1 else None
            reason = "its version came in an earlier run, so it may be the rest of an interrupted one"
            if is_new:
                reason = "ACTIVATE_VERSION came before its rows, too, so it may come in the middle of them"
        elif not is_word:
            reason = "see `whole_count` and `whole`"
        else:
            proof = Proof.WORD if self._has_state and stream not in self._since_state else None
            reason = "no STATE came after its last row, so it may have been cut off"
        return proof, reason

    def versions(self, stream: str) -> set[int]:
        """The versions that its rows had so far, two at most."""
        return {version for version in self._of(stream).versions if version is not None and version < _TOO_GREAT}

    def _of(self, stream: str) -> _StreamInput:
        return self._streams.setdefault(stream, _StreamInput())


def _is_of(stream: str, name: str) -> bool:
    """Whether a name in a STATE may be that of a stream: the tap's own may be before it, such as the schema's."""
    return name.endswith(stream) or stream.endswith(name)


def _holds(position: Any, names: Collection[str]) -> bool:
    """Whether one of these members is there, and not null, at any depth."""
    if isinstance(position, Mapping):
        return any((name in names and value is not None) or _holds(value, names) for name, value in position.items())
    return isinstance(position, list) and any(_holds(value, names) for value in position)


def _has_date(position: Any) -> bool:
    if isinstance(position, Mapping):
        return any(map(_has_date, position.values()))
    if isinstance(position, list):
        return any(map(_has_date, position))
    return isinstance(position, str) and _DATE.match(position) is not None


def _by_count(one: _StreamInput) -> tuple[Proof | None, str]:
    if one.repeats:
        return None, "a key came twice, so another row may be missing"
    if one.totals == {one.rows}:
        return Proof.COUNT, ""
    if len(one.totals) != 1 or None in one.totals:
        return None, "the column of `whole_count` has several values, or some that are no numbers"
    return None, f"{one.rows} rows came, and `whole_count` says {next(iter(one.totals))}"


def _number(value: Any) -> int | None:
    """A whole number, as a number or as a string; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) else None
