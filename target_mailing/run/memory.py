"""The journal and the rejects of a run, opened as the settings say; those of a plan, which are written nowhere."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from mailing_api.counted import counted
from mailing_api.settings import duration, positive
from mailing_api.storage.folders import delete_old
from target_mailing.foresight.foresight import Foresight
from target_mailing.foresight.rejects import UnwrittenRejects
from target_mailing.journal.copied import CopiedStore
from target_mailing.journal.journal import Journal
from target_mailing.journal.open_rejects import KEPT
from target_mailing.journal.rejects_file import NAMES, Rejects, RejectsFile
from target_mailing.journal.stores import FileStore, MemoryStore, PostgresStore, Store
from target_mailing.places import journal_hash_key, refuse_missing_journal
from target_mailing.settings.declared_settings import value_of

__all__ = ["open_memory"]

logger = logging.getLogger("target-mailing")


def open_memory(
    config: Mapping[str, Any], store: Store, rejects_folder: Path, *, run: str, foresight: Foresight | None
) -> tuple[Journal, Rejects]:
    """Open the journal, and choose the place of the rejects.

    Args:
        config: the plugin's settings.
        store: the place of the journal; a plan works on a copy.
        rejects_folder: the folder of the rejects files; a plan writes none.
        run: the ID of the run, after which the rejects file is named.
        foresight: of a plan, which writes nothing.

    Raises:
        ConfigurationError: a setting is wrong, or a place cannot be used.
        JournalError: the journal cannot be used.
    """
    is_plan = foresight is not None
    window, abandon, patience = (
        duration(name, value_of(name, config)) for name in ("resend_window", "job_abandon", "job_timeout")
    )
    if abandon < patience:
        logger.warning(
            "Setting `job_abandon` (%g s) is less than `job_timeout` (%g s), so jobs are abandoned before a run "
            "can fail and the next one resume them",
            abandon,
            patience,
        )
    with ExitStack() as opened:
        hash_key = journal_hash_key(config)
        refuse_missing_journal(config, store)
        if is_plan and isinstance(store, (FileStore, PostgresStore)):
            store = CopiedStore(store)
        journal = opened.enter_context(closing(Journal(store, hash_key=hash_key)))
        rejects: Rejects = UnwrittenRejects(foresight) if foresight is not None else RejectsFile(rejects_folder, run)
        if not is_plan:
            _tell(config, journal, is_kept=not isinstance(store, MemoryStore))
            _put_in_order(config, journal, hash_key, rejects_folder)
        elif not isinstance(store, MemoryStore):
            logger.info("Journal: %s (only read)%s", store.name, "; it would be created" if journal.is_new else "")
        now = time.time()
        journal.open_rejects.known_since = journal.retention.forget_before(now - max(window, abandon))
        journal.open_rejects.tidy(now - (KEPT if (kept := _rejects_keep(config)) is None else kept))
        opened.pop_all()
    return journal, rejects


def _tell(config: Mapping[str, Any], journal: Journal, *, is_kept: bool) -> None:
    """Log where the journal is."""
    if not is_kept:
        logger.warning("Setting `journal` is off: delivery is at-least-once, and the next run cannot resume a job")
    elif journal.is_new:
        # A journal at a configured place should exist, except in the first run: its volume may be missing.
        level = logging.WARNING if config.get("journal") else logging.INFO
        logger.log(level, "Journal: %s (new: remembers nothing)", journal.place)
    else:
        logger.info("Journal: %s", journal.place)


def _put_in_order(config: Mapping[str, Any], journal: Journal, hash_key: str | None, rejects_folder: Path) -> None:
    """Seal the journal, and delete old rejects files, as the settings say."""
    if hash_key is not None and journal.seal(hash_key):
        logger.info("Setting `journal_hash_key`: the journal adopted it, and needs it from now on")
    if (kept := _rejects_keep(config)) is not None:
        deleted = delete_old(rejects_folder, NAMES, time.time() - kept)
        if deleted:
            text = counted(deleted, "older rejects file was", "older rejects files were")
            logger.info("Setting `rejects_keep`: %s deleted", text)


def _rejects_keep(config: Mapping[str, Any]) -> float | None:
    """The setting `rejects_keep` in seconds."""
    kept = value_of("rejects_keep", config)
    return None if kept is None else float(positive("rejects_keep", duration("rejects_keep", kept)))
