"""A bucket of Amazon S3, for what providers fetch: the objects of import jobs, and links to files.

Import it late: it loads botocore, an extra of this package.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from hashlib import md5
from itertools import chain
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

__all__ = ["Bucket"]

T = TypeVar("T")

#: Bytes of a part of a larger object; AWS wants 5 MiB at least, and takes 10,000 parts.
PART_SIZE: Final = 8 * 1024 * 1024

_AWS_HOSTS: Final = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".amazonaws.eu")
#: A bucket whose name has dots fits no certificate as a host.
_IS_HOST = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]").fullmatch
#: Buckets of before have capitals and underscores, too.
_IS_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}").fullmatch
#: An MD5 that the probe's body does not have.
_WRONG_DIGEST: Final = "AAAAAAAAAAAAAAAAAAAAAA=="
_ACTION = re.compile(r"\b(?:kms|s3):[A-Z][A-Za-z]+")
#: Not the body that the digest is of.
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
        """Make a client; nothing is asked.

        Args:
            session: whose credentials are used.
            region: in which the bucket is to be.
            name: of the bucket.
            endpoint_url: where S3 is; None for AWS's own, or what AWS's variables say.
            endpoint_setting: what gives the endpoint, for messages.
            account: the account's label, for messages.
            setting: what names the bucket, for messages.
            region_setting: what names the region.
            encryption: what uploads say of it.
            connection: how to talk.

        Raises:
            ConfigurationError: no bucket has such a name.
        """
        if _IS_NAME(name) is None:
            raise ConfigurationError(
                f"Setting `{setting}` is no name of a bucket, which has lower-case letters, digits, dots and "
                "hyphens only."
            )
        self.name = name
        self._endpoint_url = endpoint_url
        self._endpoint_setting = endpoint_setting
        self._setting = setting
        self._region_setting = region_setting
        self._encryption = encryption
        self._session = session
        self._region = region
        self._account = account
        connection["pace"] = Pace(floor=2.0)  # S3 takes thousands a second
        self._connection = connection
        endpoint = endpoint_url or session.endpoints("s3", [region])[region]
        parts = urlsplit(endpoint)
        host = (parts.hostname or "").endswith(_AWS_HOSTS) and _IS_HOST(name)
        self._path = parts.path.rstrip("/") + ("" if host else f"/{quote(name, safe='')}")
        self._origin = f"{parts.scheme}://{name + '.' if host else ''}{parts.netloc}"
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

    def sibling(self, name: str) -> Bucket:
        """Another bucket, reached in the same way; to be closed by itself."""
        return Bucket(
            self._session,
            self._region,
            name,
            endpoint_url=self._endpoint_url,
            endpoint_setting=self._endpoint_setting,
            account=self._account,
            setting=self._setting,
            region_setting=self._region_setting,
            encryption=self._encryption,
            **self._connection,
        )

    def check(self, prefix: str) -> None:
        """Find out whether objects can be written, without writing one: S3 must refuse one with a wrong digest.

        Raises:
            ConfigurationError: they cannot be.
        """
        key = f"{prefix}.write-test"
        try:
            self._send(key, _nothing, b"", digest=_WRONG_DIGEST, headers=self._encryption.headers)
        except PermissionDenied as error:
            raise ConfigurationError(
                f"Setting `{self._setting}`: the credentials may not write to the bucket {self.name!r} below "
                f"{prefix!r}. {self._needs(error.said)}"
            ) from None
        except NotFound:
            raise ConfigurationError(f"Setting `{self._setting}`: there is no bucket {self.name!r}.") from None
        except RequestRefused as error:
            if error.code not in _DAMAGED:
                raise
            return
        self.delete(key)  # an S3 of somebody else's that does not compare digests

    def put(self, key: str, chunks: Iterable[bytes], *, content_type: str = "application/x-ndjson") -> int:
        """Write an object, a large one in parts, of which one at a time is in memory; returns its bytes."""
        parts = _parts(chunks)
        first = next(parts, b"")
        second = next(parts, None)
        if second is None:
            self._upload(key, first, content_type=content_type, headers=self._encryption.headers)
            return len(first)
        begun = self._request(
            "POST",
            key,
            _upload_id,
            params={"uploads": ""},
            content=b"",
            content_type=content_type,
            headers=self._encryption.headers,  # these hold for the parts, which S3 refuses if they repeat them
        )
        upload = {"uploadId": begun}
        tags, size = [], 0
        try:
            for number, part in enumerate(chain((first, second), parts), 1):
                tags.append(self._upload(key, part, params={"partNumber": number, **upload}))
                size += len(part)
            self._complete(key, upload, tags)
        except BaseException:
            with suppress(MailingError):
                self._request("DELETE", key, _nothing, params=upload)  # or its parts would stay, and cost
            raise
        return size

    def _upload(self, key: str, content: bytes, **options: Any) -> str:
        """Write an object or a part; returns its tag."""
        digest = b64encode(md5(content, usedforsecurity=False).digest()).decode()
        try:
            return self._send(key, _tag, content, digest=digest, **options)
        except RequestRefused as error:
            if error.code not in _DAMAGED:
                raise
        return self._send(key, _tag, content, digest=digest, **options)  # it was damaged on its way

    def _send(
        self,
        key: str,
        decode: Callable[[httpx.Response], T],
        content: bytes,
        *,
        digest: str,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> T:
        """Send content with a digest, without which S3 refuses what Object Lock is to retain."""
        return self._request(
            "PUT", key, decode, content=content, headers={"Content-MD5": digest, **(headers or {})}, **options
        )

    def _complete(self, key: str, upload: dict[str, str], tags: list[str]) -> None:
        numbered = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(tag)}</ETag></Part>"
            for number, tag in enumerate(tags, 1)
        )
        content = f"<CompleteMultipartUpload>{numbered}</CompleteMultipartUpload>".encode()
        try:
            self._request("POST", key, _no_error, params=upload, content=content)
        except NotFound:
            if not self.has(key):  # where the first reply was lost, the upload is over
                raise

    def has(self, key: str) -> bool:
        """Whether there is such an object.

        Raises:
            PermissionDenied: nobody can tell: without s3:ListBucket, S3 answers so for those that are missing, too.
        """
        try:
            self._request("HEAD", key, _nothing)
        except NotFound:
            return False
        return True

    def delete(self, key: str) -> None:
        """Delete an object, or see that it is gone."""
        self._request("DELETE", key, _empty)

    def link(self, key: str, *, seconds: int) -> str:
        """A URL by which anybody may read the object until then. It is a secret.

        Args:
            key: of the object.
            seconds: 604,800 at most; it ends earlier where the credentials do.
        """
        return link(self._session, self._region, f"{self._origin}{self._quoted(key)}", seconds=seconds)

    def read_signed(self, url: str) -> bytes:
        """What a URL that carries its own signature leads to. It is a secret.

        Raises:
            MailingError: the URL is no such, has expired, or leads to nothing.
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
        def decoded(answer: httpx.Response) -> T:
            self._must_be_here(answer)
            return decode(answer)

        try:
            return self._session.renewing(
                lambda: self._http.request(
                    method,
                    self._quoted(key),
                    decoded,
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

    def _needs(self, said: str) -> str:
        """What is missing to write, by S3's words."""
        own = self._encryption
        hint = f"another encryption header, correct `{own.setting}`"
        if not own.headers:
            hint = f"an encryption header, set `{own.setting}`"
        if "explicit deny" in said:
            return f"A policy denies it, perhaps the bucket's: if that demands {hint}."
        action = _ACTION.search(said)
        return f"It needs {action[0] if action else 's3:PutObject'}; if the bucket's policy demands {hint}."

    def _quoted(self, key: str) -> str:
        return f"{self._path}/{quote(key, safe='/~')}"

    def _must_be_here(self, answer: httpx.Response) -> None:
        """S3 answers with a redirection where a bucket is in another region."""
        if answer.status_code >= 300:
            raise self._elsewhere(answer.headers.get("x-amz-bucket-region"))

    def _elsewhere(self, region: str | None = None) -> ConfigurationError:
        return ConfigurationError(
            f"Setting `{self._setting}`: the bucket {self.name!r} is in {region or 'another region'}, "
            f"and not in {self._region}, the region of `{self._region_setting}`."
        )


def _parts(chunks: Iterable[bytes]) -> Iterator[bytes]:
    held = bytearray()
    for chunk in chunks:
        held += chunk
        if len(held) >= PART_SIZE:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


def _nothing(answer: httpx.Response) -> None:
    """Nothing of the answer is wanted."""


def _empty(answer: httpx.Response) -> None:
    """Somebody in between may have answered, with a page of their own."""
    if answer.content:
        raise ValueError("an answer that is not S3's")


def _no_error(answer: httpx.Response) -> None:
    """S3 begins to answer before it is done, so that an error may come with status 200."""
    if "<Error>" in answer.text:
        raise ValueError("an error")


def _upload_id(answer: httpx.Response) -> str:
    found = re.search(r"<UploadId>([^<]+)</UploadId>", answer.text)
    if found is None:
        raise ValueError("no UploadId")
    return found[1]


def _tag(answer: httpx.Response) -> str:
    if "etag" not in answer.headers:
        raise ValueError("no ETag")
    return answer.headers["etag"]


def _read_error(asked: str, response: httpx.Response) -> MailingError:
    """The error for a refusal; S3's messages quote keys."""
    status = response.status_code
    found = re.search(r"<Code>\s*([^<\s]{1,200})\s*</Code>", response.text[:4000])
    code = error_code(found[1]) if found else None
    what = f"{asked}: {', '.join(filter(None, (f'HTTP {status}', code)))}."
    kind = passing(code) or (ProviderFault if status >= 500 else RequestRefused)
    if code in SKEWED:
        what += f" {CLOCK}"
    elif code in _CREDENTIALS:
        kind = AuthenticationError
    elif status == 403:
        kind = PermissionDenied
    elif status == 404:
        kind = NotFound
    said = re.search(r"<Message>([^<]{1,2000})", response.text[:4000])
    return kind(
        what, status=status, code=code, said=said[1] if said else "", maybe_done=status >= 500 or kind is ProviderFault
    )
