"""Before the first row: whatever stands in the way is one clear error, and nothing was written (P9)."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime

import pytest

from mailing_api.errors import MailingError
from target_mailing.ses.account import connect
from target_mailing.settings.settings import StreamSettings
from target_mailing.target import TargetMailing
from tests.target.conftest import person, schema, state
from tests.target.ses.conftest import BUCKET, LIST, REGION, demand_encryption, retain_objects


def sandboxed(ses):
    ses.ses.profile(region=REGION, production_access=False)


def elsewhere(ses):
    ses.sandbox.storage.add_bucket("american")
    ses.config["ses_s3_bucket"] = "american"


HINDRANCES = {
    "sandboxed": (sandboxed, {}, "sandbox"),
    "sandboxed suppressions": (sandboxed, {"ses_target": "suppression_list", "list": None}, "sandbox"),
    "no such list": (None, {"list": "Nobodys"}, f"no contact list 'Nobodys' (it has '{LIST}')"),
    "no name of a list": (None, {"list": "Nobody's"}, 'refuses "Nobody\'s" as the name of a contact list'),
    "a second list": (
        None,
        {"list": "Fresh", "create_list": True},
        f"AWS allows only one list in a region (it has '{LIST}')",
    ),
    "no list": (None, {"list": None}, "Setting `list`"),
    "two lists": (None, {"list": ["a", "b"]}, "Setting `list`"),
    "no such topic": (None, {"mapping": {"topic_Nws": "city"}}, "has: News, Offers"),
    "account-wide": (None, {"scope": "account"}, "Setting `scope`"),
    "bucket not writable": (lambda ses: ses.ses.deny("s3:PutObject"), {}, "s3:PutObject"),
    "no such bucket": (None, {"ses_s3_bucket": "nobodys"}, "the bucket 'nobodys' does not exist"),
    "bucket elsewhere": (elsewhere, {}, "the bucket 'american' is in us-east-1"),
    "no bucket": (None, {"ses_s3_bucket": None}, "needs a bucket"),
    "a path for a bucket": (None, {"ses_s3_bucket": "a/b"}, "`ses_s3_bucket` is not a valid bucket name"),
    "a prefix from the root": (None, {"ses_s3_prefix": "/a"}, "begins with a slash"),
    "no URL": (None, {"ses_s3_endpoint_url": "here"}, "Setting `ses_s3_endpoint_url`"),
    "two regions": (None, {"ses_regions": ["eu-west-1", "us-east-1"]}, "names 2 regions"),
    "another region": (
        None,
        {"ses_regions": ["us-east-1"]},
        "Setting `list`: Amazon SES us-east-1 has no contact list",
    ),
    "wrong secret": (None, {"ses_aws_secret_access_key": "wrong"}, "secret access key"),
    "no right": (lambda ses: ses.ses.deny("ses:GetContactList"), {}, "ses:GetContactList"),
    "too many rows": (None, {"batch_rows": 1_000_001}, "it must be 1 to 1000000"),
    "Mailjet's route": (None, {"route": "json"}, "does not have"),
    "an action of Mailjet's": (None, {"action": "excludemarketing"}, "does not support"),
}


@pytest.mark.parametrize("hindrance", HINDRANCES)
def test_p9_whatever_stands_in_the_way_is_named_before_anything_is_written(ses, hindrance):
    make, config, said = HINDRANCES[hindrance]
    if make is not None:
        make(ses)
    result = ses.deliver([schema(), person(1), state(1)], **config)
    assert isinstance(result.error, MailingError)
    assert said in str(result.error)
    assert result.states == []
    assert ses.contacts() == {}
    assert ses.objects() == []
    if "action" not in config:
        with pytest.raises(MailingError) as told:
            TargetMailing(config=ses.settings(**config)).check()
        assert said in str(told.value)


def test_a_check_tells_that_all_is_well_and_writes_nothing(ses, capsys):
    TargetMailing(config=ses.settings()).check()
    told = capsys.readouterr().out
    assert "credentials: accepted by Amazon SES" in told
    assert f"destination: Amazon SES, list {LIST!r} (ses:default:{REGION}:contact-list:{LIST})" in told
    assert ses.objects() == []
    assert ses.contacts() == {}


def test_a_check_tells_that_a_second_list_cannot_be_made(ses):
    with pytest.raises(MailingError, match="AWS allows only one list in a region"):
        TargetMailing(config=ses.settings(list="Fresh", create_list=True)).check()


def test_a_check_makes_no_list(bare):
    bare.sandbox.ses._account.region(REGION).contact_list = None
    TargetMailing(config=bare.settings(create_list=True)).check()
    assert bare.sandbox.ses._account.region(REGION).contact_list is None


def test_a_storage_that_compares_no_digests_is_left_as_it_was(ses):
    ses.sandbox.storage.change(s3_digests=False)
    TargetMailing(config=ses.settings()).check()
    assert ses.objects() == []


def test_what_a_check_of_a_bucket_with_object_lock_passes_the_run_can_do(ses):
    retain_objects(ses.sandbox, BUCKET)
    TargetMailing(config=ses.settings()).check()
    assert ses.deliver([schema(), person(1), state(1)]).counts() == {"delivered": 1}
    assert ses.objects() == []


@pytest.mark.parametrize("algorithm", ["AES256", "aws:kms"])
def test_a_bucket_whose_policy_demands_an_encryption_header_is_sent_one(ses, algorithm):
    demand_encryption(ses.sandbox, BUCKET, algorithm)
    for wrong in (None, "aws:kms:dsse"):
        with pytest.raises(MailingError, match="`ses_s3_encryption`"):
            TargetMailing(config=ses.settings(ses_s3_encryption=wrong)).check()
        assert "`ses_s3_encryption`" in str(ses.deliver([schema(), person(1)], ses_s3_encryption=wrong).error)
    config = {"ses_s3_encryption": algorithm}
    TargetMailing(config=ses.settings(**config)).check()
    assert ses.deliver([schema(), person(1), state(1)], **config).counts() == {"delivered": 1}


def test_a_clock_that_is_wrong_is_told_and_not_the_credentials(ses, monkeypatch):
    monkeypatch.setattr(
        "botocore.auth.get_current_datetime", lambda *_, **__: datetime(2020, 1, 2, tzinfo=UTC).replace(tzinfo=None)
    )
    ses.sandbox.switches.change({"ses_clock_skew_seconds": 0})  # then Amazon S3 is the first to notice
    error = ses.deliver([schema(), person(1)]).error
    assert "The clock of this machine is wrong" in str(error)
    assert f"/{BUCKET}/" in str(error)
    assert "secret" not in str(error)


@pytest.mark.slow
def test_a_sandboxed_account_may_still_deliver_one_by_one(ses):
    sandboxed(ses)
    assert ses.deliver([schema(), person(1)], route="direct").counts() == {"delivered": 1}


def test_several_providers_need_a_destination(ses):
    both = {"mailjet_api_key": "a", "mailjet_secret_key": "b"}
    assert "name one in `destination` (mailjet, ses)" in str(ses.deliver([schema()], **both).error)
    assert ses.deliver([schema(), person(1)], destination="ses", **both).counts() == {"delivered": 1}


@pytest.mark.parametrize(
    ("config", "rows", "at_once"),
    [
        ({"route": "import", "ses_s3_bucket": BUCKET}, 1_000_000, None),
        ({"route": "auto", "ses_s3_bucket": BUCKET}, 1_000_000, None),
        ({"route": "auto"}, 5000, 4),
        ({"route": "direct", "ses_s3_bucket": BUCKET}, 100, 4),
    ],
)
def test_p5_batches_sent_one_by_one_are_few_and_small_so_that_who_was_read_is_written_soon(bare, config, rows, at_once):
    whole = {**bare.config, **config}
    with closing(connect(whole)) as account:
        settings = StreamSettings.resolve(whole, "people")
        assert (account.most_rows(settings), account.batches_at_once(settings)) == (rows, at_once)
