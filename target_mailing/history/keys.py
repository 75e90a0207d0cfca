"""The keys of a stream's records, as the history shows them: those that are contact data are hashed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

import msgspec

from mailing_api.addresses import fold_address, sent_address, without_hidden
from target_mailing.contacts.mapping import Values
from target_mailing.contacts.values import number_text, whole_float

__all__ = ["PERSONAL", "KeyColumns", "hidden", "personal_columns"]

#: Fields of contacts that are hashed where a key is mapped to them.
PERSONAL: Final = ("email", "name", "first_name", "last_name", "phone", "address_line1", "address_line2")

#: What stands before a hash, so that nobody takes it for a key.
_HASHED: Final = "hashed:"
#: Other values that are hashed: anything with an "@", and telephone numbers in their international form.
_CONTACT: Final = re.compile(r"""@|%40|&#0*64;|&#x0*40;|&commat;|(?:^|"|tel:)[\W_]*\+[\W_]*\d""", re.IGNORECASE)
#: Strings with nothing of this in them need not be looked at one by one, as they are encoded.
_SUSPICIOUS: Final = re.compile(rb"[@+%&\x80-\xff]|\\u0000")
#: What may be in a column's name besides letters and digits.
_SEPARATORS: Final = re.compile(r"[\W_]+")

_encoder = msgspec.json.Encoder()
_encode, _encode_lines = _encoder.encode, _encoder.encode_lines


def personal_columns(
    columns: Iterable[str], mapping: Mapping[str, str], maps: Iterable[Mapping[str, Any]] = ()
) -> frozenset[str]:
    """Those of a stream's columns that become a person's fields, or have a name like one of them, in any letter case.

    Args:
        columns: as the tap names them.
        mapping: the setting.
        maps: the stream maps, whichever stream each is for: a column is a person's, too, if one of these fields is made
            of it.
    """
    fields = {*PERSONAL, *(mapping[name] for name in PERSONAL if name in mapping)}
    names = {*map(_plain, fields)}
    made = [text for one in maps for name, text in one.items() if isinstance(text, str) and _plain(name) in names]
    return frozenset(
        column for column in columns if _plain(column) in names or any(_mentions(text, column) for text in made)
    )


def _plain(name: str) -> str:
    return _SEPARATORS.sub("", name).casefold()


def _mentions(expression: str, column: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(column)}(?!\w)", expression) is not None


class KeyColumns:
    """Reads and encodes the keys of one stream.

    A key of one column is that value as a string; one of several is a string that holds an object in JSON.
    """

    def __init__(
        self,
        stream: str,
        columns: Sequence[str],
        *,
        personal: Iterable[str],
        hashed: Callable[[Sequence[bytes]], list[bytes]] | None,
    ) -> None:
        """Compile it.

        Args:
            stream: its name in the input.
            columns: of the key; there may be none.
            personal: columns whose values are hashed whatever they look like.
            hashed: hashes encoded values; None to show them all.
        """
        self._begin = b'"stream":%b,"key":' % _encode(stream)
        self._columns = columns
        self._personal = frozenset(personal).intersection(columns)
        self._hashed = hashed

    def encoded(self, rows: Sequence[Values], at: int = 0) -> list[bytes]:
        """Stream and key of records, as members of JSON objects.

        Args:
            rows: of which the key's values are a part.
            at: the position of its first value.
        """
        if not self._columns:
            return [self._begin + b"null"] * len(rows)
        if len(self._columns) == 1:
            keys = self._single([*map(itemgetter(at), rows)])
        else:
            keys = self._composite([row[at : at + len(self._columns)] for row in rows])
        return [self._begin + key for key in keys]

    def of_record(self, record: Mapping[str, Any]) -> bytes:
        """The same for a record by its columns; a column that it lacks is null."""
        return self.encoded([tuple(map(record.get, self._columns))])[0]

    def _single(self, values: Sequence[Any]) -> list[bytes]:
        texts = values if {*map(type, values)} == {str} else [*map(_text, values)]
        if self._personal and self._hashed is not None:
            texts = [*map(self._hash, texts)]
        try:
            encoded = _encode_lines(texts)
        except UnicodeEncodeError:  # half of a pair of surrogates
            return self._single([text and _legible(text) for text in texts])
        if _SUSPICIOUS.search(encoded):
            return _encode_lines([*map(self._shown, texts)]).splitlines()
        return encoded.splitlines()

    def _composite(self, keys: Sequence[Values]) -> list[bytes]:
        return [_encode(_encode(self._object(key)).decode()) for key in keys]

    def _object(self, key: Values) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        for name, value in zip(self._columns, key, strict=True):
            if value is None or isinstance(value, bool):
                shown[name] = value
            elif isinstance(value, (int, float)) and name not in self._personal:
                shown[name] = whole_float(value) if isinstance(value, float) else value
            elif name in self._personal:
                shown[name] = self._hash(_text(value))
            else:
                shown[name] = self._shown(_text(value))
        return shown

    def _shown(self, text: str | None) -> str | None:
        if text is None:
            return None
        return self._hash(text) if _is_contact(text) else _legible(text)

    def _hash(self, text: str | None) -> str | None:
        if text is None or self._hashed is None:
            return None if text is None else _legible(text)
        return hidden(self._hashed, text)


def hidden(hashed: Callable[[Sequence[bytes]], list[bytes]], text: str) -> str:
    """How a value that is contact data is shown, by the hashes of `Hashes.history_keys`.

    All spellings of a mailbox are shown alike.
    """
    return _HASHED + hashed([_legible(_folded(text)).encode()])[0].hex()


def _folded(text: str) -> str:
    if "@" not in text and text.isascii():
        return text
    try:
        return fold_address(sent_address(text))
    except ValueError:
        return text


def _is_contact(text: str) -> bool:
    """Whether a value looks like an address or a telephone number, written in whichever characters."""
    return _CONTACT.search(text) is not None or (
        not text.isascii() and _CONTACT.search(without_hidden(unicodedata.normalize("NFKC", text))) is not None
    )


def _text(value: Any) -> str | None:
    """A value in words; None where it has none, or is a number of thousands of digits."""
    if value is None or isinstance(value, str):
        return value
    try:
        return number_text(value) if type(value) in {int, float} else _encode(value).decode()
    except (ValueError, RecursionError):
        return None


def _legible(text: str) -> str:
    """A string that every database can store."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
