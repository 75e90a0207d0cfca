"""The file of `reconcile_path`: a line of JSON for each contact that is not alike on both sides."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from mailing_api.errors import ConfigurationError
from mailing_api.storage.result_files import begin_draft, beginning
from target_mailing.reconcile.sides import Finding

__all__ = ["FindingsFile"]

#: How each line begins.
_LINE: Final = b'{"found":"'


class FindingsFile:
    """Takes findings, and replaces an earlier file of them when all are there. Only its owner may read it."""

    def __init__(self, path: Path) -> None:
        """Begin the file.

        Raises:
            ConfigurationError: something else is there, or it cannot be written.
        """
        self.path = path
        _check_replaceable(path)
        try:
            self._draft, self._file = begin_draft(path)
        except OSError as exc:
            raise self._unwritable(exc) from None

    def write(self, finding: Finding) -> None:
        """Write one.

        Raises:
            ConfigurationError: it cannot be written.
        """
        try:
            self._file.write(msgspec.json.encode(finding) + b"\n")
        except OSError as exc:
            raise self._unwritable(exc) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, failure: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put the file in its place, or after a failure remove it.

        Raises:
            ConfigurationError: it cannot be written.
        """
        try:
            self._file.close()
            if failure is None:
                self._draft.replace(self.path)
        except OSError as exc:
            if failure is None:
                raise self._unwritable(exc) from None
        finally:
            with suppress(OSError):
                self._draft.unlink(missing_ok=True)

    def _unwritable(self, error: OSError) -> ConfigurationError:
        return ConfigurationError(
            f"Setting `reconcile_path`: {self.path} cannot be written ({error.strerror}). Choose another place."
        )


def _check_replaceable(path: Path) -> None:
    """Check that a file is not there yet, is empty, or holds findings.

    Raises:
        ConfigurationError: it may be anything.
    """
    try:
        is_ours = beginning(path, len(_LINE)) in {None, b"", _LINE}
    except OSError:
        is_ours = False
    if not is_ours:
        raise ConfigurationError(
            f"Setting `reconcile_path`: {path} is there and is no file of a reconciliation. Choose another place."
        )
