"""Every client of this package, made for a base URL, each with one call that sends credentials."""

from __future__ import annotations

from contextlib import closing

from mailing_api.aws.s3 import Bucket
from mailing_api.aws.s3_encryption import Encryption
from mailing_api.aws.session import AwsSession
from mailing_api.errors import RequestRefused
from mailing_api.http.downloads import Downloads
from mailing_api.http.pace import Pace
from mailing_api.http.retry import RetryPolicy
from mailing_api.mailjet.client import MailjetClient
from mailing_api.mpdx.client import MpdxClient
from mailing_api.postgrid.client import PostgridClient
from mailing_api.ses.client import SesClient

#: As patient as ever, without the waiting.
HASTY = RetryPolicy(throttle_base=0, fault_base=0)

SECRET = "canary-secret"
REGION = "eu-west-1"
KEYS = {"access_key_id": "AKIDCANARY", "secret_access_key": SECRET}


def _options(options):
    return {"retry": HASTY, "sleep": lambda _: None, "pace": Pace(sleep=lambda _: None), **options}


def mailjet(url, **options):
    client = MailjetClient(api_key="canary-key", secret_key=SECRET, base_url=url, **_options(options))
    with closing(client):
        client.page("contact", {})


def postgrid(url, **options):
    with closing(PostgridClient(api_key="test_sk_canary", base_url=url, **_options(options))) as client:
        client.sample("contacts", 1)


def mpdx(url, **options):
    with closing(MpdxClient(token=SECRET, base_url=url, **_options(options))) as client:
        client.account_lists()


def ses(url, **options):
    keys = {f"aws_{name}": value for name, value in KEYS.items()}
    client = SesClient(regions=[REGION], endpoint_url=url, requests_per_second=1e6, **keys, **_options(options))
    with closing(client):
        client.describe(REGION)


def s3(url, **options):
    bucket = Bucket(
        AwsSession(region=REGION, **KEYS),
        REGION,
        "imports",
        endpoint_url=url,
        endpoint_setting="ses_s3_endpoint_url",
        setting="ses_s3_bucket",
        region_setting="ses_regions",
        encryption=Encryption("ses_s3_encryption"),
        **_options(options),
    )
    with closing(bucket):
        bucket.delete("rows")


def file_of_a_provider(url, **options):
    files = Downloads(
        provider="PostGrid",
        account="default",
        base_url=url,
        read_error=lambda asked, _: RequestRefused(asked),
        **_options(options),
    )
    files.fetch(f"{url}/report?signature={SECRET}", what="a report")


def sts(url, monkeypatch, **options):
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
    AwsSession(
        region=REGION, assume_role_arn="arn:aws:iam::111111111111:role/r", prefix="ses_", **KEYS, **options
    ).credentials()


#: All but AWS's STS, which is asked by botocore.
CLIENTS = {
    "mailjet": mailjet,
    "postgrid": postgrid,
    "mpdx": mpdx,
    "ses": ses,
    "s3": s3,
    "file": file_of_a_provider,
}

__all__ = ["CLIENTS", "HASTY", "KEYS", "REGION", "SECRET", "sts"]
