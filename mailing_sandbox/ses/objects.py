"""The objects that import jobs read and write, by S3's own protocol: from the sandbox's S3 or from another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote
from xml.etree import ElementTree as ET

import msgspec

from mailing_sandbox.ses.bucket_policy import allows_ses, denies_upload, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


class Response(Protocol):
    """What a request to S3 came to."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def body(self) -> bytes:
        """The whole body."""


class Unreadable(Exception):
    """An object cannot be read; the message says why, as a job's error does."""


class Objects:
    """S3 seen through one function: method, path, query and body to a response."""

    def __init__(self, send: Callable[[str, str, str, bytes], Response]) -> None:
        self._send = send

    def read(self, bucket: str, key: str) -> bytes:
        """Return an object's content; Unreadable when there is none."""
        response = self._send("GET", path_of(bucket, key), "", b"")
        if response.status != 200:
            raise Unreadable(f"Unable to read s3://{bucket}/{key}: {_code(response)}")
        return response.body

    def write(self, bucket: str, key: str, content: bytes) -> None:
        """Create an object, and its bucket where it is missing."""
        if self._send("HEAD", path_of(bucket), "", b"").status != 200:
            self.create_bucket(bucket, "us-east-1")
        self._send("PUT", path_of(bucket, key), "", content)

    def create_bucket(self, bucket: str, region: str) -> None:
        """Create a bucket; ValueError when S3 refuses."""
        body = ""
        if region != "us-east-1":
            body = (
                '<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
                f"<LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
            )
        response = self._send("PUT", path_of(bucket), "", body.encode())
        if response.status != 200:
            raise ValueError(f"the bucket {bucket!r} cannot be created: {_code(response)}")

    def region_of(self, bucket: str) -> str | None:
        """Return a bucket's region; None when there is no such bucket."""
        response = self._send("GET", path_of(bucket), "location=", b"")
        if response.status != 200:
            return None
        return ET.fromstring(response.body).text or "us-east-1"  # noqa: S314 - an answer of our own S3

    def retains(self, bucket: str) -> bool:
        """Tell whether a bucket has Object Lock with a default retention period, which every new object gets."""
        response = self._send("GET", path_of(bucket), "object-lock=", b"")
        return response.status == 200 and b"<DefaultRetention>" in response.body

    def lets_ses_read(self, bucket: str, key: str, account: str) -> bool:
        """Tell whether a bucket's policy allows SES to read an object (SES reference, permissions)."""
        return any(allows_ses(each, f"arn:aws:s3:::{bucket}/{key}", account) for each in self._policy(bucket))

    def denies_upload(self, bucket: str, key: str, headers: Mapping[str, str]) -> bool:
        """Tell whether a bucket's policy denies an upload with these headers."""
        return any(denies_upload(each, f"arn:aws:s3:::{bucket}/{key}", headers) for each in self._policy(bucket))

    def _policy(self, bucket: str) -> list[object]:
        """Return the statements of a bucket's policy."""
        response = self._send("GET", path_of(bucket), "policy=", b"")
        return listed(msgspec.json.decode(response.body).get("Statement", [])) if response.status == 200 else []


def path_of(bucket: str, key: str = "") -> str:
    """Return the path of a bucket or object."""
    return f"/{bucket}/{quote(key, safe='/~')}" if key else f"/{bucket}"


def _code(response: Response) -> str:
    """Return S3's own error code, or the status when there is none."""
    try:
        code = ET.fromstring(response.body).findtext("Code")  # noqa: S314 - an answer of our own S3
    except ET.ParseError:
        code = None
    return code or str(response.status)
