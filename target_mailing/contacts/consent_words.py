"""The words by which sources say whether a person may be contacted: statuses, yes and no, opt-outs; pure (P5).

An unknown word is never treated as consent: it raises ValueError, and the row is rejected.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from mailing_api.addresses import without_hidden
from target_mailing.contacts.consent_columns import tells_opt_outs
from target_mailing.contacts.dates import is_date
from target_mailing.contacts.deletion import FALSE_WORDS, is_no_value, plain, words

__all__ = [
    "asks_for_opt_out",
    "choice_of",
    "choice_of_opt_out",
    "status_reader",
]

#: A source's word for a status, letters and digits only -> the canonical status.
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
#: "Yes" as spreadsheets and people write it in common languages, without accents.
_TRUE_WORDS: Final = words("t true y yes on 1 ja wahr waar oui vrai si vero sim verdadeiro verdadero sand tak")
_YES: Final = _TRUE_WORDS | words("optin optedin in subscribed agreed accepted granted allowed")
_NO: Final = FALSE_WORDS | words(
    "0 optout optedout out unsubscribed notsubscribed declined denied refused revoked withdrawn never"
)
#: Prefixes of opt-outs, whatever follows: who, when, why.
_BEGINNINGS: Final = (
    *("unsub", "optout", "optedout", "donotcontact", "donotmail", "donotemail", "donotsend", "abgemeldet", "desabonn"),
    *("desinscri", "desuscri", "disiscri", "descadastrad", "uitgeschreven", "avregistre", "dadodebaja", "wypisan"),
)
_OPT_OUTS: Final = frozenset({"unsub", "unsubscribe", "unsubscribed", "optout", "optedout"})
#: In a column of opt-outs only these are consent: any other "yes" may mean that the opt-out is in force.
_OPT_INS: Final = frozenset({"subscribed", "optin", "optedin"})
#: In a column of opt-outs: there is one, there is none.
_IS_SET: Final = _TRUE_WORDS | words(
    "x \u2713 \u2714 \u2611 checked ticked marked angekreuzt coche cochee marcado aangevinkt zaznaczone"
)
_IS_NOT_SET: Final = FALSE_WORDS | {"0", "never"}

_SEPARATORS: Final = re.compile(r"[\s_./-]+")
#: The first word of several: "yes, by phone".
_FIRST_WORD: Final = re.compile(r"(?:[^\W\d_]+|[\u2713\u2714\u2611])(?=\W|_)")
#: A form's choice that was not made: "yes/no".
_EITHER: Final = re.compile(r"\w+\W+(\w+)")


def choice_of(value: Any) -> bool | None:
    """Whether a person agreed to be contacted; None for a null or a blank.

    Raises:
        ValueError: it is neither yes nor no.
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
    """Whether a person agreed to be contacted, by a column of opt-outs; None where the value says nothing.

    Raises:
        ValueError: it is neither yes, no nor a time.
    """
    word = _word(value)
    if not word or word in _IS_NOT_SET or _is_no_value(value):
        return None
    if word in _OPT_INS:
        return True
    if word in _IS_SET or word in _NO or _status_called(word) == "unsubscribed" or is_date(value):
        return False
    if _begins_with_yes(value):
        return False
    raise ValueError("neither yes nor no, OPT_IN nor OPT_OUT")


def status_reader(column: str) -> Callable[[Any], str | None]:
    """The function that reads a column of statuses: the canonical `subscription_status`, None for a null or a blank.

    In a column named after opt-outs, such as `unsubscribed`, yes and times are opt-outs, and no says nothing; in any
    other, yes is `subscribed` and no `unsubscribed`.
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
    raise ValueError("not a known status")


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
        raise ValueError("not a known status") from None
    return None if choice is None else "subscribed" if choice else "unsubscribed"


def _is_no_value(value: Any) -> bool:
    if isinstance(value, str):
        return is_no_value(without_hidden(value))
    return isinstance(value, float) and math.isnan(value)


def _begins_with_yes(value: Any) -> bool:
    """Whether it begins with yes, such as `yes, by phone`; `yes/no` does not count."""
    if not isinstance(value, str):
        return False
    text = plain(without_hidden(value))
    first, either = _FIRST_WORD.match(text), _EITHER.fullmatch(text)
    return first is not None and first[0] in _IS_SET and not (either is not None and either[1] in FALSE_WORDS)


def asks_for_opt_out(action: str) -> bool:
    """Whether a row's action is an opt-out, in any spelling."""
    word = _word(action)
    return word in _OPT_OUTS or word.startswith(("unsub", "optout", "optedout"))


def _word(value: Any) -> str:
    """A value as the sets above have it: lower case, no separators; a whole number as its digits."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return "1" if value == 1 else "0" if value == 0 else "?"
    if not isinstance(value, str):
        return "?"
    visible = without_hidden(value).strip()
    text = plain(visible)
    if not text and visible.strip("'\"` "):
        return "?"
    return "1" if text == "1.0" else "0" if text == "0.0" else _SEPARATORS.sub("", text) or ("?" if text else "")
