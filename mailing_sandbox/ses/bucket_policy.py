"""Bucket policies, as far as the sandbox follows them: who may read, and which headers an upload must have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

UPLOADS = {"s3:PutObject", "s3:Put*", "s3:*", "*"}
READS = {"s3:GetObject", "s3:*", "*"}


def allows_ses(statement: object, resource: str, account: str) -> bool:
    """Tell whether a statement lets SES read an object (SES reference, permissions)."""
    if not isinstance(statement, dict) or statement.get("Effect") != "Allow":
        return False
    principal = statement.get("Principal")
    services = listed(principal.get("Service")) if isinstance(principal, dict) else [principal]
    condition = statement.get("Condition", {}).get("StringEquals", {})
    named = condition.get("aws:Referer", condition.get("aws:SourceAccount", condition.get("AWS:SourceAccount")))
    return (
        bool({"ses.amazonaws.com", "*"} & {*services})
        and bool(READS & {*listed(statement.get("Action"))})
        and any(_covers(str(each), resource) for each in listed(statement.get("Resource")))
        and (named is None or account in listed(named))
    )


def is_conditional_denial(statement: object) -> bool:
    """Tell whether a statement denies something on conditions."""
    return isinstance(statement, dict) and statement.get("Effect") == "Deny" and bool(statement.get("Condition"))


def denies_upload(statement: object, resource: str, headers: Mapping[str, str]) -> bool:
    """Tell whether a statement denies everybody an upload with these headers.

    It knows the operators of policies that demand encryption; a statement with any other denies nothing.
    """
    if not isinstance(statement, dict) or statement.get("Effect") != "Deny":
        return False
    return (
        statement.get("Principal") in ("*", {"AWS": "*"})
        and bool(UPLOADS & {*listed(statement.get("Action"))})
        and any(_covers(str(each), resource) for each in listed(statement.get("Resource")))
        and all(
            _holds(operator, wanted, headers.get(key.lower().removeprefix("s3:")))
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def listed(value: object) -> list[Any]:
    """Return what may stand alone or in a list, as a list."""
    return value if isinstance(value, list) else [value]


def _holds(operator: str, wanted: object, found: str | None) -> bool:
    words = [str(each) for each in listed(wanted)]
    name = operator.removesuffix("IfExists")
    if name == "Null":
        return (found is None) == (words[0].lower() == "true")
    if found is None:
        return name == "StringNotEquals" or name != operator
    return {"StringEquals": found in words, "StringNotEquals": found not in words}.get(name, False)


def _covers(pattern: str, resource: str) -> bool:
    start, star, end = pattern.partition("*")
    if not star:
        return pattern == resource
    return resource.startswith(start) and resource.endswith(end) and len(resource) >= len(start) + len(end)
