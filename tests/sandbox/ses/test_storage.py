"""S3 and STS beside SES: signatures, permissions, pre-signed URLs, and an S3 of somebody else."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys

import boto3
import httpx
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, ConnectionClosedError
from moto.server import ThreadedMotoServer

from mailing_sandbox import Sandbox
from tests.sandbox.ses.conftest import code, start

KEY = "imports/2025 é/rows+1.jsonl"


def test_objects_are_put_listed_read_and_deleted(s3):
    s3.put_object(Bucket="imports", Key=KEY, Body=b"0123456789", ContentType="application/x-ndjson")
    head = s3.head_object(Bucket="imports", Key=KEY)
    assert (head["ContentLength"], head["ContentType"]) == (10, "application/x-ndjson")
    assert [one["Key"] for one in s3.list_objects_v2(Bucket="imports")["Contents"]] == [KEY]
    assert s3.get_object(Bucket="imports", Key=KEY, Range="bytes=2-4")["Body"].read() == b"234"
    s3.delete_object(Bucket="imports", Key=KEY)
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket="imports", Key=KEY)
    assert code(refused) == "NoSuchKey"


def test_an_upload_in_parts(s3):
    upload = s3.create_multipart_upload(Bucket="imports", Key=KEY)["UploadId"]
    part = s3.upload_part(Bucket="imports", Key=KEY, UploadId=upload, PartNumber=1, Body=b"x" * 100)
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket="imports", Key=KEY, UploadId=upload, MultipartUpload=parts)
    assert s3.head_object(Bucket="imports", Key=KEY)["ContentLength"] == 100


@pytest.mark.slow
@pytest.mark.parametrize("version", [None, "s3v4"])
def test_pre_signed_urls_of_both_versions(sandbox, s3, version):
    one = boto3.client(
        "s3", endpoint_url=f"{sandbox.url}/s3", region_name="us-east-1", aws_access_key_id=sandbox.api_key,
        aws_secret_access_key=sandbox.secret_key, config=Config(signature_version=version),
    )  # fmt: skip
    put = {"Bucket": "imports", "Key": KEY, "ContentType": "text/plain"}
    url = one.generate_presigned_url("put_object", Params=put, ExpiresIn=900)
    assert httpx.put(url, content=b"hello", headers={"content-type": "text/plain"}, verify=False).status_code == 200
    assert httpx.put(url, content=b"hello", headers={"content-type": "text/html"}, verify=False).status_code == 403
    assert httpx.get(url, verify=False).status_code == 403
    got = one.generate_presigned_url("get_object", Params={"Bucket": "imports", "Key": KEY}, ExpiresIn=900)
    assert httpx.get(got, verify=False).content == b"hello"
    assert httpx.get(got.replace("imports", "others"), verify=False).status_code == 403
    expired = one.generate_presigned_url("get_object", Params={"Bucket": "imports", "Key": KEY}, ExpiresIn=-5)
    assert "expired" in httpx.get(expired, verify=False).text
    one.close()


@pytest.mark.slow
@pytest.mark.parametrize("version", [None, "s3v4"])
def test_pre_signed_urls_of_temporary_keys_end_with_them(sandbox, s3, version):
    s3.put_object(Bucket="imports", Key="rows", Body=b"hello")
    sandbox.ses.add_key("ASIATEMP", "its-secret", "its-token", seconds=60)

    def presigned(key="ASIATEMP", token="its-token"):
        keys = {"aws_access_key_id": key, "aws_secret_access_key": "its-secret", "aws_session_token": token}
        config = Config(signature_version=version)
        one = boto3.client("s3", endpoint_url=f"{sandbox.url}/s3", region_name="us-east-1", config=config, **keys)
        with contextlib.closing(one):
            return one.generate_presigned_url("get_object", Params={"Bucket": "imports", "Key": "rows"})

    assert httpx.get(presigned(), verify=False).content == b"hello"
    assert "InvalidAccessKeyId" in httpx.get(presigned(key="AKIANOBODY"), verify=False).text
    assert "InvalidAccessKeyId" in httpx.get(presigned(token="another"), verify=False).text
    sandbox.clock.advance(61)
    assert httpx.get(presigned(), verify=False).status_code in (400, 403)


@pytest.mark.parametrize("query", ["X-Amz-Signature=0", "X-Amz-Signature=0&X-Amz-Expires=many"])
def test_a_pre_signed_url_with_parts_missing_is_refused(sandbox, query):
    assert httpx.get(f"{sandbox.url}/s3/imports/rows?{query}", verify=False).status_code == 400


def test_a_payload_hash_of_another_body_is_refused(sandbox, s3):
    signed = AWSRequest("PUT", f"{sandbox.url}/s3/imports/rows", headers={"host": sandbox.url.partition("//")[2]})
    S3SigV4Auth(Credentials(sandbox.api_key, sandbox.secret_key), "s3", "us-east-1").add_auth(signed)
    headers = dict(signed.headers.items())
    assert httpx.put(signed.url, headers=headers, verify=False).status_code == 200
    refused = httpx.put(signed.url, headers=headers, content=b"more than nothing", verify=False)
    assert refused.status_code == 403
    assert "SignatureDoesNotMatch" in refused.text


def test_nobody_and_strangers_are_refused(sandbox, client, s3):
    assert httpx.get(f"{sandbox.url}/s3/imports/rows", verify=False).status_code == 403
    for changes, expected in (
        ({"aws_access_key_id": "AKIANOBODY"}, "InvalidAccessKeyId"),
        ({"aws_secret_access_key": "wrong"}, "SignatureDoesNotMatch"),
    ):
        with pytest.raises(ClientError) as refused:
            client("s3", **changes).list_objects_v2(Bucket="imports")
        assert code(refused) == expected
    sandbox.switches.change({"s3_signatures": False})
    assert client("s3", aws_secret_access_key="wrong").list_objects_v2(Bucket="imports")["KeyCount"] == 0


@pytest.mark.parametrize(
    ("action", "call"),
    [
        ("s3:PutObject", lambda s3: s3.put_object(Bucket="imports", Key=KEY, Body=b"x")),
        ("s3:GetObject", lambda s3: s3.get_object(Bucket="imports", Key=KEY)),
        ("s3:DeleteObject", lambda s3: s3.delete_object(Bucket="imports", Key=KEY)),
        ("s3:ListBucket", lambda s3: s3.list_objects_v2(Bucket="imports")),
    ],
)
def test_denied_actions_are_named(sandbox, s3, action, call):
    s3.put_object(Bucket="imports", Key=KEY, Body=b"x")
    sandbox.ses.deny(action)
    with pytest.raises(ClientError, match=action) as refused:
        call(s3)
    assert code(refused) == "AccessDenied"
    sandbox.ses.deny()
    call(s3)


def test_what_moto_cannot_do_is_an_error_of_s3(wire, sandbox):
    sandbox.switches.change({"s3_signatures": False})
    answer = wire("PATCH", "/s3/imports", service="s3")
    assert answer.status_code in (405, 501)


def test_an_assumed_role_may_call_until_it_expires(sandbox, client):
    role = f"arn:aws:iam::{sandbox.storage.keyring.account}:role/reader"
    given = client("sts").assume_role(RoleArn=role, RoleSessionName="tests")
    keys = given["Credentials"]
    role = {
        "aws_access_key_id": keys["AccessKeyId"],
        "aws_secret_access_key": keys["SecretAccessKey"],
        "aws_session_token": keys["SessionToken"],
    }
    assert client(**role).get_account()
    client("s3", **role).create_bucket(Bucket="from-a-role")
    assert "assumed-role/reader/tests" in client("sts", **role).get_caller_identity()["Arn"]
    sandbox.ses.deny("ses:GetAccount")
    with pytest.raises(ClientError, match=r"arn:aws:sts::\d+:assumed-role/reader/tests is not authorized"):
        client(**role).get_account()
    sandbox.ses.deny()
    sandbox.clock.advance(3 * 3600)
    with pytest.raises(ClientError) as refused:
        client(**role).get_account()
    assert code(refused) == "ExpiredTokenException"
    with pytest.raises(ClientError) as refused:
        client("s3", **role).list_buckets()
    assert code(refused) == "ExpiredToken"


def test_assuming_a_role_can_be_denied(sandbox, client):
    sandbox.ses.deny("sts:AssumeRole")
    with pytest.raises(ClientError) as refused:
        client("sts").assume_role(RoleArn="arn:aws:iam::111122223333:role/reader", RoleSessionName="tests")
    assert code(refused) == "AccessDenied"


@pytest.mark.slow
def test_calls_of_s3_are_counted_and_faulted(sandbox, s3):
    sandbox.faults.add(kind="reply_lost", method="PUT", path="/s3/imports/rows")
    with pytest.raises(ConnectionClosedError):
        s3.put_object(Bucket="imports", Key="rows", Body=b"x")
    assert s3.head_object(Bucket="imports", Key="rows")["ContentLength"] == 1
    sandbox.faults.add(kind="status", status=503, path="/s3/*")
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket="imports", Key="rows")
    assert code(refused) == "SlowDown"
    assert sandbox.counters.calls == {
        "PUT /s3/{bucket}": 1, "PUT /s3/{bucket}/{key}": 1, "HEAD /s3/{bucket}/{key}": 1, "GET /s3/{bucket}/{key}": 1,
    }  # fmt: skip


def test_two_sandboxes_keep_their_objects_apart(sandbox, s3):
    s3.put_object(Bucket="imports", Key="rows", Body=b"x")
    with Sandbox() as other:
        other.storage.add_bucket("others")
        assert [one["Name"] for one in s3.list_buckets()["Buckets"]] == ["imports"]
    assert s3.head_object(Bucket="imports", Key="rows")
    sandbox.reset()
    assert s3.list_buckets()["Buckets"] == []
    sandbox.storage.add_bucket("others")
    with pytest.raises(ValueError, match="NO"):
        sandbox.storage.add_bucket("NO")


@pytest.fixture
def elsewhere():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def test_jobs_read_an_s3_of_somebody_else(sandbox, ses, newsletter, elsewhere):
    sandbox.switches.change({"ses_s3_endpoint": elsewhere})
    other = boto3.client(
        "s3", endpoint_url=elsewhere, region_name="us-east-1", aws_access_key_id="any", aws_secret_access_key="any"
    )
    other.create_bucket(Bucket="theirs")
    body = json.dumps({"emailAddress": "ann@example.com"}) + "\nbad\n"
    other.put_object(Bucket="theirs", Key="rows", Body=body.encode())
    job = ses.get_import_job(JobId=start(ses, name=newsletter, url="s3://theirs/rows"))
    assert (job["JobStatus"], job["FailedRecordsCount"]) == ("COMPLETED", 1)
    assert job["FailureInfo"]["FailedRecordsS3Url"].startswith(elsewhere)
    assert "bad" in httpx.get(job["FailureInfo"]["FailedRecordsS3Url"], verify=False).text
    sandbox.switches.change({"ses_s3_endpoint": "http://127.0.0.1:9"})
    job = ses.get_import_job(JobId=start(ses, name=newsletter, url="s3://theirs/rows"))
    assert job["JobStatus"] == "FAILED"
    other.close()


@pytest.mark.slow
def test_mailjet_alone_loads_neither_botocore_nor_moto():
    script = """if True:
        import sys
        from mailing_sandbox import Sandbox
        with Sandbox(contacts=10) as sandbox:
            sandbox.mailjet.add_list("News")
            sandbox.reset()
        print({"botocore", "moto", "flask", "werkzeug"} & {name.partition(".")[0] for name in sys.modules})
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "set()"


