"""Other spellings of addresses that a listing has: a provider may take letter case for a difference."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from mailing_api.addresses import fold_address

__all__ = ["Spellings"]

logger = logging.getLogger("target-mailing.ses")

#: Pages that are read at most, at about one a second: 50,000 contacts.
_MOST_PAGES: Final = 50


class Spellings:
    """The addresses in a listing that are not spelled as `fold_address` gives them; read once, when first needed.

    Only the spelling is remembered. What is known of its contact is asked for when it is needed.
    """

    def __init__(self, pages: Callable[[], Iterable[Sequence[str]]]) -> None:
        """Take what reads the listing."""
        self._pages = pages
        self._lock = threading.Lock()
        self._is_read = False
        self._known: dict[str, set[str]] = {}

    def of(self, folded: str) -> Sequence[str]:
        """How the listing spells an address, besides as it is folded."""
        with self._lock:
            if not self._is_read:
                self._read()
            return sorted(self._known.get(folded, ()))

    def add(self, email: str) -> None:
        """An address that is written so from now on."""
        folded = fold_address(email)
        if folded != email:
            with self._lock:
                self._known.setdefault(folded, set()).add(email)

    def _read(self) -> None:
        for number, page in enumerate(self._pages(), 1):
            if number > _MOST_PAGES:
                logger.warning(
                    "The contact list has more than %d pages of contacts, so addresses in another letter case are not "
                    "looked for beyond them. Keep addresses in lower case at Amazon SES",
                    _MOST_PAGES,
                )
                break
            for email in page:
                folded = fold_address(email)
                if folded != email:
                    self._known.setdefault(folded, set()).add(email)
        self._is_read = True
