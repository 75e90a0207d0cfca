"""The places of the journal and of the rejects files."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mailing_api.errors import ConfigurationError
from mailing_api.storage.folders import NoHomeError, expanded, state_folder
from mailing_api.storage.postgres import is_database
from target_mailing.journal.stores import FileStore, MemoryStore, PostgresStore, Store
from target_mailing.settings.declared_settings import NO_JOURNAL, value_of

__all__ = [
    "default_folder", "journal_hash_key", "journal_store", "place_of", "refuse_missing_journal", "rejects_folder",
]  # fmt: skip

#: Minimum length of `journal_hash_key`.
_SHORTEST_KEY: Final = 16


def default_folder(name: str, environ: Mapping[str, str] = os.environ) -> Path:
    """The default folder of journals and rejects.

    Raises:
        ConfigurationError: there is none; `name` is the setting that would name one.
    """
    if root := environ.get("MELTANO_PROJECT_ROOT"):
        return Path(root) / ".meltano" / "target-mailing"
    try:
        return state_folder("target-mailing", environ)
    except NoHomeError:
        raise ConfigurationError(f"Setting `{name}` is not set, and {_NO_HOME}, or set `{name}`.") from None


def rejects_folder(config: Mapping[str, Any], store: Store) -> Path:
    """The folder of the rejects files; by default beside the journal, if that is a file.

    Raises:
        ConfigurationError: it is a path that cannot be used.
    """
    if folder := config.get("rejects_path"):
        return place_of("rejects_path", folder)
    return (store.path.parent if isinstance(store, FileStore) else default_folder("rejects_path")) / "rejects"


def place_of(name: str, value: str) -> Path:
    """The path that a setting names.

    Raises:
        ConfigurationError: no file can have this name, or its `~` has no meaning.
    """
    try:
        return expanded(value)
    except NoHomeError:
        raise ConfigurationError(
            f"Setting `{name}` begins with `~`, but {_NO_HOME}, or give an absolute path."
        ) from None
    except ValueError as exc:
        raise ConfigurationError(f"Setting `{name}` is not a valid path: {exc}.") from None


_NO_HOME: Final = (
    "there is no home folder: HOME is not an absolute path, and this user has no entry in the password file. Set HOME"
)


def journal_store(config: Mapping[str, Any], account: str, environ: Mapping[str, str] = os.environ) -> Store:
    """The place of the journal.

    Its default name contains account and list, so that pipelines to different lists can run side by side; so does the
    name of the schema in PostgreSQL.

    Raises:
        ConfigurationError: it is a path that cannot be used.
        JournalError: it is a URL that cannot be used.
    """
    journal = value_of("journal", config)
    if journal == NO_JOURNAL:
        return MemoryStore()
    where = f"{account}-{config.get('scope') or 'list'}-{config.get('list')}"
    if journal is None:
        slug = re.sub(r"[^A-Za-z0-9]+", "-", where).strip("-")[:60]
        digest = hashlib.blake2b(where.encode(), digest_size=4).hexdigest()
        return FileStore(default_folder("journal", environ) / f"{slug}-{digest}.sqlite")
    if is_database(journal):
        return PostgresStore(journal, where)
    return FileStore(place_of("journal", journal))


def journal_hash_key(config: Mapping[str, Any]) -> str | None:
    """The secret that seals the key of the journal's hashes; None for none.

    Raises:
        ConfigurationError: it is too short.
    """
    key: str | None = value_of("journal_hash_key", config)
    if key is not None and len(key) < _SHORTEST_KEY:
        raise ConfigurationError(
            f"Setting `journal_hash_key` has {len(key)} characters; it must have at least {_SHORTEST_KEY} random "
            "characters. `openssl rand -hex 32` makes a good one."
        )
    return key


def refuse_missing_journal(config: Mapping[str, Any], store: Store) -> None:
    """Check that the journal exists, unless it may be created.

    Raises:
        ConfigurationError: it does not, and `create_journal` is false.
        JournalError: it cannot be used.
    """
    if value_of("create_journal", config) is False and store.would_be_made():
        raise ConfigurationError(
            f"Setting `create_journal` is false, and the journal does not exist: {store.name}. Check that its volume "
            f"is mounted and that `journal` names the right place; for a first run set `create_journal: true`."
        )
