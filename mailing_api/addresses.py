"""E-mail addresses: cleaning before they are sent, comparison, and syntax that no server accepts.

An address is sent without the spaces, hidden characters, quotes and brackets around it. Addresses are compared by
`fold_address` only.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from functools import lru_cache

import idna

__all__ = [
    "check_address",
    "fold_address",
    "fold_addresses",
    "is_reachable",
    "odd_addresses",
    "other_spelling",
    "sent_address",
    "sent_addresses",
    "with_ascii_domain",
    "without_hidden",
]

#: The form of nearly all addresses: these need no cleaning, and every mail server accepts their syntax.
_FORM = (
    r"(?=.{3,64}END)[A-Za-z0-9_+-]++(?:\.[A-Za-z0-9_+-]++)*+@(?:[A-Za-z0-9]++(?:-[A-Za-z0-9]++)*+\.)+[A-Za-z]{2,}+END"
)
_ORDINARY = re.compile(_FORM.replace("END", r"\Z"))
#: Any number of them, each with a line end.
_ALL_ORDINARY = re.compile(rf"(?:{_FORM})*+\Z".replace("END", r"\n"))
#: Addresses that are checked at once where not all of a larger number are ordinary.
_FEW = 64
#: Control characters, the characters that Unicode calls default ignorable, and the empty braille pattern; characters
#: of the category "format" are hidden, too.
_HIDDEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u2800\u3164\U00016fe4\U0001d159\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
#: Separators of a domain's labels that Unicode's compatibility forms keep.
_DOTS = str.maketrans(dict.fromkeys("\u3002\uff61", "."))
_OPENING = "<([{\"'`\u2018\u201a\u201b\u201c\u201e\u201f\u00ab\u2039\u300c"
_CLOSING = ">)]}\"'`\u2019\u2018\u201d\u201c\u00bb\u203a\u300d"
_SCHEME = re.compile(r"mailto:(?://)?", re.IGNORECASE)
#: "Ada Lovelace <ada@example.com>"
_NAMED = re.compile(r".*<([^<>]*@[^<>]*)(?:>[^\w@]*)?", re.DOTALL)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"(?=@[^@]*\Z)')
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_AROUND_AT = re.compile(r"\s*@\s*")
_FINAL_DOT = re.compile(r"\.+\Z")
_SHAPE = re.compile(r'(?:[^\s@\ud800-\udfff]+|"(?:[^"\\\ud800-\udfff]|\\.)*")@[^\s@\ud800-\udfff]+')
#: Replacements of characters that were lost, so that the address is unknown.
_LOST = re.compile("[\ufffc\ufffd]")
#: Names that no public name server knows.
_SPECIAL_USE = re.compile(r"\.(?:arpa|invalid|local|localhost|onion|test)\Z", re.IGNORECASE)

#: Reserved names that no host has.
_UNASSIGNED = re.compile(r"\.(?:invalid|localhost)\Z", re.IGNORECASE)

_LONGEST = 320


def sent_address(text: str) -> str:
    """Return an address as it is sent: without the spaces, hidden characters, quotes and brackets around it.

    Compatibility forms of characters, such as full-width letters, become the characters themselves. The domain is in
    lower case, without a final dot. Of an ordinary address only spaces and the case of the domain change.

    Raises:
        ValueError: it does not have the form of an address; the message quotes no data.
    """
    bare = text.strip()
    if not _ORDINARY.match(bare):
        return _cleaned(bare)
    if bare.islower():
        return bare
    local, _, domain = bare.rpartition("@")
    return f"{local}@{domain.lower()}"


def sent_addresses(texts: Sequence[str]) -> Sequence[str] | None:
    """Return each address as `sent_address` does, if all are ordinary but for spaces around them."""
    bare = [*map(str.strip, texts)]
    if odd_addresses(bare):
        return None
    return bare if [*map(str.lower, bare)] == bare else [*map(sent_address, bare)]


def with_ascii_domain(address: str) -> str:
    """Return an address, given as it is sent, with its domain in Punycode if that is not ASCII."""
    if address.isascii():
        return address
    local, _, domain = address.rpartition("@")
    return f"{local}@{'.'.join(map(_label, domain.split('.')))}"


def other_spelling(address: str) -> str | None:
    """Return an address, given as it is sent, with its domain in Unicode instead of Punycode, or the other way round.

    If only the part before the `@` is not ASCII, the accents of its letters become separate characters. None if there
    is no other spelling.
    """
    if not address.isascii():
        other = with_ascii_domain(address)
        if other == address:
            other = unicodedata.normalize("NFD", address)
    elif "@xn--" in (lowered := address.lower()) or ".xn--" in lowered:
        local, _, domain = address.rpartition("@")
        try:
            other = f"{local}@{idna.decode(domain)}"
        except (idna.IDNAError, UnicodeError):
            return None
    else:
        return None
    return None if other == address else other


def odd_addresses(addresses: Sequence[str]) -> Collection[str]:
    """Return those that do not have the ordinary form.

    Of an ordinary address `sent_address` changes only the case of its domain, `fold_address` puts it in lower case,
    `check_address` accepts it, and it has no `other_spelling`.
    """
    joined = "\n".join((*addresses, ""))
    if joined.count("\n") > len(addresses):
        return {one for one in addresses if not _ORDINARY.match(one)}
    return _odd_lines(joined)


@lru_cache(maxsize=1)  # the same addresses are mapped, compared and encoded
def _odd_lines(joined: str) -> Collection[str]:
    if _ALL_ORDINARY.match(joined):
        return ()
    lines = joined.split("\n")[:-1]
    pieces = (lines[begin : begin + _FEW] for begin in range(0, len(lines), _FEW))
    odd_pieces = (piece for piece in pieces if not _ALL_ORDINARY.match("\n".join((*piece, ""))))
    return frozenset(one for piece in odd_pieces for one in piece if not _ORDINARY.match(one))


def fold_addresses(addresses: Sequence[str]) -> list[str]:
    """Return each address as `fold_address` does."""
    odd = odd_addresses(addresses)
    return [fold_address(one) if one in odd else one.lower() for one in addresses]


def fold_address(address: str) -> str:
    """Return an address in the form in which equal mailboxes are equal: an ordinary one in lower case.

    A string that is not an address is only put in lower case.
    """
    if _ORDINARY.match(address):
        return address.lower()
    return _folded(address)


def check_address(address: str, *, ascii_only: bool = False) -> None:
    """Check whether mail servers accept the syntax of an address; nothing is looked up.

    Args:
        address: a result of `sent_address`.
        ascii_only: only ASCII is accepted before the `@`.

    Raises:
        ValueError: they do not; the message may quote parts of the address.
    """
    if _ORDINARY.match(address):
        return
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415 - few addresses need it

    if _LOST.search(address):
        raise ValueError("a character was lost: the address holds a replacement character")
    # Whether a domain is public is for the provider to decide.
    checked = _SPECIAL_USE.sub(".example", address)
    try:
        validate_email(checked, allow_smtputf8=not ascii_only, strict=True, check_deliverability=False)
    except EmailNotValidError as no:
        raise ValueError(str(no).rstrip(".")) from None


def is_reachable(address: str) -> bool:
    """Return whether an address, given as it is sent, may belong to a person; replacements for erased ones do not."""
    try:
        check_address(address)
    except ValueError:
        return False
    return _UNASSIGNED.search(address) is None


def _cleaned(text: str) -> str:
    """The address in a string, without surrounding and hidden characters; its domain in lower case."""
    if len(text) > 2 * _LONGEST:
        raise ValueError("too long for an e-mail address")
    bare = without_hidden(unicodedata.normalize("NFKC", without_hidden(text))).strip()
    before = ""
    while bare != before:
        before = bare
        bare = _unwrapped(bare)
    local, at, domain = bare.rpartition("@")
    bare = f"{local}{at}{_lower(domain)}"
    if len(bare) > _LONGEST or not _SHAPE.fullmatch(bare):
        raise ValueError("no e-mail address")
    return bare


def without_hidden(text: str) -> str:
    """Return a string without control, format and other invisible characters; spaces and line breaks stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(sign for sign in _HIDDEN.sub("", text) if unicodedata.category(sign) != "Cf")


