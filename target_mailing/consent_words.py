"""The words in which sources tell whether somebody may be written to: statuses, yes and no, opt-outs; pure (P5).

A word that is not known never counts as consent: it raises ValueError, and the row is a reject.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from mailing_api.addresses import without_hidden
from target_mailing.deletion import FALSE_WORDS, is_moment, plain, words

__all__ = [
    "asks_for_opt_out",
    "choice_of",
    "choice_of_opt_out",
    "looks_like_consent",
    "status_reader",
    "tells_opt_outs",
]

#: How a status is told, letters and digits only -> what it is called here.
_STATUSES: Final[Mapping[str, str]] = {
    word: status
    for status, words in {
        "subscribed": "subscribed subscribe sub active optin optedin in confirmed doubleoptin",
        "unsubscribed": "unsubscribed unsubscribe unsub unsubbed optout optedout out notsubscribed neversubscribed "
        "nonsubscribed nosubscription cancelled canceled revoked withdrawn declined objected complained complaint spam "
        "markedasspam reportedspam donotcontact donotemail donotmail donotsend nomail noemail unsubscribedall",
        "excluded": "excluded exclude suppressed blocked blacklisted blocklisted bounced bounce hardbounce hardbounced "
        "cleaned invalid undeliverable inactive disabled deleted archived junk",
        "pending": "pending unconfirmed notconfirmed awaitingconfirmation waiting optinpending pendingoptin "
        "transactional",
        "unknown": "unknown",
    }.items()
    for word in words.split()
}
#: What spreadsheets and people write for "yes" in the languages that are common, without accents.
_TRUE_WORDS: Final = words("t true y yes on 1 ja wahr waar oui vrai si vero sim verdadeiro verdadero sand tak")
_YES: Final = _TRUE_WORDS | words("optin optedin in subscribed agreed accepted granted allowed")
_NO: Final = FALSE_WORDS | words(
    "0 optout optedout out unsubscribed notsubscribed declined denied refused revoked withdrawn never"
)
#: Beginnings of what tells of an opt-out, whatever follows: who, when, why.
_BEGINNINGS: Final = (
    *("unsub", "optout", "optedout", "donotcontact", "donotmail", "donotemail", "donotsend", "abgemeldet", "desabonn"),
    *("desinscri", "desuscri", "disiscri", "descadastrad", "uitgeschreven", "avregistre", "dadodebaja", "wypisan"),
)
_OPT_OUTS: Final = frozenset({"unsub", "unsubscribe", "unsubscribed", "optout", "optedout"})
#: In a column of opt-outs these alone are consent: whatever else means "yes" may say that the opt-out is in force.
_OPT_INS: Final = frozenset({"subscribed", "optin", "optedin"})
#: In a column of opt-outs: that there is one, and that there is none.
_IS_SET: Final = _TRUE_WORDS | {"x", "\u2713", "\u2714", "\u2611"}
_IS_NOT_SET: Final = FALSE_WORDS | {"0", "never"}
#: A date in another form than ISO 8601, with or without a time.
_DATE: Final = re.compile(r"\d{1,4}([/.-])\d{1,2}\1\d{1,4}(?:[ T].*)?")
#: The first time that a number of seconds, or of milliseconds, is taken for: in 1973.
_FIRST_TIME: Final = 10**8

_SEPARATORS: Final = re.compile(r"[\s_./-]+")
#: Names of columns in which "yes" means that somebody must not be written to.
_OPT_OUT_NAMES: Final = re.compile(
    r"(?<!not)(?:unsub|opt(?:ed)?out|donot|dont|nomail|noemail|nocontact|nomarketing|nonewsletter|suppress|exclu(?:ded?|sion)|"
    r"blocked|blocklist|blacklist|bounced|complain|spam|objected|objection|withdrew|withdrawn|revoked|cancell?ed|declined)"
)
_CONSENT_NAMES: Final = re.compile(
    _OPT_OUT_NAMES.pattern + r"|subscri|opt(?:ed)?in|consent|permission|newsletter|marketing|gdpr|"
    r"(?:mail|contact|member|list|customer|lead)status\Z|\Astatus\Z|mailable|contactable|"
    r"(?:allow|accept|receive|send)s?e?mail|mail(?:s|ing|ings)?(?:allowed|accepted|permitted|ok)"
)


def choice_of(value: Any) -> bool | None:
    """Whether somebody chose to be written to; None for a null or a blank.

    Raises:
        ValueError: it is no word or number for yes or no.
    """
    word = _word(value)
    if not word:
        return None
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise ValueError("neither yes nor no, OPT_IN nor OPT_OUT")


def choice_of_opt_out(value: Any) -> bool | None:
    """Whether somebody chose to be written to, by a value of a column of opt-outs; None where that says nothing.

    Raises:
        ValueError: it is no word, number or time that tells.
    """
    word = _word(value)
    if not word or word in _IS_NOT_SET:
        return None
    if word in _OPT_INS:
        return True
    if word in _IS_SET or word in _NO or _status_called(word) == "unsubscribed" or _is_time(value):
        return False
    raise ValueError("neither yes nor no, OPT_IN nor OPT_OUT")


def tells_opt_outs(column: str) -> bool:
    """Whether a column is called after opt-outs, so that "yes" in it means that somebody must not be written to."""
    return _OPT_OUT_NAMES.search(_letters(column)) is not None


def status_reader(column: str) -> Callable[[Any], str | None]:
    """What reads a column of statuses: it gives `subscription_status` in canonical words, None for a null or a blank.

    In a column that is called after opt-outs, such as `unsubscribed`, yes and times tell of one, and no of nothing; in
    any other, yes is `subscribed` and no `unsubscribed`.
    """
    return _status_of_opt_out if tells_opt_outs(column) else _status_of


def _status_of(value: Any) -> str | None:
    word = _word(value)
    if not word:
        return None
    if (status := _status_called(word)) is not None:
        return status
    if word in _YES:
        return "subscribed"
    if word in _NO:
        return "unsubscribed"
    raise ValueError("not known")


def _status_called(word: str) -> str | None:
    status = _STATUSES.get(word)
    return "unsubscribed" if status is None and word.startswith(_BEGINNINGS) else status


def _status_of_opt_out(value: Any) -> str | None:
    status = _status_called(_word(value))
    if status not in {None, "subscribed"}:
        return status
    try:
        choice = choice_of_opt_out(value)
    except ValueError:
        raise ValueError("not known") from None
    return None if choice is None else "subscribed" if choice else "unsubscribed"


def _is_time(value: Any) -> bool:
    if isinstance(value, str):
        text = without_hidden(value).strip()
        if is_moment(text):
            return True
        if _DATE.fullmatch(text):
            return bool(text.strip("0/.- :T"))  # there are dates of zeros
        return text.isdecimal() and int(text) >= _FIRST_TIME
    return isinstance(value, (int, float)) and value >= _FIRST_TIME


def asks_for_opt_out(action: str) -> bool:
    """Whether a row's action is an opt-out, however it is spelled."""
    word = _word(action)
    return word in _OPT_OUTS or word.startswith(("unsub", "optout", "optedout"))


def looks_like_consent(column: str) -> bool:
    """Whether a column's name suggests that it tells who may be written to."""
    return _CONSENT_NAMES.search(_letters(column)) is not None


def _word(value: Any) -> str:
    """A value as it stands in the vocabularies: lower case, no separators; a whole number as its digits."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return "1" if value == 1 else "0" if value == 0 else "?"
    if not isinstance(value, str):
        return "?"
    told = without_hidden(value).strip()
    text = plain(told)
    if not text and told.strip("'\"` "):
        return "?"
    return "1" if text == "1.0" else "0" if text == "0.0" else _SEPARATORS.sub("", text) or ("?" if text else "")


def _letters(column: str) -> str:
    return _SEPARATORS.sub("", column.casefold())
