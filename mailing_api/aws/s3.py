"""A bucket of Amazon S3, for files that providers fetch: the objects of import jobs, and links to files.

Import it late: it loads botocore, an extra of this package. Requests go through our own HTTP client and not botocore's,
which limits the time between two bytes and not a whole call, and supports no SOCKS proxies or folders of certificates.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from hashlib import md5
from typing import Any, Final, TypeVar, Unpack
from urllib.parse import quote, urlsplit
from xml.sax.saxutils import escape

import httpx

from mailing_api.aws.errors import CLOCK, SKEWED, error_code, passing
from mailing_api.aws.s3_encryption import Encryption
from mailing_api.aws.session import AwsSession, SigV4, link
from mailing_api.errors import (
    AuthenticationError,
    ConfigurationError,
    MailingError,
    NotFound,
    PermissionDenied,
    ProviderFault,
    RequestRefused,
)
from mailing_api.http.client import Connection, HttpClient
from mailing_api.http.downloads import Downloads
from mailing_api.http.pace import Pace
from mailing_api.http.read_only import ReadOnly

__all__ = ["Bucket"]

T = TypeVar("T")

#: Bytes of a part of a larger object, kept small because each is in memory as a whole; AWS requires at least 5 MiB and
#: accepts 10,000 parts.
PART_SIZE: Final = 5 * 1024 * 1024

_AWS_HOSTS: Final = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".amazonaws.eu")
#: With dots in the name, no certificate would match the bucket as a host.
_IS_HOST = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]").fullmatch
#: Old buckets have capitals and underscores, too.
_IS_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}").fullmatch
#: Not the MD5 of the probe's body.
_WRONG_DIGEST: Final = "AAAAAAAAAAAAAAAAAAAAAA=="
_ACTION = re.compile(r"\b(?:kms|s3):[A-Z][A-Za-z]+")
#: The body does not match its digest.
_DAMAGED: Final = frozenset({"BadDigest", "InvalidDigest"})
_CREDENTIALS: Final = frozenset({"ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch"})


class Bucket:
    """One bucket; safe to share between threads."""

    def __init__(
        self,
        session: AwsSession,
        region: str,
        name: str,
        *,
        endpoint_url: str | None = None,
        endpoint_setting: str = "",
        account: str = "default",
        setting: str,
        region_setting: str,
        encryption: Encryption,
        **connection: Unpack[Connection],
    ) -> None:
        """Make a client; no request is sent.

        Args:
            session: provides the credentials.
            region: the bucket's region.
            name: the bucket's name.
            endpoint_url: the endpoint of S3; None for AWS's own, or the one in AWS's environment variables or files.
            endpoint_setting: the setting that gives the endpoint, for messages.
            account: the account's label, for messages.
            setting: the setting that names the bucket, for messages.
            region_setting: the setting that names the region, for messages.
            encryption: headers for uploads.
            connection: options of `HttpClient`.

        Raises:
            ConfigurationError: the name is not a valid bucket name.
        """
        if _IS_NAME(name) is None:
            raise ConfigurationError(
                f"Setting `{setting}` is not a valid bucket name, which has only lower-case letters, digits, dots and "
                "hyphens."
            )
        #: Makes another bucket, reached in the same way, from its name; it must be closed separately.
        self.sibling = partial(
            Bucket,
            session,
            region,
            endpoint_url=endpoint_url,
            endpoint_setting=endpoint_setting,
            account=account,
            setting=setting,
            region_setting=region_setting,
            encryption=encryption,
            **connection,
        )
        self.name = name
        self._setting = setting
        self._region_setting = region_setting
        self._encryption = encryption
        self._session = session
        self._region = region
        self._gate: ReadOnly | None = connection.get("gate")
        connection["pace"] = Pace(floor=2.0)  # S3 takes thousands of requests a second
        connection["budget"] = None
        endpoint = urlsplit(endpoint_url or session.endpoints("s3", [region])[region])
        in_host = (endpoint.hostname or "").endswith(_AWS_HOSTS) and _IS_HOST(name)
        self._path = endpoint.path.rstrip("/") + ("" if in_host else f"/{quote(name, safe='')}")
        self._origin = f"{endpoint.scheme}://{name + '.' if in_host else ''}{endpoint.netloc}"
        self._http = HttpClient(
            provider="Amazon S3",
            account=account,
            base_url=self._origin,
            located_by=endpoint_setting,
            credentials=session.origin,
            trusted=session.authorities(),
            auth=SigV4(session, region, "s3"),
            read_error=_read_error,
            **connection,
        )
        self._files = Downloads(
            provider="Amazon S3", account=account, base_url=self._origin, read_error=_read_error, **connection
        )

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def check(self, prefix: str) -> None:
        """Check that objects can be written, without writing one: S3 must refuse an upload with a wrong digest.

        A client that only reads cannot show it, and only counts the call.

        Raises:
            ConfigurationError: they cannot be written.
        """
        if self._gate is not None:
            self._gate.foresee(1)
            return
        key = f"{prefix}.write-test"
        headers = {"Content-MD5": _WRONG_DIGEST, **self._encryption.headers}
        try:
            self._request("PUT", key, _ignore, content=b"", headers=headers)
        except PermissionDenied as error:
            raise ConfigurationError(
                f"Setting `{self._setting}`: the credentials may not write to the bucket {self.name!r} below "
                f"{prefix!r}. {self._needs(error.said)}"
            ) from None
        except NotFound:
            raise ConfigurationError(f"Setting `{self._setting}`: the bucket {self.name!r} does not exist.") from None
        except RequestRefused as error:
            if error.code not in _DAMAGED:
                raise
            return
        self.delete(key)  # an S3-compatible service that does not check digests

    def put(self, key: str, chunks: Iterable[bytes], *, content_type: str = "application/x-ndjson") -> int:
        """Write an object, a large one in parts with one part in memory at a time; return its size in bytes."""
        parts = _parts(chunks)
        content, is_last = next(parts)
        if is_last:
            self._upload(key, content, content_type=content_type, headers=self._encryption.headers)
            return len(content)
        upload_id = self._request(
            "POST",
            key,
            _upload_id,
            params={"uploads": ""},
            content=b"",
            content_type=content_type,
            headers=self._encryption.headers,  # they cover the parts, too: S3 refuses parts that repeat them
        )
        upload = {"uploadId": upload_id}
        tags: list[str] = []
        size = 0
        try:
            while content:
                tags.append(self._upload(key, content, params={"partNumber": len(tags) + 1, **upload}))
                size += len(content)
                content = b""  # before the next part is made
                content, _ = next(parts, (b"", True))
            self._complete(key, upload, tags)
        except BaseException:
            with suppress(MailingError):
                self._request("DELETE", key, _ignore, params=upload)  # otherwise its parts would stay, and cost
            raise
        return size

    def _upload(self, key: str, content: bytes, *, headers: Mapping[str, str] | None = None, **options: Any) -> str:
        """Write an object or a part; return its tag. Without the digest, S3 refuses objects under Object Lock."""
        digest = b64encode(md5(content, usedforsecurity=False).digest()).decode()
        upload = partial(
            self._request,
            "PUT",
            key,
            _tag,
            content=content,
            headers={"Content-MD5": digest, **(headers or {})},
            **options,
        )
        try:
            return upload()
        except RequestRefused as error:
            if error.code not in _DAMAGED:
                raise
        return upload()  # the content was damaged in transit

    def _complete(self, key: str, upload: dict[str, str], tags: list[str]) -> None:
        numbered = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(tag)}</ETag></Part>"
            for number, tag in enumerate(tags, 1)
        )
        content = f"<CompleteMultipartUpload>{numbered}</CompleteMultipartUpload>".encode()
        try:
            self._request("POST", key, _no_error, params=upload, content=content)
        except NotFound:
            if not self.has(key):  # after a lost reply the upload is over, and the object exists
                raise

    def has(self, key: str) -> bool:
        """Return whether the object exists.

        Raises:
            PermissionDenied: unknown: without s3:ListBucket, S3 answers so for missing objects, too.
        """
        try:
            self._request("HEAD", key, _ignore)
        except NotFound:
            return False
        return True

    def delete(self, key: str) -> None:
        """Delete an object, if it exists."""
        self._request("DELETE", key, _empty)

    def link(self, key: str, *, seconds: int) -> str:
        """Return a URL by which anybody can read the object for so long. The URL is a secret.

        Args:
            key: of the object.
            seconds: at most 604,800; the URL expires earlier if the credentials do.
        """
        return link(self._session, self._region, f"{self._origin}{self._quoted(key)}", seconds=seconds)

    def read_signed(self, url: str) -> bytes:
        """Return the file at a URL that carries its own signature. The URL is a secret.

        Raises:
            MailingError: the URL is invalid or has expired, or there is no file.
        """
        return self._files.fetch(url, what="the failed records")

    def _request(
        self,
        method: str,
        key: str,
        decode: Callable[[httpx.Response], T],
        *,
        content_type: str = "application/octet-stream",
        **options: Any,
    ) -> T:
        def decode_here(response: httpx.Response) -> T:
            if response.status_code >= 300:  # S3 redirects to the region of the bucket
                raise self._elsewhere(response.headers.get("x-amz-bucket-region"))
            return decode(response)

        try:
            return self._session.renewing(
                lambda: self._http.request(
                    method,
                    self._quoted(key),
                    decode_here,
                    route=f"/{self.name}/{{key}}",
                    content_type=content_type,
                    idempotent=True,
                    redirects=True,
                    **options,
                )
            )
        except RequestRefused as error:
            if error.code in {"AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}:
                raise self._elsewhere() from None
            raise
        except PermissionDenied as error:
            if method in {"PUT", "POST"}:
                error.args = (f"{error} {self._needs(error.said)}",)
            raise

    def _needs(self, refusal: str) -> str:
        """What is missing for an upload, by the words of S3's refusal."""
        own = self._encryption
        hint = f"another encryption header, correct `{own.setting}`"
        if not own.headers:
            hint = f"an encryption header, set `{own.setting}`"
        if "explicit deny" in refusal:
            return f"A policy denies it, perhaps the bucket's: if it requires {hint}."
        action = _ACTION.search(refusal)
        return f"It needs {action[0] if action else 's3:PutObject'}; if the bucket's policy requires {hint}."

    def _quoted(self, key: str) -> str:
        return f"{self._path}/{quote(key, safe='/~')}"

    def _elsewhere(self, region: str | None = None) -> ConfigurationError:
        return ConfigurationError(
            f"Setting `{self._setting}`: the bucket {self.name!r} is in {region or 'another region'}, "
            f"not in {self._region}, the region of `{self._region_setting}`."
        )


