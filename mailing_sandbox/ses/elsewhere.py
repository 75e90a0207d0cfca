"""S3 at an endpoint of somebody else, such as a moto server of the test. Import it late: it loads botocore."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session

if TYPE_CHECKING:
    from mailing_sandbox.ses.credentials import Key


class Answer(NamedTuple):
    """What that S3 answered; status 0 when nobody did."""

    status: int
    body: bytes


class Elsewhere:
    """S3 at an endpoint of somebody else, such as a moto server of the test."""

    def __init__(self, endpoint: str, key: Key) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._signer = S3SigV4Auth(Credentials(key.access_key, key.secret_key, key.session_token), "s3", "us-east-1")
        self._session = URLLib3Session()

    def send(self, method: str, path: str, query: str, body: bytes) -> Answer:
        """Do one signed request."""
        url = f"{self._endpoint}{path}" + (f"?{query}" if query else "")
        request = AWSRequest(method=method, url=url, data=body)
        self._signer.add_auth(request)
        try:
            response = self._session.send(request.prepare())
        except BotoCoreError:
            return Answer(0, b"")
        return Answer(response.status_code, response.content)