def test_a_digest_of_another_body_is_refused_and_nothing_is_written(sandbox, s3):
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket="imports", Key="rows", Body=b"hello", ContentMD5="AAAAAAAAAAAAAAAAAAAAAA==")
    assert code(refused) == "BadDigest"
    assert s3.list_objects_v2(Bucket="imports")["KeyCount"] == 0
    sandbox.switches.change({"s3_digests": False})
    s3.put_object(Bucket="imports", Key="rows", Body=b"hello", ContentMD5="AAAAAAAAAAAAAAAAAAAAAA==")


def test_a_request_signed_for_another_region_is_led_to_the_bucket_s_own(sandbox, s3):
    keys = Credentials(sandbox.api_key, sandbox.secret_key)

    def head():
        host = sandbox.url.partition("//")[2]
        signed = AWSRequest("GET", f"{sandbox.url}/s3/imports/rows", headers={"host": host})
        S3SigV4Auth(keys, "s3", "eu-west-1").add_auth(signed)
        return httpx.get(signed.url, headers=dict(signed.headers.items()), verify=False)

    assert head().status_code == 301
    assert head().headers["x-amz-bucket-region"] == "us-east-1"
    sandbox.switches.change({"s3_regions": False})
    assert head().status_code == 404


@pytest.fixture
def locked(s3):
    """A bucket with Object Lock, whose objects are retained."""
    s3.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
    s3.put_object_lock_configuration(
        Bucket="locked", ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    return "locked"


def put(sandbox, path, content=b"hello", **headers):
    """PUT without an unrequested digest."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    signed = AWSRequest(
        "PUT",
        f"{sandbox.url}/s3/{path}",
        data=content,
        headers={"host": sandbox.url.partition("//")[2], **headers},
    )
    S3SigV4Auth(Credentials(sandbox.api_key, sandbox.secret_key), "s3", "us-east-1").add_auth(signed)
    return httpx.put(signed.url, headers=dict(signed.headers.items()), content=content, verify=False)


@pytest.mark.parametrize(
    ("digest", "status"),
    [
        ({}, 400),
        ({"content_md5": "XUFAKrxLKna5cZ2REBfFkg=="}, 200),
        ({"content_md5": "AAAAAAAAAAAAAAAAAAAAAA=="}, 400),
        ({"x_amz_sdk_checksum_algorithm": "CRC32", "x_amz_checksum_crc32": "NhCmhg=="}, 200),
    ],
)
def test_what_object_lock_retains_needs_a_digest(sandbox, locked, digest, status):
    assert put(sandbox, f"{locked}/rows", **digest).status_code == status
    if not digest:
        for path in ("rows", "rows?partNumber=1&uploadId=1"):
            assert "InvalidRequest" in put(sandbox, f"{locked}/{path}").text
        assert put(sandbox, "imports/rows").status_code == 200


SSE = "x-amz-server-side-encryption"


@pytest.mark.parametrize(
    ("condition", "allowed", "denied"),
    [
        ({"Null": {f"s3:{SSE}": "true"}}, [{SSE: "AES256"}], [{}]),
        ({"StringNotEquals": {f"s3:{SSE}": "aws:kms"}}, [{SSE: "aws:kms"}], [{}, {SSE: "AES256"}]),
        ({"StringNotEqualsIfExists": {f"s3:{SSE}": "aws:kms"}}, [{SSE: "aws:kms"}], [{}, {SSE: "AES256"}]),
        ({"StringEquals": {f"s3:{SSE}": ["AES256"]}}, [{}, {SSE: "aws:kms"}], [{SSE: "AES256"}]),
        ({"DateLessThan": {"aws:CurrentTime": "2020-01-01"}}, [{}], []),
        ({}, [], [{SSE: "AES256"}, {}]),
    ],
)
def test_a_bucket_policy_that_demands_headers_is_followed(sandbox, s3, condition, allowed, denied):
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::imports/*",
        "Condition": condition,
    }
    s3.put_bucket_policy(Bucket="imports", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    for headers in allowed:
        assert put(sandbox, "imports/rows", **headers).status_code == 200
    for headers in denied:
        refused = put(sandbox, "imports/rows", **headers)
        assert refused.status_code == 403
        assert "explicit deny" in refused.text
        if condition:
            assert put(sandbox, "imports/rows?partNumber=1&uploadId=1", **headers).status_code != 403
