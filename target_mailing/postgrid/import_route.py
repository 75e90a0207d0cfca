"""The steps of PostGrid's route `import`: imports created, validated, checked; added to the list by one job, or undone.

An import on no list prints nothing, so a superfluous import does no harm before the job. A list does not show its
imports: if the job may have failed, its imports are taken off the list again, so that they are certainly not on it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any, Final

from mailing_api.counted import counted
from mailing_api.errors import MailingError, NotFound, ProviderFault, RequestRefused
from mailing_api.postgrid.client import Import, PostgridClient
from target_mailing.interface.destination import Again, Candidate, Done, Finished, Progress, Refusal, Step, Work
from target_mailing.postgrid.csv_file import File, country_of, omitted_rows, written
from target_mailing.postgrid.file_links import Links
from target_mailing.postgrid.import_list import ImportList
from target_mailing.postgrid.list_job import Submit, before_the_call, is_there

__all__ = [
    "MAX_IMPORTS",
    "AddImports",
    "Check",
    "Clear",
    "Collect",
    "CreateImports",
    "DeleteOld",
    "Judge",
    "Plan",
    "SubmitImports",
    "Undone",
    "Validate",
    "checked",
    "existing",
]

#: Imports that one job may name (docs/postgrid.md).
MAX_IMPORTS: Final = 10
#: Refusals of an import that its rows may cause.
_FILE_REFUSED: Final = frozenset({400, 413, 415, 422})
#: Keys of an import's metadata: its list, run and batch, and its part of the batch.
_LIST: Final = "target_mailing_list"
_RUN: Final = "target_mailing_run"
_BATCH: Final = "target_mailing_batch"
_PART: Final = "target_mailing_part"


@dataclass(frozen=True)
class Plan(Step):
    """Checks that the journal may fill the list, and names the batch and the number of its imports."""

    mailing_list: ImportList
    links: Links | None
    name = "plan"

    def run(self, work: Work) -> Progress:
        """Mark the list."""
        self.mailing_list.admit(work.journal)
        return Done({"batch": secrets.token_hex(8), "parts": len(_by_country(work))})

    def foresee(self, work: Work) -> Progress:
        """Check it; nothing is marked."""
        self.mailing_list.check(work.journal)
        return Done({"parts": len(_by_country(work))})

    def more_calls(self, work: Work) -> int:
        """The list is marked once a run."""
        return self.mailing_list.calls_to_admit(work.journal)

    def undo(self, work: Work) -> None:
        """Delete the files of the batch that exist."""
        if self.name in work.evidence:
            clear(self.links, work)


@dataclass(frozen=True)
class CreateImports(Step):
    """Creates an import for each country, since PostGrid may refuse a file of several countries."""

    client: PostgridClient
    mailing_list: str
    run_name: str
    links: Links | None
    name = "imports"
    repeatable = False
    prepares = True

    def run(self, work: Work) -> Progress:
        """Create one after the other."""
        batch = work.evidence["plan"]["batch"]
        imports: list[dict[str, Any]] = []
        end = 0
        for part, rows in enumerate(_by_country(work)):
            begin, end = end, end + len(rows)
            metadata = {_LIST: self.mailing_list, _RUN: self.run_name, _BATCH: batch, _PART: f"{part}:{begin}:{end}"}
            try:
                import_id = self._create(written(rows), metadata, f"{batch}-{part}")
            except MailingError as error:
                if not error.maybe_done:
                    with suppress(MailingError):  # an import on no list prints nothing
                        for entry in imports:
                            self.client.delete_import(entry["id"])
                if isinstance(error, RequestRefused) and error.status in _FILE_REFUSED:
                    clear(self.links, work)
                    return Finished(unresolved=True, absent=True, reason=self._reason(error))
                raise
            imports.append({"id": import_id, "begin": begin, "end": end})
        return _created(imports)

    def more_calls(self, work: Work) -> int:
        """One for each country; by link also the file, and whether it can be read."""
        return int(work.evidence["plan"]["parts"]) * (1 if self.links is None else 3)

    def _create(self, file: File, metadata: dict[str, str], name: str) -> str:
        content: bytes | str = file.content
        if self.links is not None:
            with before_the_call():
                content = self.links.put(name, file.content)
        return self.client.create_import(
            content, columns=file.columns, variables=file.variables, metadata=metadata, key=secrets.token_hex(16)
        )

    def _reason(self, error: RequestRefused) -> str:
        reason = f"the import was refused ({error.code_or_status})"
        if self.links is not None:
            return reason
        return f"{reason}; if all imports are refused, PostGrid may accept links only: set `postgrid_s3_bucket`"

    def recover(self, work: Work) -> Sequence[Candidate]:
        """Find the imports of this batch; if one is missing, the others are deleted."""
        candidates = self.client.imports_with(_BATCH, work.evidence["plan"]["batch"])
        parts: dict[int, dict[str, Any]] = {}
        for import_id, metadata in candidates.items():
            if (place := _place(metadata.get(_PART), len(work.rows))) is not None:
                part, begin, end = place
                parts.setdefault(part, {"id": import_id, "begin": begin, "end": end})
        imports = [parts[part] for part in sorted(parts)]
        rows = [position for entry in imports for position in range(entry["begin"], entry["end"])]
        is_whole = rows == [*range(len(work.rows))]
        used = {entry["id"] for entry in imports if is_whole}
        for import_id in candidates:
            if import_id not in used:
                self.client.delete_import(import_id)
        done = _created(imports)
        return [Candidate(job=done.evidence["job"], evidence=done.evidence, is_certain=True)] if is_whole else ()


def _by_country(work: Work) -> list[list[bytes]]:
    """The contacts of the rows, by country; the rows of a country are next to each other."""
    contacts = [row.content for row in work.rows]
    return [list(group) for _, group in groupby(contacts, country_of)]


def _place(noted: Any, count: int) -> tuple[int, int, int] | None:
    """An import's number, and the first and the last row of its part of so many; None if they are not as written."""
    pieces = noted.split(":") if isinstance(noted, str) else []
    if len(pieces) != 3 or not all(len(one) < 10 and one.isascii() and one.isdecimal() for one in pieces):
        return None
    part, begin, end = map(int, pieces)
    return (part, begin, end) if begin <= end <= count else None


