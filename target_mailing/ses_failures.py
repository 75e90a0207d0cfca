"""The file of an import job's failed records, in any form that is by lines, since AWS publishes none; pure."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator
from typing import Any

import msgspec

from mailing_api.addresses import fold_address

__all__ = ["named_addresses"]

_ADDRESS_IN_TEXT = re.compile(r"[^\s@\"'<>,;:()\[\]{}\\]+@[^\s@\"'<>,;:()\[\]{}\\]+")


def named_addresses(content: bytes, sent: Collection[str]) -> dict[str, str]:
    """What is said of each address: of a line, it is the first one that was sent.

    Args:
        content: of the file.
        sent: the folded addresses of the job; a line's attributes may hold others.
    """
    found: dict[str, str] = {}
    for line in content.decode("utf-8", "replace").splitlines():
        address = next((one for one in map(fold_address, _addresses(line)) if one in sent), None)
        if address is not None:
            found.setdefault(address, line[:500])
    return found


def _addresses(line: str) -> Iterator[str]:
    """The addresses of a line, the likeliest first."""
    try:
        yield from _named(msgspec.json.decode(line))
    except ValueError:
        for cell in next(csv.reader([line]), []):
            if _ADDRESS_IN_TEXT.fullmatch(cell.strip()):
                yield cell.strip()
    yield from _ADDRESS_IN_TEXT.findall(line)


def _named(value: Any) -> Iterator[str]:
    """The values of members that are called after an address; the outer ones first."""
    if not isinstance(value, dict):
        return
    for name, one in value.items():
        if isinstance(one, str) and name.lower().replace("_", "") in {"emailaddress", "email"}:
            yield one
    for one in value.values():
        yield from _named(one)
