"""Signature Version 4, checked by the signer of botocore. Import it late: botocore takes its time."""

from __future__ import annotations

import calendar
import hmac
import re
import time
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailing_sandbox.provider import Call
    from mailing_sandbox.ses.credentials import Key, Keyring

SCHEME = "AWS4-HMAC-SHA256"
HEADER = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=(?P<credential>[^,\s]+)[, ]+SignedHeaders=(?P<headers>[^,\s]+)[, ]+"
    r"Signature=(?P<signature>[0-9a-f]+)\s*"
)
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
    "Key and signing method. Consult the service documentation for details."
)
UNSIGNED = "UNSIGNED-PAYLOAD"
STREAMING = "STREAMING-"


class BadSignature(Exception):
    """A request that is not, or not rightly, signed; `kind` is one of the words below.

    missing, incomplete, unknown (no such key, or a wrong token), expired (token), skewed (date), late (a URL whose
    time is over), scope, mismatch.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(kind, message)
        self.kind = kind
        self.message = message


class Signed(NamedTuple):
    """Who signed a request, and for which region."""

    key: Key
    region: str


class Claim(NamedTuple):
    """What a request says about its signature."""

    access_key: str
    day: str
    region: str
    service: str
    headers: tuple[str, ...]
    signature: str
    timestamp: str
    token: str | None
    lifetime: int | None = None


class _Presigned(S3SigV4Auth):  # type: ignore[misc]
    def payload(self, request: AWSRequest) -> str:  # noqa: ARG002
        return UNSIGNED


def claim_of(call: Call) -> Claim:
    """Read the signature of a request, from its header or from its query; BadSignature when there is none."""
    authorization = call.headers.get("authorization")
    if authorization is None:
        query = dict(parse_qsl(call.raw_query, keep_blank_values=True))
        if "X-Amz-Signature" in query:
            return _from_query(query)
        raise BadSignature("missing", "Missing Authentication Token")
    if not authorization.startswith(SCHEME):
        raise BadSignature("missing", "Missing Authentication Token")
    match = HEADER.fullmatch(authorization)
    if match is None:
        raise BadSignature(
            "incomplete", "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' parameters."
        )
    timestamp = call.headers.get("x-amz-date", "")
    names = tuple(match["headers"].split(";"))
    return Claim(
        *_scope(match["credential"]), names, match["signature"], timestamp, call.headers.get("x-amz-security-token")
    )


def _from_query(query: Mapping[str, str]) -> Claim:
    try:
        lifetime = int(query["X-Amz-Expires"])
        names = tuple(query["X-Amz-SignedHeaders"].split(";"))
        scope, timestamp = _scope(query["X-Amz-Credential"]), query["X-Amz-Date"]
    except (KeyError, ValueError) as error:
        raise BadSignature("incomplete", "Query-string authentication requires all of its parameters.") from error
    return Claim(*scope, names, query["X-Amz-Signature"], timestamp, query.get("X-Amz-Security-Token"), lifetime)


def _scope(credential: str) -> tuple[str, str, str, str]:
    parts = credential.rsplit("/", 4)
    if len(parts) != 5 or parts[4] != "aws4_request":
        raise BadSignature("incomplete", f"Credential must have exactly 5 slash-delimited elements, got {credential!r}")
    return parts[0], parts[1], parts[2], parts[3]


def verify(call: Call, service: str, keyring: Keyring, *, now: float, skew: float) -> Signed:
    """Check who signed a request for a service; BadSignature says what is wrong.

    The date of a signature is held against the machine's clock, since that is what clients sign with; `now`, the
    emulated time, decides about the expiry of temporary keys. `skew` 0 leaves the date alone.
    """
    claim = claim_of(call)
    if claim.service != service:
        raise BadSignature("scope", f"Credential should be scoped to correct service: '{service}'. ")
    key = keyring.get(claim.access_key)
    if key is None or (key.session_token is not None and claim.token != key.session_token):
        raise BadSignature("unknown", "The security token included in the request is invalid.")
    _check_date(claim, skew)
    _check_signature(call, claim, key)
    if key.expires is not None and now >= key.expires:
        raise BadSignature("expired", "The security token included in the request is expired")
    return Signed(key, claim.region)


def _check_date(claim: Claim, skew: float) -> None:
    try:
        signed = calendar.timegm(time.strptime(claim.timestamp, "%Y%m%dT%H%M%SZ"))
    except ValueError as error:
        raise BadSignature("incomplete", "Authorization header requires existence of 'X-Amz-Date'.") from error
    if claim.timestamp[:8] != claim.day:
        raise BadSignature("skewed", "Date in Credential scope does not match the date of the request")
    if not skew:
        return
    current = time.time()
    if claim.lifetime is not None:
        if current > signed + claim.lifetime:
            raise BadSignature("late", "Request has expired")
    elif current - signed > skew:
        raise BadSignature("skewed", f"Signature expired: {claim.timestamp} is now earlier than allowed")
    elif signed - current > skew:
        raise BadSignature("skewed", f"Signature not yet current: {claim.timestamp} is still later than allowed")


def _check_signature(call: Call, claim: Claim, key: Key) -> None:
    """Sign the request as it came, path, query and body untouched, and compare."""
    mismatch = BadSignature("mismatch", MISMATCH)
    must = {"host"} | {name for name in call.headers if name.startswith("x-amz-")}
    if not must <= {*claim.headers} or not {*claim.headers} <= call.headers.keys():
        raise mismatch
    stated = call.headers.get("x-amz-content-sha256")
    presigned = claim.lifetime is not None
    hashed = stated is not None and not presigned and stated != UNSIGNED and not stated.startswith(STREAMING)
    if hashed and stated != sha256(call.body).hexdigest():
        raise mismatch
    pairs = [pair for pair in call.raw_query.split("&") if not pair.startswith("X-Amz-Signature=")]
    request = AWSRequest(
        method=call.method,
        url=f"http://{call.headers['host']}{call.raw_path}" + ("?" + "&".join(pairs) if call.raw_query else ""),
        data=call.body,
        headers={name: call.headers[name] for name in claim.headers},
    )
    request.context["timestamp"] = claim.timestamp
    credentials = Credentials(key.access_key, key.secret_key, key.session_token)
    kind = SigV4Auth if claim.service != "s3" else _Presigned if presigned else S3SigV4Auth
    signer = kind(credentials, claim.service, claim.region)
    try:
        text = signer.string_to_sign(request, signer.canonical_request(request))
    except ValueError as error:
        # A host that is no host: no client could have signed that.
        raise mismatch from error
    if not hmac.compare_digest(signer.signature(text, request), claim.signature):
        raise mismatch


def presign(url: str, key: Key, region: str, seconds: int) -> str:
    """Return a URL that anybody may GET for a while; the emulator's own key signs it."""
    request = AWSRequest(method="GET", url=url)
    credentials = Credentials(key.access_key, key.secret_key, key.session_token)
    S3SigV4QueryAuth(credentials, "s3", region, expires=seconds).add_auth(request)
    return str(request.url)
