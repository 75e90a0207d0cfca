"""Amazon SES's responses: objects, pages, and the errors for refusals; pure."""

from __future__ import annotations

import re
from typing import Any

import httpx
import msgspec

from mailing_api.aws.errors import CLOCK, SKEWED, error_code, passing, says_another_time
from mailing_api.errors import (
    AuthenticationError,
    MailingError,
    NotFound,
    PermissionDenied,
    ProviderFault,
    RequestRefused,
)
from mailing_api.ses.words import is_invalid

__all__ = ["Row", "answer", "flat", "is_stale_token", "page_of", "read_error", "refuses_page_size"]

Row = dict[str, Any]

_EXPIRED = frozenset({"ExpiredTokenException", "ExpiredToken"})
_UNKNOWN_KEY = frozenset({"UnrecognizedClientException", "InvalidClientTokenId"})
_SIGNATURE = frozenset({"InvalidSignatureException", "SignatureDoesNotMatch"})
_UNSIGNED = frozenset({"MissingAuthenticationTokenException", "IncompleteSignatureException"})

_ACTION = re.compile(r"\b(?:ses|sts|s3|kms):[A-Za-z]+")
_TOKEN = re.compile(r"(?:Next|Pagination)Token").search
_PAGE_SIZE = re.compile(r"page[\s_-]?size|max[\s_-]?results", re.IGNORECASE).search
_REQUEST_ID = re.compile(r"[\w-]{1,64}")


class _TopicPreference(msgspec.Struct):
    TopicName: str
    SubscriptionStatus: str


class _Topic(msgspec.Struct):
    TopicName: str


class _Shape(msgspec.Struct):
    """The types of the members that decide about people; others are not checked."""

    EmailAddress: str | None = None
    UnsubscribeAll: bool | None = None
    TopicPreferences: list[_TopicPreference] | None = None
    AttributesData: str | None = None
    Topics: list[_Topic] | None = None
    ImportDataSource: Row | None = None
    ImportDestination: Row | None = None
    FailureInfo: Row | None = None
    SuppressedDestination: Row | None = None


def answer(response: httpx.Response) -> Row:
    """Return the object in a response; raise ValueError if there is none, or it has members of another type."""
    _SHAPE.decode(response.content)
    return _OBJECT.decode(response.content)


def page_of(content: Row, member: str) -> tuple[list[Row], str | None]:
    """Return the rows of a page, and the token of the next page; in the model both are optional.

    Raises:
        ValueError: the rows are not a list of objects, the token is not a string, or the content is not a page.
    """
    rows = content.get(member)
    if rows is None and content.keys() - {member, "NextToken"}:
        raise ValueError("not a page")
    token = msgspec.convert(content.get("NextToken"), str | None)
    return msgspec.convert([] if rows is None else rows, list[Row]), token


def flat(row: Row, prefix: str = "") -> Row:
    """Return a row in which the fields of nested objects have names with dots."""
    fields: Row = {}
    for name, value in row.items():
        if isinstance(value, dict):
            fields |= flat(value, f"{prefix}{name}.")
        else:
            fields[f"{prefix}{name}"] = value
    return fields


def is_stale_token(error: MailingError) -> bool:
    """Return whether a page after the first was refused because of its token.

    Only one operation declares an error for that. The others use the error for any bad request, but only the token has
    changed since the page before.
    """
    return is_invalid(error) or (error.code is not None and _TOKEN(error.code) is not None)


def refuses_page_size(error: MailingError) -> bool:
    """Return whether a request was refused because of its page size, whose limits are unverified."""
    return is_invalid(error) and _PAGE_SIZE(error.said) is not None


def read_error(request: str, response: httpx.Response) -> MailingError:
    """Return the error for a refusal. Messages quote addresses, so it holds only codes and names of actions.

    Args:
        request: the name of the request, which ends with the operation's name.
        response: the refusal.
    """
    status = response.status_code
    code, said = _code_and_message(response)
    identifier = response.headers.get("x-amzn-requestid", "")
    parts = [f"HTTP {status}", code, f"request {identifier}" if _REQUEST_ID.fullmatch(identifier) else None]
    kind, advice = _meaning(status, code, said, request.rpartition(" ")[2])
    message = f"{request}: {', '.join(filter(None, parts))}. {advice}".strip()
    return kind(message, status=status, code=code, said=said, maybe_done=status >= 500 or kind is ProviderFault)


def _meaning(status: int, code: str | None, said: str, operation: str) -> tuple[type[MailingError], str]:
    """The kind of error, and its advice."""
    if (kind := passing(code)) is not None:
        return kind, ""
    if code in SKEWED or (code in _SIGNATURE and says_another_time(said)):
        return RequestRefused, CLOCK
    if (cause := _refused_credentials(code, said)) is not None:
        return AuthenticationError, cause
    if status == 403:
        action = _ACTION.search(said)
        return (
            PermissionDenied,
            f"The credentials have no permission for {action[0] if action else f'ses:{operation}'}.",
        )
    if status == 404:
        # Other servers respond so, too; that must not be read as "deleted".
        is_ours = code == "NotFoundException"
        return (NotFound, "") if is_ours else (RequestRefused, "Check `ses_endpoint_url`: the path is unknown there.")
    return (ProviderFault if status >= 500 else RequestRefused), ""


def _refused_credentials(code: str | None, said: str) -> str | None:
    if code in _EXPIRED:
        return (
            "The session token has expired: get new credentials, or set a profile or `ses_assume_role_arn`, whose "
            "credentials are renewed automatically."
        )
    if code in _UNKNOWN_KEY:
        return "The access key or its session token is unknown, or this region is not enabled for the AWS account."
    if code in _SIGNATURE:
        if "valid region" in said:
            return "Setting `ses_regions` names a region that this endpoint does not serve."
        return "The secret access key does not belong to the access key."
    return "The signature was changed or removed on the way: check for a proxy." if code in _UNSIGNED else None


def _code_and_message(response: httpx.Response) -> tuple[str | None, str]:
    """The error's code, from the header or the body, and its message. Bodies may be HTML."""
    try:
        body = _OBJECT.decode(response.content)
    except ValueError:
        body = {}
    named = (response.headers.get("x-amzn-errortype"), body.get("__type"), body.get("code"))
    codes = (error_code(str(name).rpartition("#")[2].partition(":")[0]) for name in named if name)
    message = body.get("message") or body.get("Message") or ""
    return next(filter(None, codes), None), str(message)[:500]


_OBJECT = msgspec.json.Decoder(Row)
_SHAPE = msgspec.json.Decoder(_Shape)
