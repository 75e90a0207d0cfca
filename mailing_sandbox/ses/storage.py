"""S3 and STS under ``/s3`` and ``/sts``: signatures are checked here, moto does the work."""

from __future__ import annotations

import itertools
import time
from base64 import b64encode
from datetime import datetime
from functools import cached_property
from hashlib import md5
from threading import RLock
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import msgspec
from starlette.routing import Route

from mailing_sandbox.control import answer, fields
from mailing_sandbox.provider import Call, Reply
from mailing_sandbox.ses.credentials import Key, Keyring
from mailing_sandbox.ses.objects import Objects
from mailing_sandbox.switches import changed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from mailing_sandbox.clock import Clock
    from mailing_sandbox.ses.aws import Answer, Moto

ACCOUNTS = itertools.count(111_111_111_111)
"""Every sandbox of a process has an AWS account of its own, since moto's data is the process's."""

STS = "{https://sts.amazonaws.com/doc/2011-06-15/}"
ACTIONS = {"GET": "s3:GetObject", "HEAD": "s3:GetObject", "PUT": "s3:PutObject", "DELETE": "s3:DeleteObject"}
BUCKET_ACTIONS = {
    "GET": "s3:ListBucket",
    "HEAD": "s3:ListBucket",
    "PUT": "s3:CreateBucket",
    "DELETE": "s3:DeleteBucket",
}
CODES = {
    "missing": "AccessDenied",
    "incomplete": "AuthorizationHeaderMalformed",
    "unknown": "InvalidAccessKeyId",
    "expired": "ExpiredToken",
    "skewed": "RequestTimeTooSkewed",
    "late": "AccessDenied",
    "scope": "AuthorizationHeaderMalformed",
    "mismatch": "SignatureDoesNotMatch",
}
STS_CODES = {"skewed": "SignatureDoesNotMatch"}
OWN = "AWS4-HMAC-SHA256 Credential=sandbox/20250101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
DIGESTS = {"content-md5", "x-amz-sdk-checksum-algorithm"}
"""One of them must come with what is uploaded to a bucket whose objects are retained, its parts too."""
HOP = {"content-length", "connection", "date", "server", "transfer-encoding"}


