"""Recognises dates as people, spreadsheets and programs write them; pure."""

from __future__ import annotations

import re
from datetime import date
from typing import Any, Final

from mailing_api.addresses import without_hidden
from target_mailing.contacts.deletion import is_moment, plain, words

__all__ = ["is_date"]

#: Digits only, with or without a time.
_NUMERIC: Final = re.compile(r"\d{1,4}\s*([/.-])\s*\d{1,2}\s*\1\s*\d{1,4}\.?(?:[ T,].*)?")
_MONTH_AND_YEAR: Final = re.compile(r"(?:19|20)\d\d[/.-]\d{1,2}|\d{1,2}[/.-](?:19|20)\d\d")
_COMPACT: Final = re.compile(r"((?:19|20)\d\d)(\d\d)(\d\d)")
#: Names of months, without accents; each may be abbreviated to three letters or more.
_MONTHS: Final = words(
    "january february march april may june july august september october november december "
    "januar janner jaenner februar feber marz maerz mai juni juli oktober dezember "
    "janvier fevrier mars avril juin juillet aout septembre octobre novembre decembre "
    "enero febrero marzo abril mayo junio julio agosto septiembre setiembre octubre noviembre diciembre "
    "gennaio febbraio aprile maggio giugno luglio settembre ottobre dicembre "
    "janeiro fevereiro marco maio junho julho setembro outubro novembro dezembro "
    "januari februari maart mrt mei augustus maj augusti marts desember "
    "styczen stycznia luty lutego marzec marca kwiecien kwietnia maja czerwiec czerwca lipiec lipca sierpien sierpnia "
    "wrzesien wrzesnia pazdziernik pazdziernika listopad listopada grudzien grudnia"
)
_SHORTEST: Final = 3
_ABBREVIATED: Final = frozenset(name[:at] for name in _MONTHS for at in range(_SHORTEST, len(name) + 1))
#: Other words in dates: days of the week, small words, and parts of a time.
_WEEKDAYS: Final = words(
    "monday tuesday wednesday thursday friday saturday sunday tues thur thurs "
    "montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag mo di mi do fr sa so "
    "lundi mardi mercredi jeudi vendredi samedi dimanche lunes martes miercoles jueves viernes sabado domingo "
    "lunedi martedi mercoledi giovedi venerdi sabato domenica segunda terca quarta quinta sexta feira "
    "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag mandag tirsdag onsdag torsdag fredag lordag sondag "
    "mandag tisdag poniedzialek wtorek sroda czwartek piatek sobota niedziela"
)
_BESIDE: Final = (
    frozenset(name[:at] for name in _WEEKDAYS for at in range(min(_SHORTEST, len(name)), len(name) + 1))
    | words("st nd rd th er of the on at de del den der dem d le il el am pm a m um uhr h t z utc gmt cet cest r roku")
    | words("est edt cst cdt mst mdt pst pdt bst")
)
#: A time zone by its name.
_IN_BRACKETS: Final = re.compile(r"\([^()]*\)\Z")
_TOKEN: Final = re.compile(r"\d+|[^\W\d_]+")
#: Spreadsheets write dates as numbers of days: these are the days from 1954 to 2119.
_DAYS_COUNTED: Final = (20_000, 80_000)
#: The smallest number that is treated as Unix seconds or milliseconds: in 1973.
_FIRST_TIME: Final = 10**8
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")


def is_date(value: Any) -> bool:
    """Whether a value is a date in any usual form: ISO 8601, digits, a month's name, a spreadsheet's day, Unix time."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _is_number_of_date(value)
    if not isinstance(value, str):
        return False
    text = without_hidden(value).strip()
    if is_moment(text) or _MONTH_AND_YEAR.fullmatch(text):
        return True
    if _NUMERIC.fullmatch(text):
        return bool(text.strip("0/.,- :T"))  # some programs write dates of zeros
    if _NUMBER.fullmatch(text):
        return _is_number_of_date(float(text))
    return _has_month_by_name(text)


def _is_number_of_date(number: float) -> bool:
    first, last = _DAYS_COUNTED
    return first <= number <= last or number >= _FIRST_TIME or _is_compact(number)


def _is_compact(number: float) -> bool:
    """Whether it is `20240305`."""
    digits = _COMPACT.fullmatch(f"{number:.0f}")
    if digits is None or number != int(number):
        return False
    try:
        date(*map(int, digits.groups()))
    except ValueError:
        return False
    return True


def _has_month_by_name(text: str) -> bool:
    """Whether it is a date such as `5 March 2024` or `Tue Mar 05 2024 10:00`, and nothing more."""
    tokens = _TOKEN.findall(plain(_IN_BRACKETS.sub("", text)))
    numbers = [one for one in tokens if one.strip("0").isdecimal()]
    names = [one for one in tokens if not one.isdecimal()]
    if not any(one in _ABBREVIATED for one in names) or not all(one in _ABBREVIATED or one in _BESIDE for one in names):
        return False
    return len(numbers) > 1 or any(len(one) == len("2024") for one in numbers)
