"""The bucket of import jobs over a fake network: signed as botocore does, parts, refusals without quotes."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from hashlib import md5

import botocore.auth
import botocore.session
import httpx
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from mailing_api.aws import s3
from mailing_api.aws.s3_encryption import Encryption, encryption_of
from mailing_api.errors import (
    AuthenticationError,
    ConfigurationError,
    MailingError,
    NotFound,
    PermissionDenied,
    ProviderFault,
    RateLimited,
    RequestRefused,
    UnreadableAnswer,
)
from mailing_api.http.retry import RetryPolicy
from mailing_api.ses.client import SesClient

KEY = "some folder/Zoë+1~a.jsonl"
KEYS = ("AKIDEXAMPLE", "canary-secret", "canary+token/==")
KMS_KEY = "arn:aws:kms:eu-west-1:111122223333:alias/imports"
UPLOAD = "<r><UploadId>up/1+2</UploadId></r>"


@pytest.fixture(autouse=True)
def _no_aws_of_this_machine(monkeypatch, tmp_path):
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))


class Wire:
    """Keeps requests; answers them in turn, and then always with the last."""

    def __init__(self, *answers):
        self.requests = []
        self._answers = list(answers) or [httpx.Response(200, headers={"etag": '"1"'})]

    def __call__(self, request):
        self.requests.append(request)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def seen(self):
        return [(one.method, one.url.query.decode()) for one in self.requests]


def bucket(wire, name="imports", **options):
    ses = SesClient(
        regions=["eu-west-1"],
        aws_access_key_id=KEYS[0],
        aws_secret_access_key=KEYS[1],
        aws_session_token=KEYS[2],
        transport=httpx.MockTransport(wire),
        retry=RetryPolicy(throttle_base=0, fault_base=0, throttle_tries=2, fault_tries=2),
        sleep=lambda _: None,
    )
    return ses.bucket("eu-west-1", name, **options)


def error(code, status):
    return httpx.Response(status, text=f"<Error><Code>{code}</Code><Message>canary@example.com</Message></Error>")


TAGGED = httpx.Response(200, headers={"etag": '"tag"'})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "style", "encryption"),
    [
        ("imports", "virtual", {}),
        ("my.imports", "path", {}),
        ("imports", "virtual", {"ServerSideEncryption": "AES256"}),
        ("imports", "virtual", {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": KMS_KEY}),
    ],
)
def test_an_object_is_written_as_botocore_would(monkeypatch, name, style, encryption):
    frozen = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: frozen.replace(tzinfo=None))
    wire = Wire()
    said = encryption_of(
        "ses_s3_",
        {
            "ses_s3_encryption": encryption.get("ServerSideEncryption"),
            "ses_s3_kms_key_id": encryption.get("SSEKMSKeyId"),
        },
    )
    assert bucket(wire, name, encryption=said).put(KEY, [b"one\n", b"two\n"]) == 8
    (ours,) = wire.requests
    assert ours.content == b"one\ntwo\n"

    session = botocore.session.Session()
    session.set_credentials(*KEYS)
    config = Config(
        s3={"addressing_style": style, "payload_signing_enabled": True}, request_checksum_calculation="when_required"
    )
    theirs = session.create_client("s3", region_name="eu-west-1", config=config)
    kept = []

    class Raw:
        def stream(self, **_):
            yield b""

    def keep(request, **_):
        kept.append(request)
        return AWSResponse(request.url, 200, {}, Raw())

    theirs.meta.events.register("before-send.s3", keep)
    theirs.meta.events.unregister("before-call.s3.PutObject")
    digest = "IJS2AdqsPWj1rtUdPCD3zQ=="
    theirs.put_object(
        Bucket=name, Key=KEY, Body=b"one\ntwo\n", ContentType="application/x-ndjson", ContentMD5=digest, **encryption
    )
    theirs.close()
    assert str(ours.url) == kept[0].url
    assert ours.headers["x-amz-content-sha256"] == kept[0].headers["X-Amz-Content-SHA256"].decode()
    for header in ("x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id"):
        told = kept[0].headers.get(header)
        assert ours.headers.get(header) == (told.decode() if isinstance(told, bytes) else told)
        assert (f";{header}" in ours.headers["authorization"].partition("SignedHeaders=")[2]) == (told is not None)
    assert ours.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260304/eu-west-1/s3/")


@pytest.mark.slow
def test_another_endpoint_has_the_bucket_in_its_path():
    wire = Wire()
    bucket(wire, endpoint_url="http://127.0.0.1:9000/s3/").put("a/b", [b"x"])
    assert str(wire.requests[0].url) == "http://127.0.0.1:9000/s3/imports/a/b"


@pytest.mark.slow
def test_an_object_without_content_is_written():
    wire = Wire()
    assert bucket(wire).put("key", []) == 0
    assert wire.requests[0].content == b""


@pytest.mark.slow
def test_a_large_object_goes_in_parts(monkeypatch):
    monkeypatch.setattr(s3, "PART_SIZE", 4)
    wire = Wire(httpx.Response(200, text=UPLOAD), TAGGED, TAGGED, TAGGED, httpx.Response(200, text="<ok/>"))
    assert bucket(wire).put("key", [b"abc", b"de", b"fghij", b"k"]) == 11
    upload = "uploadId=up%2F1%2B2"
    parts = [("PUT", f"partNumber={number}&{upload}") for number in (1, 2, 3)]
    assert wire.seen() == [("POST", "uploads="), *parts, ("POST", upload)]
    assert [one.content for one in wire.requests[1:4]] == [b"abcde", b"fghij", b"k"]
    assert b'<PartNumber>3</PartNumber><ETag>"tag"</ETag>' in wire.requests[4].content
    assert [one.headers["content-md5"] for one in wire.requests[1:4]] == [
        b64encode(md5(one.content, usedforsecurity=False).digest()).decode() for one in wire.requests[1:4]
    ]


def test_an_upload_in_parts_says_its_encryption_once(monkeypatch):
    monkeypatch.setattr(s3, "PART_SIZE", 4)
    wire = Wire(httpx.Response(200, text=UPLOAD), TAGGED, TAGGED, httpx.Response(200, text="<ok/>"))
    said = Encryption("a_setting", {"x-amz-server-side-encryption": "AES256"})
    assert bucket(wire, encryption=said).put("key", [b"abcde", b"f"]) == 6
    assert [one.headers.get("x-amz-server-side-encryption") for one in wire.requests] == ["AES256", None, None, None]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"s3_kms_key_id": "key"}, "`s3_kms_key_id` needs `s3_encryption: aws:kms`"),
        ({"s3_kms_key_id": "key", "s3_encryption": "AES256"}, "`s3_kms_key_id` needs `s3_encryption: aws:kms`"),
        ({"s3_kms_key_id": "a key\r\n", "s3_encryption": "aws:kms"}, "`s3_kms_key_id` must be the ID"),
        ({"s3_kms_key_id": "schlüssel", "s3_encryption": "aws:kms"}, "`s3_kms_key_id` must be the ID"),
    ],
)
def test_settings_of_encryption_are_checked(config, said):
    with pytest.raises(ConfigurationError, match=said):
        encryption_of("s3_", config)


@pytest.mark.parametrize("name", ["  ", "Äé", "\u200b", "-", "a\nb", "a:b", "a b", "${X}"])
def test_p9_what_is_no_bucket_is_named(name):
    with pytest.raises(ConfigurationError, match="`ses_s3_bucket` is not a valid bucket name"):
        bucket(Wire(), name=name)


@pytest.mark.parametrize(
    ("words", "encryption", "said"),
    [
        ("is not authorized to perform: s3:PutObject", {}, "It needs s3:PutObject; .* set `a_setting`"),
        ("Access Denied", {}, "It needs s3:PutObject; .* set `a_setting`"),
        ("not authorized to perform: kms:GenerateDataKey on", {}, "It needs kms:GenerateDataKey"),
        ("with an explicit deny in a resource-based policy", {}, "A policy denies it.*set `a_setting`"),
        ("with an explicit deny", {"x-amz-server-side-encryption": "AES256"}, "another .* correct `a_setting`"),
    ],
)
def test_a_refused_upload_says_what_it_may_need(monkeypatch, words, encryption, said):
    monkeypatch.setattr(s3, "PART_SIZE", 4)
    answer = httpx.Response(403, text=f"<Error><Code>AccessDenied</Code><Message>canary {words}</Message></Error>")
    one = bucket(Wire(answer), encryption=Encryption("a_setting", encryption))
    for act in (lambda: one.check("mine/"), lambda: one.put("k", [b"x"]), lambda: one.put("k", [b"abcde", b"f"])):
        with pytest.raises(MailingError, match=said) as told:
            act()
        assert "canary" not in str(told.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ([error("InternalError", 500)] * 2, ProviderFault),
        ([TAGGED, TAGGED, error("InternalError", 200), error("InternalError", 200)], UnreadableAnswer),
        ([TAGGED, TAGGED, error("NoSuchUpload", 404), httpx.Response(404)], NotFound),
    ],
)
def test_parts_that_come_to_nothing_are_given_up(monkeypatch, answers, kind):
    monkeypatch.setattr(s3, "PART_SIZE", 4)
    wire = Wire(httpx.Response(200, text=UPLOAD), *answers, httpx.Response(204))
    with pytest.raises(kind):
        bucket(wire).put("key", [b"abcde", b"f"])
    assert wire.seen()[-1] == ("DELETE", "uploadId=up%2F1%2B2")


@pytest.mark.slow
def test_an_upload_whose_last_reply_was_lost_is_found_to_be_there(monkeypatch):
    monkeypatch.setattr(s3, "PART_SIZE", 4)
    wire = Wire(httpx.Response(200, text=UPLOAD), TAGGED, TAGGED, error("NoSuchUpload", 404), httpx.Response(200))
    assert bucket(wire).put("key", [b"abcde", b"f"]) == 6
    assert wire.seen()[-1] == ("HEAD", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (error("AccessDenied", 403), PermissionDenied, "AccessDenied"),
        (error("NoSuchKey", 404), NotFound, "NoSuchKey"),
        (error("SlowDown", 503), RateLimited, ""),
        (error("InternalError", 500), ProviderFault, "InternalError"),
        (error("ExpiredToken", 400), AuthenticationError, "ExpiredToken"),
        (error("RequestTimeout", 400), ProviderFault, "RequestTimeout"),
        (error("OperationAborted", 409), ProviderFault, "OperationAborted"),
        (error("RequestTimeTooSkewed", 403), RequestRefused, "RequestTimeTooSkewed. The clock of this machine"),
        (error("KMS.DisabledException", 400), RequestRefused, "PUT /imports/{key}: HTTP 400, KMS.DisabledException"),
        (error("ann@canary.example", 400), RequestRefused, "PUT /imports/{key}: HTTP 400."),
        (error("AuthorizationHeaderMalformed", 400), ConfigurationError, "another region"),
        (httpx.Response(301, headers={"x-amz-bucket-region": "us-west-2"}), ConfigurationError, "is in us-west-2"),
        (httpx.Response(200, text="<html>"), UnreadableAnswer, ""),
    ],
)
def test_p7_a_refusal_says_who_must_act_and_quotes_nothing(answer, kind, said):
    with pytest.raises(kind) as told:
        bucket(Wire(answer)).put("key", [b"x"])
    assert type(told.value) is kind
    assert said in str(told.value)
    assert "canary" not in str(told.value)


@pytest.mark.parametrize(
    "passing",
    [
        error("RequestTimeout", 400),
        error("OperationAborted", 409),
        error("ThrottlingException", 400),
        error("BadDigest", 400),
    ],
)
def test_what_passes_by_itself_is_tried_again(passing):
    wire = Wire(passing, TAGGED)
    assert bucket(wire).put("key", [b"x"]) == 1
    assert len(wire.requests) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (error("BadDigest", 400), None),
        (error("InvalidDigest", 400), None),
        (error("AccessDenied", 403), "s3:PutObject"),
        (error("NoSuchBucket", 404), "does not exist"),
        (error("InvalidBucketName", 400), "InvalidBucketName"),
    ],
)
def test_p9_a_check_tells_whether_objects_can_be_written(answer, said):
    wire = Wire(answer)
    if said is None:
        bucket(wire).check("mine/")
    else:
        with pytest.raises(MailingError, match=said):
            bucket(wire).check("mine/")
    (request,) = wire.requests
    assert request.url.path == "/mine/.write-test"
    assert request.content == b""


@pytest.mark.slow
def test_what_an_s3_without_digests_took_is_deleted():
    wire = Wire(TAGGED, httpx.Response(204))
    bucket(wire).check("mine/")
    assert wire.seen() == [("PUT", ""), ("DELETE", "")]


@pytest.mark.slow
def test_signed_urls_are_read_without_a_signature_of_ours():
    wire = Wire(httpx.Response(200, content=b"failed"))
    assert bucket(wire).read_signed("https://ses-files.s3.amazonaws.com/a?X-Amz-Signature=1%2F2") == b"failed"
    (request,) = wire.requests
    assert "authorization" not in request.headers
    assert str(request.url) == "https://ses-files.s3.amazonaws.com/a?X-Amz-Signature=1%2F2"
    with pytest.raises(MailingError, match="https://"):
        bucket(wire).read_signed("file:///etc/passwd")
