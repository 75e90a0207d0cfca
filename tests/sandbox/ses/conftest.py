from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mailing_sandbox import Sandbox

SESSION = boto3.session.Session()
ONCE = Config(retries={"mode": "standard", "total_max_attempts": 1})


class Signed(httpx.Auth):
    """Signs requests as they are, by botocore."""

    requires_request_body = True

    def __init__(self, key: str, secret: str, region: str, service: str, token: str | None) -> None:
        self._signer = SigV4Auth(Credentials(key, secret, token), service, region)

    def auth_flow(self, request: httpx.Request) -> Any:
        kept = {name: value for name, value in request.headers.items() if name in ("host", "content-type")}
        signed = AWSRequest(method=request.method, url=str(request.url), data=request.content, headers=kept)
        self._signer.add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
        yield request


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Callable[..., Any]]:
    """Makes boto3 clients of the sandbox; an explicit key, secret or token replaces the right one."""
    made = []

    def make(service: str = "sesv2", region: str = "us-east-1", **keys: str | None) -> Any:
        path = {"sesv2": "", "s3": "/s3", "sts": "/sts"}[service]
        given = {"aws_access_key_id": sandbox.api_key, "aws_secret_access_key": sandbox.secret_key} | keys
        one = SESSION.client(service, endpoint_url=sandbox.url + path, config=ONCE, region_name=region, **given)
        made.append(one)
        return one

    yield make
    for one in made:
        one.close()


@pytest.fixture
def ses(client: Callable[..., Any]) -> Any:
    """boto3's client of SES in us-east-1."""
    return client()


@pytest.fixture
def s3(client: Callable[..., Any]) -> Any:
    """boto3's client of S3 in us-east-1, with the bucket `imports`."""
    one = client("s3")
    one.create_bucket(Bucket="imports")
    return one


@pytest.fixture
def wire(sandbox: Sandbox) -> Iterator[Callable[..., httpx.Response]]:
    """Sends signed requests and returns what came over the wire, untouched by any SDK."""
    with httpx.Client(base_url=sandbox.url, timeout=10, verify=False) as plain:

        def send(method: str, path: str, *, region: str = "us-east-1", service: str = "ses", **more: Any) -> Any:
            key = more.pop("key", sandbox.api_key)
            secret, token = more.pop("secret", sandbox.secret_key), more.pop("token", None)
            assert not urlsplit(path).netloc
            return plain.request(method, path, auth=Signed(key, secret, region, service, token), **more)

        yield send


@pytest.fixture
def newsletter(sandbox: Sandbox) -> str:
    """The name of a contact list with two topics."""
    sandbox.ses.add_list("Newsletter", {"News": "OPT_IN", "Offers": "OPT_OUT"})
    return "Newsletter"


@pytest.fixture
def imported(ses: Any, s3: Any) -> Callable[..., dict[str, Any]]:
    """Puts an object, starts an import job of it, and returns what GetImportJob says next."""

    def run(
        content: str | bytes, *, name: str | None = None, action: str = "PUT", data_format: str = "JSON"
    ) -> dict[str, Any]:
        s3.put_object(Bucket="imports", Key="rows", Body=content)
        job = start(ses, name=name, action=action, data_format=data_format)
        return ses.get_import_job(JobId=job)

    return run


def start(
    ses: Any, *, name: str | None = None, action: str = "PUT", data_format: str = "JSON", url: str = "s3://imports/rows"
) -> str:
    """Starts an import job into a list, or into the suppression list, and returns its ID."""
    if name is None:
        destination = {"SuppressionListDestination": {"SuppressionListImportAction": action}}
    else:
        destination = {"ContactListDestination": {"ContactListName": name, "ContactListImportAction": action}}
    source = {"S3Url": url, "DataFormat": data_format}
    return str(ses.create_import_job(ImportDestination=destination, ImportDataSource=source)["JobId"])


def code(refused: pytest.ExceptionInfo[Any]) -> str:
    """The error code that boto3 saw."""
    return str(refused.value.response["Error"]["Code"])
