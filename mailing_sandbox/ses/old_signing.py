"""Pre-signed URLs of S3's first signature version, which botocore still makes by default. Import it late."""

from __future__ import annotations

import hmac
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from botocore.auth import HmacV1Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from mailing_sandbox.ses.signing import MISMATCH, BadSignature, Signed

if TYPE_CHECKING:
    from mailing_sandbox.provider import Call
    from mailing_sandbox.ses.credentials import Keyring


class _Signer(HmacV1Auth):  # type: ignore[misc]
    """botocore's signer, with the moment of expiry of a URL that exists."""

    def __init__(self, credentials: Credentials, expires: str) -> None:
        super().__init__(credentials)
        self._expires = expires

    def _get_date(self) -> str:
        return self._expires


def verify_old(call: Call, keyring: Keyring, *, now: float) -> Signed | None:
    """Check a pre-signed URL; None when the request is something else. The path signed begins with the bucket."""
    query = dict(parse_qsl(call.raw_query, keep_blank_values=True))
    if not {"AWSAccessKeyId", "Signature", "Expires"} <= query.keys():
        return None
    key = keyring.get(query["AWSAccessKeyId"])
    token = query.get("x-amz-security-token")
    if key is None or (key.session_token is not None and token != key.session_token):
        raise BadSignature("unknown", "The AWS Access Key Id you provided does not exist in our records.")
    expired = not query["Expires"].isdigit() or int(query["Expires"]) < time.time()
    if expired or (key.expires is not None and now >= key.expires):
        raise BadSignature("late", "Request has expired")
    request = AWSRequest(
        headers={name: value for name, value in call.headers.items() if name in ("content-type", "content-md5")}
    )
    for name, value in query.items():
        if name.startswith("x-amz-"):
            request.headers[name] = value
    bucket_and_key = "/" + call.raw_path.lstrip("/").partition("/")[2]
    signer = _Signer(Credentials(key.access_key, key.secret_key, key.session_token), query["Expires"])
    split = urlsplit(f"{bucket_and_key}?{call.raw_query}")
    signature = signer.get_signature(call.method, split, request.headers, auth_path=bucket_and_key)
    if not hmac.compare_digest(signature, query["Signature"]):
        raise BadSignature("mismatch", MISMATCH)
    return Signed(key, "us-east-1")