class StorageSwitches(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What S3 looks at: signatures (STS, too), the digest of a body, the region that a request is signed for."""

    s3_signatures: bool = True
    s3_digests: bool = True
    s3_regions: bool = True


class Storage:
    """The S3 and STS of one emulated AWS account. moto is loaded with the first call."""

    name = "s3"
    prefixes: tuple[str, ...] = ("s3", "sts")

    def __init__(self, clock: Clock, access_key: str, secret_key: str) -> None:
        self.keyring = Keyring(str(next(ACCOUNTS)), access_key, secret_key)
        self.switches = StorageSwitches()
        self._clock = clock
        self._lock = RLock()

    @cached_property
    def _moto(self) -> Moto:
        from mailing_sandbox.ses.aws import Moto  # noqa: PLC0415 - takes a second, and many never need it

        return Moto(self.keyring.account)

    @cached_property
    def objects(self) -> Objects:
        """The objects, for the emulator itself: neither signed nor counted."""
        return Objects(self._own)

    def _send(self, service: str, call: Call) -> Answer:
        with self._lock:
            return self._moto.send(service, call)

    def _own(self, method: str, path: str, query: str, body: bytes) -> Answer:
        """Do a request of the emulator itself; moto refuses what looks anonymous."""
        return self._send("s3", Call.of(method, path, query, {"authorization": OWN}, body))

    # the provider's door

    def change(self, **switches: Any) -> None:
        """Set some switches; ValueError names one that does not fit."""
        self.switches = changed(self.switches, switches)

    def template(self, call: Call) -> str:
        """Return the route of a call, to count it under."""
        if call.segments[0].lower() == "sts":
            return f"{call.method} /sts"
        parts = ("/s3", "/{bucket}", "/{key}")[: min(len(call.segments), 3)]
        return f"{call.method} {''.join(parts)}"

    def error(self, status: int, message: str | None) -> Reply:
        """Return an error as S3 words it."""
        codes = {
            400: "RequestTimeout",
            403: "AccessDenied",
            404: "NoSuchKey",
            409: "OperationAborted",
            429: "SlowDown",
            503: "SlowDown",
        }
        return _error(status, codes.get(status, "InternalError"), message or "We encountered an internal error.")

    def answer(self, call: Call) -> Reply:
        """Do the work of a call and answer it."""
        service = call.segments[0].lower()
        refusal = self._refused(call, service)
        if refusal is not None:
            return refusal
        path = "/" + call.raw_path.lstrip("/").partition("/")[2]
        try:
            done = self._send(service, msgspec.structs.replace(call, raw_path=path))
        except Exception as error:  # noqa: BLE001 - moto raises all sorts for requests that it does not know
            return _error(501, "NotImplemented", f"The sandbox's S3 cannot do this: {type(error).__name__}")
        if service == "sts" and done.status == 200:
            self._learn(done.body)
        headers = {name: value for name, value in done.headers.items() if name not in HOP}
        if call.method == "HEAD":
            headers["content-length"] = done.headers.get("content-length", "0")
            return Reply(done.status, b"", headers.pop("content-type", None), headers)
        return Reply(done.status, done.body, headers.pop("content-type", None), headers)

    def _refused(self, call: Call, service: str) -> Reply | None:
        if not self.switches.s3_signatures:
            return None
        from mailing_sandbox.ses.old_signing import verify_old  # noqa: PLC0415 - loads botocore
        from mailing_sandbox.ses.signing import BadSignature, verify  # noqa: PLC0415 - loads botocore

        now = self._clock.now()
        try:
            old = verify_old(call, self.keyring, now=now) if service == "s3" else None
            signed = old or verify(call, service, self.keyring, now=now, skew=900)
        except BadSignature as bad:
            status = 400 if bad.kind in ("incomplete", "scope", "expired") else 403
            code = STS_CODES.get(bad.kind) if service == "sts" else None
            return _error(status, code or CODES[bad.kind], bad.message, service)
        if service == "sts":
            action = "sts:AssumeRole" if b"Action=AssumeRole" in call.body else "sts:GetCallerIdentity"
        else:
            action = (ACTIONS if len(call.segments) > 2 else BUCKET_ACTIONS).get(call.method, "s3:PutObject")
        denial = self.keyring.denial(signed.key, action)
        if denial is not None:
            return _error(403, "AccessDenied", denial, service)
        if service != "s3" or len(call.segments) < 3:
            return None
        return self._misfit(call, signed.region)

    def _denied(self, call: Call) -> Reply | None:
        """Look at what a bucket's policy says of headers; parts have none, since the upload that they are of had."""
        begins = (call.method == "PUT" and "partnumber" not in call.query) or "uploads" in call.query
        bucket, key = call.segments[1], "/".join(call.segments[2:])
        if not begins or not self.objects.denies_upload(bucket, key, call.headers):
            return None
        text = "User is not authorized to perform: s3:PutObject with an explicit deny in a resource-based policy"
        return _error(403, "AccessDenied", text)

    def _misfit(self, call: Call, region: str) -> Reply | None:
        """Look at what moto does not: the region that is signed for, headers that are demanded, the body's digest."""
        found = self.objects.region_of(call.segments[1])
        if found is None:
            return None
        if self.switches.s3_regions and region and found != region:
            reply = _error(301, "PermanentRedirect", "The bucket must be addressed using the specified endpoint.")
            reply.headers = {"x-amz-bucket-region": found}
            return reply
        denied = self._denied(call)
        if denied is not None:
            return denied
        digest = call.headers.get("content-md5")
        if self.switches.s3_digests and digest is not None and digest != _digest(call.body):
            return _error(400, "BadDigest", "The Content-MD5 you specified did not match what we received.")
        if call.method == "PUT" and not DIGESTS & call.headers.keys() and self.objects.retains(call.segments[1]):
            text = "Content-MD5 OR x-amz-checksum- HTTP header is required for Put requests with Object Lock parameters"
            return _error(400, "InvalidRequest", text)
        return None

    def _learn(self, body: bytes) -> None:
        """Let the keys of an assumed role call, until they expire by the emulated time."""
        root = ET.fromstring(body)  # noqa: S314 - moto's own answer
        given = {each.tag.removeprefix(STS): each.text or "" for each in root.iter()}
        if "SessionToken" not in given:
            return
        self.keyring.add(
            Key(
                access_key=given["AccessKeyId"],
                secret_key=given["SecretAccessKey"],
                session_token=given["SessionToken"],
                expires=self._clock.now() + datetime.fromisoformat(given["Expiration"]).timestamp() - time.time(),
                principal=given["Arn"].rpartition(":")[2],
            )
        )

    # for tests

    def routes(self) -> Sequence[BaseRoute]:
        """Return the control routes."""
        return [Route("/buckets", self._create_bucket, methods=["POST"])]

    async def _create_bucket(self, request: Request) -> Response:
        body = await fields(request)
        if not isinstance(body.get("name"), str):
            raise ValueError("name must be a string")
        self.add_bucket(body["name"], str(body.get("region", "us-east-1")))
        return answer({}, 201)

    def add_bucket(self, name: str, region: str = "us-east-1") -> None:
        """Create a bucket; ValueError when S3 refuses."""
        self.objects.create_bucket(name, region)

    def reset(self) -> None:
        """Forget all buckets and objects, if there ever were any."""
        with self._lock:
            if "_moto" in self.__dict__:
                self._moto.clear()

    def seed(self, contacts: int, seed: int) -> None:
        """Nothing is invented here: objects are what clients put."""


def _digest(body: bytes) -> str:
    return b64encode(md5(body, usedforsecurity=False).digest()).decode()


def _error(status: int, code: str, message: str, service: str = "s3") -> Reply:
    body = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    if service == "sts":
        body = f"<ErrorResponse>{body}</ErrorResponse>"
    return Reply(status, f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'.encode(), "application/xml")
