"""Amazon SES's answers, read: objects, pages, and what a refusal means; pure."""

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
    """The types of the members that decide about people; whatever else there is may be anything."""

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
    """The object that was answered; ValueError where it is none, or has members of another type."""
    _SHAPE.decode(response.content)
    return _OBJECT.decode(response.content)


def page_of(found: Row, member: str) -> tuple[list[Row], str | None]:
    """The rows of a page, and the token of the next; the model lets both be absent.

    Raises:
        ValueError: the rows are no list of objects, the token is no text, or something else was answered.
    """
    rows = found.get(member)
    if rows is None and found.keys() - {member, "NextToken"}:
        raise ValueError("something else than a page")
    return msgspec.convert([] if rows is None else rows, list[Row]), msgspec.convert(found.get("NextToken"), str | None)


def flat(row: Row, prefix: str = "") -> Row:
    """A row whose nested objects became fields with dots in their names."""
    found: Row = {}
    for name, value in row.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def is_stale_token(error: MailingError) -> bool:
    """Whether a page after the first was refused for its token.

    Only one operation declares an error for that; the others call it a bad request, as everything else, but nothing
    else has changed since the page before.
    """
    return is_invalid(error) or (error.code is not None and _TOKEN(error.code) is not None)


def refuses_page_size(error: MailingError) -> bool:
    """Whether a request was refused for its page size, whose bounds are unverified."""
    return is_invalid(error) and _PAGE_SIZE(error.said) is not None


def read_error(asked: str, response: httpx.Response) -> MailingError:
    """The error for a refusal. Messages quote addresses, so its text has codes and names of actions only.

    Args:
        asked: what was asked, ending in the operation's name.
        response: the refusal.
    """
    status = response.status_code
    code, said = _code_and_message(response)
    request = response.headers.get("x-amzn-requestid", "")
    told = [f"HTTP {status}", code, f"request {request}" if _REQUEST_ID.fullmatch(request) else None]
    what = f"{asked}: {', '.join(filter(None, told))}."
    kind, cause = _meaning(status, code, said, asked.rpartition(" ")[2])
    maybe_done = status >= 500 or kind is ProviderFault
    return kind(f"{what} {cause}".strip(), status=status, code=code, said=said, maybe_done=maybe_done)


def _meaning(status: int, code: str | None, said: str, operation: str) -> tuple[type[MailingError], str]:
    """Which error it is, and what to add."""
    if (kind := passing(code)) is not None:
        return kind, ""
    if code in SKEWED or (code in _SIGNATURE and says_another_time(said)):
        return RequestRefused, CLOCK
    if (cause := _refused_credentials(code, said)) is not None:
        return AuthenticationError, cause
    if status == 403:
        action = _ACTION.search(said)
        return PermissionDenied, f"The credentials may not do {action[0] if action else f'ses:{operation}'}."
    if status == 404:
        # Whatever is no Amazon SES answers so as well; that must not pass for "deleted meanwhile".
        is_ours = code == "NotFoundException"
        return (NotFound, "") if is_ours else (RequestRefused, "Check `ses_endpoint_url`: the path is unknown there.")
    return (ProviderFault if status >= 500 else RequestRefused), ""


def _refused_credentials(code: str | None, said: str) -> str | None:
    if code in _EXPIRED:
        return (
            "The session token has expired: get new credentials, or set a profile or `ses_assume_role_arn`, which are "
            "renewed by themselves."
        )
    if code in _UNKNOWN_KEY:
        return "The access key or its session token is unknown, or this region is not enabled for the AWS account."
    if code in _SIGNATURE:
        if "valid region" in said:
            return "Setting `ses_regions` names a region that this endpoint does not serve."
        return "The secret access key does not fit the access key."
    return "The signature did not arrive whole: look for a proxy between." if code in _UNSIGNED else None


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
