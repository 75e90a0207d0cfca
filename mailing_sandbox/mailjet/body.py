"""Request bodies: JSON objects, checked the way Mailjet checks them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from mailing_sandbox.mailjet.records import is_id
from mailing_sandbox.mailjet.refusal import Dropped, Refusal
from mailing_sandbox.mailjet.values import fault_of_address

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from mailing_sandbox.mailjet.account import Account
    from mailing_sandbox.provider import Call


def read(account: Account, call: Call, names: Iterable[str] = ()) -> dict[str, Any]:
    """Decode a body that must be a JSON object, an empty one if absent.

    `names` are the keys that matter: with the switch `body_keys` they are recognised in any case. A body beyond
    `max_body_bytes` resets the connection (Mailjet reference, size limits).
    """
    limit = account.switches.max_body_bytes
    if limit and len(call.body) > limit:
        raise Dropped
    try:
        body = msgspec.json.decode(call.body) if call.body else {}
    except msgspec.DecodeError as error:
        raise Refusal(400, f"Invalid json input: {error}") from error
    if not isinstance(body, dict):
        raise Refusal(400, "Invalid json input: an object is expected")
    return spelled(account, body, names)


def spelled(account: Account, fields: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return the fields with their keys spelled as in `names`, if the switch `body_keys` says so."""
    if account.switches.body_keys == "sensitive":
        return fields
    right = {name.lower(): name for name in names}
    return {right.get(name.lower(), name): value for name, value in fields.items()}


def fields(
    account: Account, call: Call, kind: str, writable: Collection[str], fixed: Collection[str] = ()
) -> dict[str, Any]:
    """Decode the body of a REST object: `fixed` fields are refused as read-only, others unknown as unknown."""
    body = read(account, call, [*writable, *fixed])
    for name in body:
        if name in fixed:
            raise Refusal(401, f'MJ19 Setting a value for property "{name}" is not allowed')
        if name not in writable:
            raise Refusal(400, f'Invalid json input: object ""->"T{kind}" has no property "{name}"')
    return body


def address(email: Any) -> str:
    """Return an e-mail address; a 400 says what is wrong with it."""
    reason = fault_of_address(email)
    if reason is not None:
        raise Refusal(400, f'Internal error: Invalid email address "{email}", reason: "{reason}"')
    return str(email)


def boolean(value: Any, name: str) -> bool:
    """Return a boolean that may come as a string."""
    word = str(value).lower() if isinstance(value, bool | str | int) else ""
    if word not in ("true", "false", "1", "0"):
        raise Refusal(400, f'Invalid value for property "{name}"')
    return word in ("true", "1")


def integer(value: Any, name: str) -> int:
    """Return an integer that may come as a string."""
    if isinstance(value, str) and is_id(value.strip()):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise Refusal(400, f'Invalid value for property "{name}"')


def string(value: Any, name: str) -> str:
    """Return a string."""
    if not isinstance(value, str):
        raise Refusal(400, f'Invalid value for property "{name}"')
    return value
