"""The steps of PostGrid's route `import`: files made, validated, checked; added to the list by one job, or undone.

An import that is on no list prints nothing, so that one too many does no harm before the job. Nobody can ask a list for
its imports: where its job went wrong they are taken off again, so that it is known for certain.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any, Final

from mailing_api.counted import counted
from mailing_api.errors import MailingError, NotFound, RequestRefused
from mailing_api.postgrid.client import Import, PostgridClient
from target_mailing.destination import Again, Done, Finished, Progress, Refusal, Step, Work
from target_mailing.postgrid.csv_file import File, country_of, left_out, written
from target_mailing.postgrid.file_links import Links
from target_mailing.postgrid.import_list import ImportList
from target_mailing.postgrid.list_job import Follow, Submit, is_there

__all__ = [
    "LIST",
    "MAX_IMPORTS",
    "RUN",
    "Check",
    "Clear",
    "CreateImports",
    "FollowUndone",
    "Judge",
    "Plan",
    "SubmitImports",
    "Undo",
    "Undone",
    "Validate",
    "checked",
    "still_there",
]

#: Imports that one job may name (docs/postgrid.md).
MAX_IMPORTS: Final = 10
#: Refusals of an import that may be about its rows.
_FILE_REFUSED: Final = frozenset({400, 413, 415, 422})
#: Keys of an import's metadata: the list that it is for, the run, the batch, and its part of that.
LIST: Final = "target_mailing_list"
RUN: Final = "target_mailing_run"
_BATCH: Final = "target_mailing_batch"
_PART: Final = "target_mailing_part"


@dataclass(frozen=True)
class Plan(Step):
    """Sees to it that the list may be filled, and names the batch and how many imports it takes."""

    mailing_list: ImportList
    links: Links | None
    name = "plan"

    def run(self, work: Work) -> Progress:
        """Mark the list."""
        self.mailing_list.admit(work.journal)
        return Done({"batch": secrets.token_hex(8), "parts": len(_by_country(work))})

    def undo(self, work: Work) -> None:
        """Delete the files that it named, as many as there are."""
        if self.links is not None and self.name in work.evidence:
            clear(self.links, work)


@dataclass(frozen=True)
class CreateImports(Step):
    """Makes an import for each country: PostGrid may refuse one of several. Its file is uploaded, or linked to."""

    client: PostgridClient
    mailing_list: str
    run_name: str
    links: Links | None
    name = "imports"
    repeatable = False
    prepares = True

    def run(self, work: Work) -> Progress:
        """Make one after the other."""
        batch = work.evidence["plan"]["batch"]
        made: list[dict[str, Any]] = []
        begin = 0
        for part, rows in enumerate(_by_country(work)):
            metadata = {
                LIST: self.mailing_list,
                RUN: self.run_name,
                _BATCH: batch,
                _PART: f"{part}:{begin}:{begin + len(rows)}",
            }
            try:
                number = self._create(written(rows), metadata, f"{batch}-{part}")
            except MailingError as error:
                if not error.maybe_done:
                    self._drop(made)
                if isinstance(error, RequestRefused) and error.status in _FILE_REFUSED:
                    if self.links is not None:
                        clear(self.links, work)
                    return Finished(unresolved=True, absent=True, reason=self._refused(error))
                raise
            made.append({"id": number, "begin": begin, "end": begin + len(rows)})
            begin += len(rows)
        return _created(made)

    def _create(self, file: File, metadata: dict[str, str], name: str) -> str:
        return self.client.create_import(
            file.content if self.links is None else self._link(self.links, name, file.content),
            columns=file.columns,
            variables=file.variables,
            metadata=metadata,
            key=secrets.token_hex(16),
        )

    def _refused(self, error: RequestRefused) -> str:
        why = f"the import was refused ({error.code or f'HTTP {error.status}'})"
        return why if self.links else f"{why}; if all are, PostGrid may take links alone: set `postgrid_s3_bucket`"

    def _link(self, links: Links, name: str, content: bytes) -> str:
        try:
            return links.put(name, content)
        except MailingError as error:
            error.maybe_done = False  # no import was made
            raise

    def recover(self, work: Work) -> Done | None:
        """Look for the imports of this batch; where one is missing the others are of no use."""
        found: dict[int, dict[str, Any]] = {}
        spare = []
        for number, metadata in self.client.imports_with(_BATCH, work.evidence["plan"]["batch"]).items():
            part, begin, end = map(int, str(metadata[_PART]).split(":"))
            if part in found:
                spare.append(number)
            else:
                found[part] = {"id": number, "begin": begin, "end": end}
        made = [found[part] for part in sorted(found)]
        is_whole = bool(made) and made[-1]["end"] == len(work.rows)
        is_whole = is_whole and sum(one["end"] - one["begin"] for one in made) == len(work.rows)
        for number in spare if is_whole else [*spare, *(one["id"] for one in made)]:
            self.client.delete_import(number)
        return _created(made) if is_whole else None

    def _drop(self, made: list[dict[str, Any]]) -> None:
        """Without all of its imports, those of a batch that were made are of no use."""
        with suppress(MailingError):  # an import that is on no list prints nothing
            for one in made:
                self.client.delete_import(one["id"])


def _by_country(work: Work) -> list[list[bytes]]:
    """The rows' contacts; those of a country follow each other."""
    contacts = [row.contact for row in work.rows]
    return [list(group) for _, group in groupby(contacts, country_of)]


