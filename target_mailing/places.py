"""Where the target keeps what it remembers: the journal, and the folder of rejects."""

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
from target_mailing.declared_settings import value_of
from target_mailing.journal.stores import FileStore, MemoryStore, PostgresStore, Store

__all__ = ["NO_JOURNAL", "default_folder", "journal_hash_key", "journal_store", "place_of", "refuse_missing_journal"]

#: Value of `journal` for none.
NO_JOURNAL: Final = "off"
#: Characters of `journal_hash_key` at least.
_SHORTEST_KEY: Final = 16


def default_folder(name: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Where journals and rejects are kept unless a setting says otherwise.

    Raises:
        ConfigurationError: there is no such place; `name` is the setting to choose one by.
    """
    if root := environ.get("MELTANO_PROJECT_ROOT"):
        return Path(root) / ".meltano" / "target-mailing"
    try:
        return state_folder("target-mailing", environ)
    except NoHomeError:
        raise ConfigurationError(f"Setting `{name}` is not set, and {_NO_HOME}, or set `{name}`.") from None


def place_of(name: str, value: str) -> Path:
    """The path that a setting names.

    Raises:
        ConfigurationError: no file can have this name, or its `~` stands for nothing.
    """
    try:
        return expanded(value)
    except NoHomeError:
        raise ConfigurationError(
            f"Setting `{name}` begins with `~`, but {_NO_HOME}, or give an absolute path."
        ) from None
    except ValueError as exc:
        raise ConfigurationError(f"Setting `{name}` is no path: {exc}.") from None


_NO_HOME: Final = (
    "there is no home folder: HOME is no absolute path, and this user has no entry in the password file. Set HOME"
)


def journal_store(config: Mapping[str, Any], account: str, environ: Mapping[str, str] = os.environ) -> Store:
    """Where the journal is kept.

    The default's name tells account and list, so that pipelines to different lists can run side by side; so does a
    schema's in PostgreSQL.

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
    """The secret that the key of the journal's hashes is sealed with; None for none.

    Raises:
        ConfigurationError: it is too short to be one.
    """
    key: str | None = value_of("journal_hash_key", config)
    if key is not None and len(key) < _SHORTEST_KEY:
        raise ConfigurationError(
            f"Setting `journal_hash_key` has {len(key)} characters; it must have {_SHORTEST_KEY} or more, at random, "
            "so that nobody can guess it. `openssl rand -hex 32` makes one."
        )
    return key


def refuse_missing_journal(config: Mapping[str, Any], store: Store) -> None:
    """See that the journal is there, unless it may be made.

    Raises:
        ConfigurationError: it is not, and `create_journal` is false.
        JournalError: it cannot be used.
    """
    if value_of("create_journal", config) is False and store.would_be_made():
        raise ConfigurationError(
            f"Setting `create_journal` is false, and there is no journal: {store.name}. What earlier runs noted is "
            "missing. Look whether its volume is mounted, or whether `journal` names another place; for a first run "
            "set `create_journal` to true."
        )