def _unwrapped(text: str) -> str:
    """A string without its outermost quotes and brackets."""
    bare = text
    if not _QUOTED.match(bare) and (named := _NAMED.fullmatch(bare)):
        bare = named[1]
    if scheme := _SCHEME.match(bare):
        bare = bare[scheme.end() :].partition("?")[0]
    if (quoted := _QUOTED.match(bare)) is None:
        bare = bare.lstrip(_OPENING)
    elif _ATOMS.fullmatch(plain := re.sub(r"\\(.)", r"\1", quoted[1])):
        bare = plain + bare[quoted.end() :]
    return _FINAL_DOT.sub("", _AROUND_AT.sub("@", bare.rstrip(_CLOSING)).translate(_DOTS).strip())


def _lower(domain: str) -> str:
    """A domain in lower case; beyond ASCII by Unicode's mapping for domain names."""
    if domain.isascii():
        return domain.lower()
    try:
        return idna.uts46_remap(domain, std3_rules=False, transitional=False)
    except (idna.IDNAError, UnicodeError):
        return unicodedata.normalize("NFKC", domain.lower())


@lru_cache(maxsize=1024)
def _folded(address: str) -> str:
    try:
        cleaned = _cleaned(address)
    except ValueError:
        return address.lower()
    local, _, domain = cleaned.rpartition("@")
    # The Greek letter sigma has two lower-case forms.
    local = unicodedata.normalize("NFKC", local.lower()).replace("\u03c2", "\u03c3")
    return f"{local}@{'.'.join(map(_label, domain.split('.')))}"


def _label(label: str) -> str:
    """A label of a domain in Punycode, if it is not ASCII."""
    if label.isascii() and not label.startswith("xn--"):
        return label
    try:
        return idna.alabel(label).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return label