def _parts(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """The parts of an object, at least one, and whether each is the last."""
    held = bytearray()
    for chunk in chunks:
        if len(held) >= PART_SIZE:
            part = bytes(held)
            held = bytearray()
            yield part, False
            del part
        held += chunk
    yield bytes(held), True


def _ignore(response: httpx.Response) -> None:
    """The response has nothing to read."""


def _empty(response: httpx.Response) -> None:
    """Reject a page of a proxy or gateway."""
    if response.content:
        raise ValueError("not a response of S3")


def _no_error(response: httpx.Response) -> None:
    """Reject an error with status 200: S3 sends the status before it has finished."""
    if "<Error>" in response.text:
        raise ValueError("an error")


def _upload_id(response: httpx.Response) -> str:
    upload_id = re.search(r"<UploadId>([^<]+)</UploadId>", response.text)
    if upload_id is None:
        raise ValueError("no UploadId")
    return upload_id[1]


def _tag(response: httpx.Response) -> str:
    return response.headers["etag"]


def _read_error(request: str, response: httpx.Response) -> MailingError:
    """The error for a refusal, without S3's message, which quotes keys."""
    status = response.status_code
    named = re.search(r"<Code>\s*([^<\s]{1,200})\s*</Code>", response.text[:4000])
    code = error_code(named[1]) if named else None
    what = f"{request}: {', '.join(filter(None, (f'HTTP {status}', code)))}."
    kind = passing(code) or (ProviderFault if status >= 500 else RequestRefused)
    if code in SKEWED:
        what += f" {CLOCK}"
    elif code in _CREDENTIALS:
        kind = AuthenticationError
    elif status == 403:
        kind = PermissionDenied
    elif status == 404:
        kind = NotFound
    message = re.search(r"<Message>([^<]{1,2000})", response.text[:4000])
    return kind(
        what,
        status=status,
        code=code,
        said=message[1] if message else "",
        maybe_done=status >= 500 or kind is ProviderFault,
    )