def _created(imports: list[dict[str, Any]]) -> Done:
    return Done({"job": ", ".join(entry["id"] for entry in imports), "made": imports})


@dataclass(frozen=True)
class Validate(Step):
    """Polls the imports until all have been validated."""

    client: PostgridClient
    name = "validate"
    watches = True

    def run(self, work: Work) -> Progress:
        """Read each once."""
        imports: list[dict[str, Any]] = []
        for entry in work.evidence["imports"]["made"]:
            try:
                now = self.client.imported(entry["id"])
            except NotFound:
                now = Import(entry["id"], validating=False, usable=False, valid=0, invalid=0, errors=["gone"], notes=[])
            if now.validating:
                return Again()
            counts = {"valid": now.valid, "invalid": now.invalid}
            imports.append(entry | counts | {"usable": now.usable, "errors": [*now.errors], "notes": [*now.notes]})
        return Done({"found": imports})

    def more_calls(self, work: Work) -> int:
        """One look at each."""
        return int(work.evidence["plan"]["parts"])


@dataclass(frozen=True)
class Clear(Step):
    """Deletes the files of the links: they hold contact data, and PostGrid has read them."""

    links: Links
    name = "clear"

    def run(self, work: Work) -> Progress:
        """Delete one after the other."""
        clear(self.links, work)
        return Done({})

    def more_calls(self, work: Work) -> int:
        """One for each file."""
        return int(work.evidence["plan"]["parts"])


def clear(links: Links | None, work: Work) -> None:
    """Delete the files of a batch that exist; none without links."""
    if links is not None:
        plan = work.evidence["plan"]
        for part in range(plan["parts"]):
            links.clear(f"{plan['batch']}-{part}")


@dataclass(frozen=True)
class Check(Step):
    """Judges the imports: each must hold all of its rows, except rows that PostGrid's report names.

    If an import is wrong, none of the batch is used, and the batch is split.
    """

    client: PostgridClient
    name = "check"

    def run(self, work: Work) -> Progress:
        """Judge one after the other; unused imports are deleted."""
        imports = work.evidence["validate"]["found"]
        ids: list[str] = []
        refused: dict[int, Refusal] = {}
        for entry in imports:
            omitted = self._omitted(entry)
            if isinstance(omitted, str):
                for unused in imports:
                    self.client.delete_import(unused["id"])
                return Finished(unresolved=True, absent=True, reason=omitted)
            refused |= {
                entry["begin"] + position: Refusal("refused_by_provider", why) for position, why in omitted.items()
            }
            if len(omitted) < entry["end"] - entry["begin"]:
                ids.append(entry["id"])
            else:
                self.client.delete_import(entry["id"])
        return Done({"ids": ids}, refused=refused)

    def foresee(self, work: Work) -> Progress:
        """All imports hold all of their rows."""
        return Done({"ids": [f"foreseen_{part}" for part in range(work.evidence["plan"]["parts"])]})

    def more_calls(self, work: Work) -> int:  # noqa: ARG002
        """An import without refused rows has no report."""
        return 0

    def _omitted(self, entry: dict[str, Any]) -> dict[int, str] | str:
        """By position in the import, why rows were omitted; or why the import cannot be used."""
        rows = entry["end"] - entry["begin"]
        if not entry["usable"]:
            if entry["errors"] == ["no_valid_contacts_error"]:
                return dict.fromkeys(range(rows), "the import has no valid row")
            return f"the import needs changes: {', '.join(entry['errors']) or 'PostGrid names none'}"
        if entry["valid"] + entry["invalid"] != rows:
            notes = f" ({', '.join(entry['notes'])})" if entry["notes"] else ""
            return f"the import counts {entry['valid'] + entry['invalid']} of {counted(rows, 'row')}{notes}"
        if not entry["invalid"]:
            return {}
        report = self.client.import_report(entry["id"])
        omitted = None if report is None else omitted_rows(report, rows, entry["invalid"])
        return "the import omitted rows, and its report does not name them" if omitted is None else omitted


