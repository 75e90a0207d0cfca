"""Spellings of addresses in a listing: a provider may keep addresses apart that differ only in letter case."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from mailing_api.addresses import fold_address

__all__ = ["Spellings"]

logger = logging.getLogger("target-mailing.ses")

#: The most pages that are read, at about one a second: 50,000 contacts.
_MOST_PAGES: Final = 50


class Spellings:
    """The addresses in a listing whose spelling `fold_address` changes; the listing is read once, when first needed.

    Only spellings are kept; their contacts are read when they are needed.
    """

    def __init__(self, pages: Callable[[], Iterable[Sequence[str]]]) -> None:
        """Take the function that reads the listing."""
        self._pages = pages
        self._lock = threading.Lock()
        self._is_read = False
        self._known: dict[str, set[str]] = {}

    def of(self, address: str) -> Sequence[str]:
        """The listing's spellings of a folded address, other than the folded one."""
        with self._lock:
            if not self._is_read:
                self._read()
            return sorted(self._known.get(address, ()))

    def add(self, email: str) -> None:
        """Add the address of a contact that is written."""
        with self._lock:
            self._add(email)

    def _add(self, email: str) -> None:
        address = fold_address(email)
        if address != email:
            self._known.setdefault(address, set()).add(email)

    def _read(self) -> None:
        for number, page in enumerate(self._pages(), 1):
            if number > _MOST_PAGES:
                logger.warning(
                    "The contact list has more than %d pages of contacts; contacts on later pages are not found if "
                    "their addresses are in another letter case. Keep addresses at Amazon SES in lower case.",
                    _MOST_PAGES,
                )
                break
            for email in page:
                self._add(email)
        self._is_read = True
