"""Imports: how their files are validated, and what their people and reports are."""

from __future__ import annotations

import csv
import io
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from mailing_sandbox.postgrid.course import Course, Plan, trouble
from mailing_sandbox.postgrid.csvfile import rows
from mailing_sandbox.postgrid.records import Import

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from mailing_sandbox.postgrid.address import Verifier
    from mailing_sandbox.postgrid.csvfile import Mappings, Row
    from mailing_sandbox.postgrid.download import Download
    from mailing_sandbox.postgrid.store import Store


class Validation:
    """The imports of one mode that are running. They proceed when they are read: call `tick` before any read."""

    def __init__(
        self, store: Store, verifier: Verifier, plans: deque[Plan], arrived: Callable[[str, bytes], None]
    ) -> None:
        """`arrived` is called with each fetched file and the import's ID."""
        self._store = store
        self._arrived = arrived
        self._verifier = verifier
        self._plans = plans
        self._active: dict[str, Import] = {}

    def clear(self) -> None:
        """Forget all imports."""
        self._active.clear()

    def submit(
        self,
        mappings: Mappings,
        file: bytes | Download,
        *,
        description: str | None = None,
        metadata: dict[str, Any] | None = None,
        at: float | None = None,
        number: str | None = None,
        plan: Plan | None = None,
    ) -> Import:
        """Take a new import in, with the next plan if there is one; `at`, `number` and `plan` are for invented data."""
        now = self._store.clock.now() if at is None else at
        if plan is None:
            plan = self._plans.popleft() if self._plans else Plan()
        imported = Import(
            id=number or self._store.new_id("mailing_list_import"),
            live=self._store.live,
            organization=self._store.organization,
            mappings=mappings,
            course=Course(plan, now),
            description=description,
            metadata=metadata,
            created=now,
            updated=now,
            download=None if isinstance(file, bytes) else file,
            content=file if isinstance(file, bytes) else None,
        )
        imported.status = plan.shown("validating")
        self._store.imports.add(imported)
        self._active[imported.id] = imported
        return imported

    def tick(self) -> None:
        """Bring every import to where it stands now."""
        for imported in list(self._active.values()):
            self._step(imported)

    def poll(self, imported: Import) -> None:
        """Count one look of a client."""
        if imported.id in self._active:
            imported.course.polls += 1
            self._step(imported)

    def finish(self, imported: Import, errors: list[str] | None = None) -> None:
        """Bring an import to its end now, or as soon as its file has come; ValueError when it has ended."""
        if imported.id not in self._active:
            raise ValueError(f"import {imported.id} has ended")
        imported.course.finish(errors)
        self._step(imported)

    def drop(self, imported: Import) -> None:
        """Leave an import that is being deleted."""
        self._active.pop(imported.id, None)

    def _step(self, imported: Import) -> None:
        switches = self._store.switches
        now, seconds, needed = self._store.clock.now(), switches.postgrid_import_seconds, switches.postgrid_import_polls
        if imported.course.share(now, seconds, needed) < 1.0:
            return
        if imported.download is not None:
            if not imported.download.done:
                return
            imported.content = imported.download.content
            imported.download = None
            if imported.content is not None:
                self._arrived(imported.id, imported.content)
        self._validate(imported)
        imported.errors += [trouble(kind) for kind in imported.course.plan.errors]
        imported.status = "changes_required" if imported.errors else "completed"
        self._store.imports.touch(imported, imported.course.moment(1.0, now, seconds, needed))
        del self._active[imported.id]

    def _validate(self, imported: Import) -> None:
        """Judge every row, count, and say what is wrong with the file as a whole."""
        if imported.content is None:
            imported.errors.append(trouble("internal_service_error", "The file could not be fetched"))
            return
        try:
            found = list(judged(imported))
        except csv.Error:
            imported.errors.append(trouble("internal_service_error", "The file could not be read as CSV"))
            return
        cap = 0 if imported.live else self._store.switches.postgrid_test_row_cap
        kept = found[: cap or None]
        good = [row for row in kept if row.fault is None]
        imported.kept_rows = len(kept)
        imported.valid = max(0, len(good) - imported.course.plan.uncounted)
        imported.invalid = len(kept) - len(good)
        for row in good:
            imported.receivers.add(self._verifier.verify(row.receiver, live=imported.live).status)
            if row.sender is not None:
                imported.senders.add(self._verifier.verify(row.sender, live=imported.live).status)
        fault = self._fault(good, len(found))
        if fault is not None:
            imported.errors.append(trouble(fault))
            return
        if len(kept) < len(found):
            imported.notes.append(trouble("truncated_test_file", f"Only the first {len(kept)} rows were kept"))
        if imported.invalid:
            imported.notes.append(trouble("skipped_invalid_contacts", f"{imported.invalid} rows were skipped"))

    def _fault(self, good: list[Row], total: int) -> str | None:
        """Return the type of what is wrong with a file as a whole, None when it can be used."""
        switches = self._store.switches
        if not good:
            return "no_valid_contacts_error"
        countries = {row.receiver["countryCode"].upper() for row in good}
        if len(countries) > 1 and switches.postgrid_multi_country == "error":
            return "multiple_countries_error"
        if total < switches.postgrid_min_rows or 0 < switches.postgrid_max_rows < total:
            return "invalid_contact_count_error"
        return None

    def people(self, imported: Import) -> Iterator[Row]:
        """Read the rows of a completed import that are people."""
        return (row for row in read_again(imported) if row.fault is None)

    def report(self, imported: Import) -> bytes:
        """Write the report of a completed import, row by row; its form is invented."""
        out = io.StringIO(newline="")
        writer = csv.writer(out)
        writer.writerow(("row", "result", "addressStatus", "message"))
        for row in read_again(imported):
            status = "" if row.fault else self._verifier.verify(row.receiver, live=imported.live).status
            writer.writerow((row.number, "skipped" if row.fault else "imported", status, row.fault or ""))
        return out.getvalue().encode()


def judged(imported: Import) -> Iterator[Row]:
    """Read the rows of an import, with what is wrong with each, if only because a test planned it so."""
    left_out = imported.course.plan.invalid
    for row in rows(imported.content or b"", imported.mappings):
        yield row._replace(fault="not deliverable") if row.number in left_out and row.fault is None else row


def read_again(imported: Import) -> Iterator[Row]:
    """Read the rows of an import that were not cut off."""
    return islice(judged(imported), imported.kept_rows)