class SubmitImports(Submit):
    """Starts a job for imports. Repeatable: an import that is on the list stays on it once."""

    repeatable = True
    uses_names = False


class AddImports(SubmitImports):
    """Starts the job that adds imports to the list."""

    sends = True


def checked(work: Work) -> list[list[str]]:
    """The imports to add to the list."""
    return [[import_id] for import_id in work.evidence["check"]["ids"]]


def existing(client: PostgridClient, step: str) -> Callable[[Work], list[list[str]]]:
    """The imports in a step's evidence that still exist: a job to remove the others would fail."""
    exists = partial(is_there, client.imported)
    return lambda work: [[import_id] for import_id in work.evidence[step]["ids"] if exists(import_id)]


@dataclass(frozen=True)
class Judge(Step):
    """Judges the job: if nothing went wrong, all of its rows have arrived."""

    name = "errors"

    def run(self, work: Work) -> Progress:
        """Judge it."""
        if trouble := work.evidence["follow"]["trouble"]:
            return Done({"reason": trouble, "ids": work.evidence["check"]["ids"]})
        return Finished(job=work.evidence["imports"]["job"])

    def foresee(self, work: Work) -> Progress:  # noqa: ARG002
        """The job succeeds."""
        return Finished()

    def more_calls(self, work: Work) -> int:  # noqa: ARG002
        """None."""
        return 0


@dataclass(frozen=True)
class Undone(Step):
    """Judges the job that took the imports off the list again: if it succeeded, no row arrived, and all are resent."""

    client: PostgridClient
    name = "undone"

    def run(self, work: Work) -> Progress:
        """Judge it, and delete the imports."""
        reason = work.evidence["errors"]["reason"]
        if work.evidence["follow_undo"]["trouble"]:
            return Finished(rejected=dict.fromkeys(work.sent, Refusal("unconfirmed", reason)))
        for import_id in work.evidence["errors"]["ids"]:
            self.client.delete_import(import_id)
        return Finished(unresolved=True, absent=True, reason=reason)


# The end of a run that replaces the list: imports of earlier runs leave it, ten at a time, and are deleted


@dataclass(frozen=True)
class Collect(Step):
    """Finds old imports; if there are none left, the list is replaced."""

    client: PostgridClient
    mailing_list: ImportList
    run_name: str
    name = "collect"

    def run(self, work: Work) -> Progress:
        """Read the imports."""
        imports = self.client.imports_with(_LIST, self.mailing_list.id)
        self.mailing_list.check_mark()  # after reading, or another run's imports might be among them
        old = sorted(import_id for import_id, metadata in imports.items() if metadata.get(_RUN) != self.run_name)
        if not old:
            self.mailing_list.mark_replaced(work.journal)
            return Finished()
        return Done({"ids": old[:MAX_IMPORTS]})

    def foresee(self, work: Work) -> Progress:  # noqa: ARG002
        """Earlier imports leave, if there are any: whether the list is marked shows only in a delivery."""
        imports = self.client.imports_with(_LIST, self.mailing_list.id)
        return Done({"ids": sorted(imports)})


@dataclass(frozen=True)
class DeleteOld(Step):
    """Deletes the imports that left the list, and continues with the next ones."""

    client: PostgridClient
    name = "delete_old"
    again_from = "collect"

    def run(self, work: Work) -> Progress:
        """Delete one after the other, if all are certainly on no list."""
        if trouble := work.evidence["follow_old"]["trouble"]:
            raise ProviderFault(
                "PostGrid: the imports of earlier runs could not be taken off the list; it still has them beside those "
                f"of this run ({trouble}). Send no letters until a run has succeeded."
            )
        for import_id in work.evidence["collect"]["ids"]:
            self.client.delete_import(import_id)
        return Again(0.0, rewind=True)

    def foresee(self, work: Work) -> Progress:  # noqa: ARG002
        """The list is replaced."""
        return Finished()

    def more_calls(self, work: Work) -> int:
        """Each import is deleted; after some of them the others are looked for, and at the end the list is marked."""
        old = len(work.evidence["collect"]["ids"])
        return old + 2 * -(-old // MAX_IMPORTS) + 2
