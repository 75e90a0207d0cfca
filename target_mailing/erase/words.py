"""What an erasure says: what it found, what that means, what it erased, and what it does not reach; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from mailing_api.addresses import fold_address
from mailing_api.counted import counted
from target_mailing.erase.files import HeldFile
from target_mailing.journal import tables
from target_mailing.journal.traces import Traces
from target_mailing.sections import Fact, unbroken

__all__ = ["Holdings", "beyond", "consequences", "found", "parts", "under_way", "unlocked"]

#: What a row of the journal is, one and several, by the name of its table.
_ROWS: Final[Mapping[str, tuple[str, str]]] = {
    tables.absentees.name: ("note that a whole input did not name them", "notes that a whole input did not name them"),
    tables.contacts.name: ("content of a contact, as hashes", "contents of contacts, as hashes"),
    tables.contents.name: ("entry of a list that is replaced", "entries of lists that are replaced"),
    tables.declined.name: ("declined topic", "declined topics"),
    tables.keys.name: ("key, as a hash, with its address", "keys, as hashes, with their addresses"),
    tables.names.name: ("ID of the provider", "IDs of the provider"),
    tables.possible_addresses.name: ("address that may be at the provider", "addresses that may be at the provider"),
    tables.removed.name: ("removal of the last 24 hours", "removals of the last 24 hours"),
    tables.returned_keys.name: ("key that came back to an address", "keys that came back to an address"),
    tables.strangers.name: ("note of a member that no row names", "notes of a member that no row names"),
    tables.taken_off.name: ("note of a deleted row", "notes of deleted rows"),
}
#: File names that are shown.
_MOST: Final = 5
_MAPS: Final = (
    "where one changes a key, the journal has it as changed, and rejects and history as the tap wrote it: erase both"
)
_TOPICS: Final = (
    "declined ones that the provider does not have yet. A row that adds this person would subscribe them: keep the "
    "person out of the source, or let each row decline the topics"
)


def under_way(place: str, batches: int) -> str:
    """Why nobody can be erased whose rows have no outcome yet."""
    subject = counted(batches, "batch without an outcome has", "batches without an outcome have")
    return (
        f"Setting `journal`: in {place}, {subject} this person, and their result would be unknown. Let a run finish "
        "first: deliver with these settings, also without rows. Nothing was erased."
    )


class Holdings(msgspec.Struct):
    """What there is of a person.

    Attributes:
        counts: rows of the journal, by table.
        rejects: files with their records.
        pending: numbers of rejects in the journal that are in no file yet.
        opened: numbers of open rejects in the journal, which may be sent again.
        outcomes: history files with their keys.
        removed: how many of the rejects files had nothing else.
    """

    counts: Mapping[str, int] = {}
    rejects: Sequence[HeldFile] = ()
    pending: Sequence[int] = ()
    opened: Sequence[int] = ()
    outcomes: Sequence[HeldFile] = ()
    removed: int = 0

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.counts or self.rejects or self.pending or self.opened or self.outcomes)


def found(email: str | None, traces: Traces, holdings: Holdings) -> Iterator[Fact]:
    """What there is of the person; `email` is the address in question."""
    addresses = {*traces.emails}
    if email is not None and fold_address(email) not in map(fold_address, addresses):
        addresses.add(email)
    if addresses:
        yield "known as", sorted(addresses)
    if traces.ids:
        yield "provider's ID", sorted(traces.ids)
    if traces.shared:
        yield "key", ["stood for several people at once in a run; that stays, for it is of all of them"]
    yield from parts(holdings)


def unlocked(holdings: Holdings) -> Iterator[str]:
    """What is unknown of files on a file system without locks."""
    names = [file.path.name for file in (*holdings.rejects, *holdings.outcomes) if file.is_in_use is None]
    if names:
        yield (
            "their file system has no locks, so a run of another loader that writes one of them is not noticed, and "
            "what it writes afterwards is lost: let no run write there until this command has ended"
        )
        yield from names[:_MOST]
        yield from _more(len(names) - _MOST)


def consequences(traces: Traces, counts: Mapping[str, int]) -> Iterator[Fact]:
    """What is no longer known afterwards, and what to do about it."""
    if counts.get(tables.declined.name):
        yield "topics", [_TOPICS]
    if counts.get(tables.possible_addresses.name):
        yield "addresses", ["that may still be at the provider, and that the next row would have removed: remove them"]
    if traces.ids:
        yield "IDs", ["by which the contact can be removed at the provider: delete it there, by these"]


def parts(holdings: Holdings) -> Iterator[Fact]:
    """Where it is, or was."""
    if counts := holdings.counts:
        yield "journal", [counted(count, *_ROWS[name]) for name, count in sorted(counts.items())]
    if rejects := _rejects(holdings):
        yield "rejects", rejects
    if outcomes := holdings.outcomes:
        number = counted(len(outcomes), "file")
        yield "history", [f"the key in {_records(outcomes, 'outcome')} in {number}; outcomes and totals stay"]


def beyond(
    provider: str,
    erasing: str,
    ids: Sequence[str],
    *,
    results: Sequence[str],
    others: Sequence[str],
    linked: Sequence[str],
    has_maps: bool,
    is_database: bool,
    is_short: bool,
    has_history: bool,
) -> Iterator[Fact]:
    """Places that are not reached.

    Args:
        provider: its title.
        erasing: how to erase a person there.
        ids: the provider's, of the person.
        results: files that settings name.
        others: names of files beside those that were searched.
        linked: names of files that have other names, too.
        has_maps: stream maps may change keys.
        is_database: the journal is in a database.
        is_short: nothing is known of the person, so that places are named alone, without what to do there.
        has_history: there is a history.
    """
    yield "other loaders", ["their journals, rejects and histories: the same command with the settings of each"]
    known = f" Its IDs: {', '.join(ids)}." if ids else ""
    if is_short:
        yield "the provider", [provider]
        yield "elsewhere", ["the source, a warehouse, the snapshot of the tap, backups, and saved output and logs"]
    else:
        yield "the source", ["while it has the row, the next run delivers the person again, as somebody new"]
        yield "the provider", [f"{provider}: {erasing or 'the contact, and its copies in lists and jobs.'}{known}"]
        loaded = "the rows that a tap loaded, and rejects" + (" and history" if has_history else "")
        yield "a warehouse", [f"{loaded} that were loaded"]
        yield "the tap", ["its snapshot, with `change_detection`: `tap-mailing --erase`, by the row's key"]
        yield "elsewhere", ["backups, and copies that file systems keep; what standard output and logs were saved to"]
    if is_database:
        yield (
            "PostgreSQL",
            ["its write-ahead log and the archive of it, replicas, and space on disk until it is reused"],
        )
    if results:
        yield "results", [f"{unbroken(path)}: delete it, it may show contacts" for path in results]
    if has_maps:
        yield "stream maps", [_MAPS]
    if linked:
        yield "hard links", [f"{name} has other names, which keep what it was" for name in linked]
    if others:
        yield "other files", [*others[:_MOST], *_more(len(others) - _MOST)]


def _rejects(holdings: Holdings) -> list[str]:
    files = holdings.rejects
    items = [f"{_records(files, 'record')} in {counted(len(files), 'file')}", *_names(files)] if files else []
    if holdings.pending:
        items.append(f"{counted(len(holdings.pending), 'record')} in the journal, in no file yet")
    if holdings.opened:
        items.append(f"{counted(len(holdings.opened), 'open reject')} in the journal, kept for --retry-rejects")
    if holdings.removed:
        items.append(f"{counted(holdings.removed, 'file')} had nothing else, and {_was(holdings.removed)} removed")
    return items


def _was(count: int) -> str:
    return "was" if count == 1 else "were"


def _records(files: Sequence[HeldFile], noun: str) -> str:
    return counted(sum(file.records for file in files), noun)


def _names(files: Sequence[HeldFile]) -> list[str]:
    return [*(file.path.name for file in files[:_MOST]), *_more(len(files) - _MOST)]


def _more(count: int) -> list[str]:
    return [f"and {counted(count, 'other')}"] if count > 0 else []