def _created(made: list[dict[str, Any]]) -> Done:
    return Done({"job": ", ".join(one["id"] for one in made), "made": made}, certain=True)


@dataclass(frozen=True)
class Validate(Step):
    """Looks at the imports until all have been validated."""

    client: PostgridClient
    name = "validate"
    watches = True

    def run(self, work: Work) -> Progress:
        """Look at each once."""
        found: list[dict[str, Any]] = []
        for one in work.evidence["imports"]["made"]:
            try:
                now = self.client.imported(one["id"])
            except NotFound:
                now = Import(one["id"], validating=False, usable=False, valid=0, invalid=0, errors=["gone"], notes=[])
            if now.validating:
                return Again()
            counts = {"valid": now.valid, "invalid": now.invalid}
            found.append(one | counts | {"usable": now.usable, "errors": [*now.errors], "notes": [*now.notes]})
        return Done({"found": found})


@dataclass(frozen=True)
class Clear(Step):
    """Deletes the files that were linked to: they hold contact data, and nobody reads them any more."""

    links: Links
    name = "clear"

    def run(self, work: Work) -> Progress:
        """Delete one after the other."""
        clear(self.links, work)
        return Done({})


def clear(links: Links, work: Work) -> None:
    """Delete the files of a batch, as many as there are."""
    planned = work.evidence["plan"]
    for part in range(planned["parts"]):
        links.clear(f"{planned['batch']}-{part}")


@dataclass(frozen=True)
class Check(Step):
    """Judges the imports: each must hold all of its rows, but for those that PostGrid's report names.

    If one is not what it should be, none is used, and the batch is split.
    """

    client: PostgridClient
    name = "check"

    def run(self, work: Work) -> Progress:
        """Judge one after the other; what is of no use is deleted."""
        ids: list[str] = []
        refused: dict[int, Refusal] = {}
        for one in work.evidence["validate"]["found"]:
            verdict = self._judged(one)
            if isinstance(verdict, str):
                for each in work.evidence["validate"]["found"]:
                    self.client.delete_import(each["id"])
                return Finished(unresolved=True, absent=True, reason=verdict)
            refused |= {one["begin"] + at: Refusal("refused_by_provider", why) for at, why in verdict.items()}
            if len(verdict) < one["end"] - one["begin"]:
                ids.append(one["id"])
            else:
                self.client.delete_import(one["id"])
        return Done({"ids": ids}, refused=refused)

    def _judged(self, one: dict[str, Any]) -> dict[int, str] | str:
        """By position in the import, rows that it left out; or why it is of no use."""
        rows = one["end"] - one["begin"]
        if not one["usable"]:
            if one["errors"] == ["no_valid_contacts_error"]:
                return dict.fromkeys(range(rows), "the import has no valid row")
            return f"the import needs changes: {', '.join(one['errors']) or 'nobody knows which'}"
        if one["valid"] + one["invalid"] != rows:
            notes = f" ({', '.join(one['notes'])})" if one["notes"] else ""
            return f"the import tells of {counted(one['valid'] + one['invalid'], 'row')} and not of {rows}{notes}"
        if not one["invalid"]:
            return {}
        report = self.client.import_report(one["id"])
        found = None if report is None else left_out(report, rows, one["invalid"])
        return "the import left out rows, and its report does not say which" if found is None else found


class SubmitImports(Submit):
    """Starts a job of imports. One that is on the list stays, and stays one, so this may be done again."""

    repeatable = True
    uses_names = False


def checked(work: Work) -> list[list[str]]:
    """The imports to be put on the list."""
    return [[one] for one in work.evidence["check"]["ids"]]


def still_there(client: PostgridClient, step: str) -> Callable[[Work], list[list[str]]]:
    """Those of the imports that a step noted which there are: a job to take them off would miss the others."""
    exists = partial(is_there, client.imported)
    return lambda work: [[one] for one in work.evidence[step]["ids"] if exists(one)]


@dataclass(frozen=True)
class Judge(Step):
    """Judges the job: if nothing went wrong, all its rows have arrived."""

    name = "errors"

    def run(self, work: Work) -> Progress:
        """Judge it."""
        if trouble := work.evidence["follow"]["trouble"]:
            return Done({"reason": trouble, "ids": work.evidence["check"]["ids"]})
        return Finished(job=work.evidence["imports"]["job"])


class Undo(SubmitImports):
    """Takes those of the batch off the list again."""

    name = "undo"


class FollowUndone(Follow):
    """Looks at the list until they are off it."""

    name = "follow_undo"
    after = "undo"


@dataclass(frozen=True)
class Undone(Step):
    """Judges that: only if nothing went wrong the rows are certainly not there, and may go again."""

    client: PostgridClient
    name = "undone"

    def run(self, work: Work) -> Progress:
        """Judge it, and delete the imports."""
        reason = work.evidence["errors"]["reason"]
        if work.evidence["follow_undo"]["trouble"]:
            doubtful = Refusal("unconfirmed", reason)
            return Finished(rejected={at: doubtful for at in range(len(work.rows)) if at not in work.refused})
        for number in work.evidence["errors"]["ids"]:
            self.client.delete_import(number)
        return Finished(unresolved=True, absent=True, reason=reason)
