"""The answer to `--history`: the last runs, or one of them, from the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import click
import msgspec
import sqlalchemy as sa

from mailing_api.errors import ConfigurationError
from target_mailing.delivery.router import Router
from target_mailing.history.opening import history_folder
from target_mailing.journal import past_runs, tables
from target_mailing.journal.meta import JournalMeta
from target_mailing.journal.past_runs import PastJob, PastRun
from target_mailing.journal.stores import MemoryStore, Store
from target_mailing.past_runs.words import list_lines, run_lines
from target_mailing.places import refuse_missing_journal
from target_mailing.sections import Fact, section, unbroken

__all__ = ["ALL", "LAST", "tell_history"]

#: Values of the option that are no beginnings of IDs.
ALL: Final = "all"
LAST: Final = "last"

_OPTION: Final = "Option --history"
#: Runs that are listed, and that an error names.
_LISTED: Final = 20
_NAMED: Final = 5
#: What is wrong with values that no version writes.
_DAMAGE: Final = (msgspec.MsgspecError, UnicodeError, AttributeError, LookupError, TypeError, ValueError)


class _Found(msgspec.Struct, frozen=True):
    """What was read.

    Attributes:
        runs: the newest first.
        jobs: of a single run.
        count: of all runs.
        latest: the ID of the newest run.
        holder: the process that holds the journal.
    """

    runs: Sequence[PastRun]
    jobs: Sequence[PastJob] = ()
    count: int = 0
    latest: str | None = None
    holder: str | None = None


def tell_history(
    which: str,
    config: Mapping[str, Any],
    open_router: Callable[[], Router],
    places_of: Callable[[Router], tuple[Store, Path]],
) -> None:
    """Write the last runs, or one, to standard output; nothing else is written, and no lock is taken.

    Args:
        which: the ID of a run, or its beginning; `LAST`; `ALL`; "" for the last runs.
        config: the plugin's settings.
        open_router: makes the account, which is not asked.
        places_of: the place of the journal, and the folder of the rejects files.

    Raises:
        ConfigurationError: there is no such run, or a setting is wrong.
        JournalError: the journal cannot be read.
    """
    with closing(open_router()) as router:
        router.check(config)
        store, rejects = places_of(router)
    folder = history_folder(config, rejects)
    with closing(store):
        if isinstance(store, MemoryStore):
            raise ConfigurationError(f"Setting `journal` is off, so no run is remembered.{_files_in(folder)}")
        refuse_missing_journal(config, store)
        found = _read(store, which)
    if found is None:
        lines = _without_runs(store, folder, "does not exist, so no run is remembered")
    elif not found.count:
        lines = _without_runs(store, folder, "remembers no run yet: the next delivery is the first")
    elif which in {"", ALL}:
        lines = _of_list(store, found)
    else:
        (run,) = found.runs
        holder = found.holder if run.run_id == found.latest and run.ended_at is None else None
        lines = run_lines(run, found.jobs, holder, _files_of(run))
    if which not in {"", ALL} and not (found and found.count):
        raise ConfigurationError(" ".join([*lines]))
    for line in lines:
        click.echo(line)


def _read(store: Store, which: str) -> _Found | None:
    """What the journal has; None if there is none.

    Raises:
        ConfigurationError: there is no such run.
        JournalError: the journal cannot be read.
    """
    for is_last in (False, True):
        try:
            if (opened := store.read_only()) is None:
                return None
            connection, holder = opened
            with closing(connection):
                return _look(connection, which, store, holder)
        except store.errors as error:
            if is_last:  # otherwise a run may have begun meanwhile
                raise store.error(store.failure(error)) from None
        except _DAMAGE as error:
            if is_last:
                raise store.damaged(error) from None
    return None


def _look(connection: sa.Connection, which: str, store: Store, holder: str | None) -> _Found:
    JournalMeta(connection, store.name).check_tables()
    if not sa.inspect(connection).has_table(tables.past_runs.name):
        return _Found([])  # of an earlier version
    count = connection.execute(sa.select(sa.func.count()).select_from(tables.past_runs)).scalar_one()
    if not count:
        return _Found([])
    (latest,) = past_runs.run_ids(connection, "", 1)
    if which in {"", ALL}:
        ids = past_runs.run_ids(connection, "", count if which == ALL else _LISTED)
        return _Found(past_runs.runs_of(connection, ids), (), count, latest, holder)
    ids = [latest] if which == LAST else past_runs.run_ids(connection, which, _NAMED + 1)
    if len(ids) != 1:
        raise _unclear(which, ids, past_runs.run_ids(connection, "", _NAMED), store)
    runs, jobs = past_runs.runs_of(connection, ids), past_runs.jobs_of(connection, ids[0])
    if ids[0] == latest and runs[0].ended_at is None:
        known = {job.batch for job in jobs}
        jobs += [job for job in past_runs.open_jobs(connection) if job.batch not in known]
    return _Found(runs, jobs, count, latest, holder)


def _unclear(which: str, ids: Sequence[str], newest: Sequence[str], store: Store) -> ConfigurationError:
    """The error for a name that no run has, or several have."""
    if ids:
        more = " and others" if len(ids) > _NAMED else ""
        return ConfigurationError(f"{_OPTION}: {which!r} begins several runs: {', '.join(ids[:_NAMED])}{more}.")
    return ConfigurationError(
        f"{_OPTION}: no run in {store.name} begins with {which!r}. The last ones: {', '.join(newest)}. `--history` "
        f"without a value lists them, `--history {ALL}` every one that is remembered."
    )


def _without_runs(store: Store, folder: Path | None, why: str) -> Iterator[str]:
    yield from section(f"Journal: {unbroken(store.name)} ({why}).{_files_in(folder)}")


def _files_in(folder: Path | None) -> str:
    return "" if folder is None else f" Runs may have left history files in {unbroken(folder)}."


def _of_list(store: Store, found: _Found) -> Iterator[str]:
    yield from section(f"Journal: {unbroken(store.name)} (only read)")
    yield ""
    yield from list_lines(found.runs, found.holder)
    yield ""
    if (more := found.count - len(found.runs)) > 0:
        yield from section(f"{more} older: `--history {ALL}` lists these, too.")
    yield from section("`--history RUN` tells one of them; a beginning of its name will do, or `last`.")


def _files_of(run: PastRun) -> Iterator[Fact]:
    """Where the files of a run are."""
    yield "history", [_history_of(run)]
    rejects = [
        f"{unbroken(file)} ({rows:,} rejected here{'' if Path(file).exists() else '; no longer there'})"
        for file, rows in run.totals.rejects.items()
    ]
    yield "rejects", rejects or ["none"]
    yield "report", [_report_of(run)]


def _history_of(run: PastRun) -> str:
    if run.history is None:
        return "none (`history_path` was off, or could not be written)"
    path = Path(run.history)
    if path.exists():
        return unbroken(path)
    part = path.with_name(f"{path.name}.part")
    return (
        unbroken(part) if part.exists() else f"{unbroken(path)} (not there: loaded away, or older than `history_keep`)"
    )


def _report_of(run: PastRun) -> str:
    if run.totals.report is None:
        return "none (`report_path` was unset)"
    path = Path(run.totals.report)
    if not path.exists():
        why = "written when the run ends" if run.ended_at is None else "moved away, or older than `report_keep`"
        return f"{unbroken(path)} (not there: {why})"
    return unbroken(path) if run.run_id in path.name else f"{unbroken(path)} (each run replaces it)"
