"""A contact from any provider is a contact: what the tap reads, the target delivers, without any mapping."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

import pytest

from mailing_sandbox.server import Sandbox
from tap_mailing.tap import TapMailing
from tests.target.conftest import LIST, Mailjet

PEOPLE = {
    "Tom": {"emails": ["Tom@Example.com"], "last_name": "Albright", "employer": "Mill"},
    "Nina": {"emails": ["nina@example.com"], "last_name": "Albright", "optout_enewsletter": True},
    "Ada": {"emails": ["ada@example.com"], "deceased": True},
    "Max": {"emails": []},
}

WITHHELD = {"excluded", "pending"}
ACCOUNT = ("mailjet_api_key", "mailjet_secret_key", "mailjet_base_url")


@pytest.fixture(autouse=True)
def _no_aws_of_this_machine(monkeypatch, tmp_path):
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))


@pytest.fixture
def sandbox():
    with Sandbox(job_seconds=0.05, switches={"mpdx_rate_limit": 0}) as running:
        running.mailjet.add_list(LIST)
        yield running


@pytest.fixture
def mailjet(sandbox, tmp_path):
    config = {
        "mailjet_api_key": sandbox.api_key,
        "mailjet_secret_key": sandbox.secret_key,
        "mailjet_base_url": sandbox.url,
        "list": LIST,
        "journal": str(tmp_path / "journal.sqlite"),
        "poll_interval": 0.03,
        "poll_max_interval": 0.05,
    }
    return Mailjet(sandbox, tmp_path, config)


@pytest.fixture
def mpdx(sandbox):
    """Households, and the tap's settings to read them."""
    home = sandbox.mpdx.add_account_list("Stateside", "United States")
    people = [{"first_name": name, **person} for name, person in PEOPLE.items()]
    sandbox.mpdx.add_contacts(
        [
            {"account_list": home, "name": "Albright", "send_newsletter": "Both", "people": people},
            {
                "account_list": home, "name": "Post", "send_newsletter": "Physical",
                "people": [{"first_name": "Bob", "emails": ["bob@example.com"]}],
            },
        ]
    )  # fmt: skip
    return {"mpdx_base_url": sandbox.url, "mpdx_token": sandbox.mpdx.token()}


@pytest.fixture
def ses(sandbox):
    """A contact list with two topics: who takes one, who takes none, who opted out of all, and who never chose."""
    sandbox.ses.add_list("Readers", topics={"news": "OPT_OUT"})
    sandbox.ses.add_contacts(
        [
            {"email": "some@example.com", "topics": {"news": "OPT_IN"}},
            {"email": "none@example.com", "topics": {"news": "OPT_OUT"}},
            {"email": "all@example.com", "unsubscribed": True},
            {"email": "never@example.com"},
        ]
    )
    return {
        "ses_regions": ["us-east-1"],
        "ses_endpoint_url": sandbox.url,
        "ses_aws_access_key_id": sandbox.api_key,
        "ses_aws_secret_access_key": sandbox.secret_key,
        "ses_requests_per_second": 1e6,
    }


@pytest.fixture
def postgrid(sandbox):
    """A few postal addresses, and the tap's settings to read them."""
    sandbox.postgrid.seed(3)
    return {"postgrid_base_url": sandbox.url, "postgrid_api_key": "test_sk_sandbox", "max_requests_per_second": 1e6}


def extract(config: dict[str, Any], stream: str) -> str:
    """What the tap writes of one stream."""
    catalog = TapMailing(config=config, validate_config=False, setup_mapper=False).catalog_dict
    for one in catalog["streams"]:
        for entry in one["metadata"]:
            if not entry["breadcrumb"]:
                entry["metadata"]["selected"] = one["stream"] == stream
    output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with contextlib.redirect_stdout(output):
        TapMailing(config=config, catalog=catalog).sync_all()
    output.seek(0)
    return output.read()


def records(text: str) -> dict[str, dict[str, Any]]:
    """The records by address."""
    messages = map(json.loads, text.splitlines())
    found = [one["record"] for one in messages if one["type"] == "RECORD"]
    return {one["email"]: one for one in found}


def given(values: dict[str, Any]) -> dict[str, Any]:
    """The values that are not null."""
    return {name: value for name, value in values.items() if value is not None}


def test_people_of_mpdx_go_to_a_mailjet_list(mpdx, mailjet):
    text = extract(mpdx, "mpdx_people")
    result = mailjet.deliver(text)
    assert result.error is None, result.log
    assert result.counts() == {"delivered": 2, "withheld": 2, "skipped": 1}
    assert result.outcomes["reasons"] == {"excluded": 2, "no_address": 1}
    members = mailjet.members()
    assert mailjet.statuses() == {"tom@example.com": "subscribed", "nina@example.com": "unsubscribed"}
    sent = records(text)
    assert {email: member["name"] for email, member in members.items()} == {
        email: sent[email]["name"] for email in members
    }
    # The tap's last STATE comes out, and not sooner than the jobs end.
    assert result.states[-1] == json.loads(text.splitlines()[-1])["value"]


@pytest.mark.slow
def test_contacts_of_mailjet_go_to_a_list_of_another_account(mailjet, tmp_path):
    with Sandbox(contacts=60, seed=4) as elsewhere:
        names = {"mailjet_base_url": elsewhere.url, "mailjet_include_anonymized": False}
        keys = {"mailjet_api_key": elsewhere.api_key, "mailjet_secret_key": elsewhere.secret_key}
        text = extract(names | keys, "mailjet_contacts")
        datatypes = {one.name: one.datatype for one in elsewhere.mailjet._account.store.properties.rows}
    for name, datatype in datatypes.items():
        mailjet.sandbox.mailjet.add_property(name, datatype)
    sent = records(text)
    result = mailjet.deliver(text)
    assert result.error is None, result.log
    members = {email.lower(): member for email, member in mailjet.members().items()}
    wanted = {email.lower(): one for email, one in sent.items() if one["subscription_status"] not in WITHHELD}
    assert members.keys() == wanted.keys()
    assert 0 < len(wanted) < len(sent)
    assert {member["status"] for member in members.values()} == {"subscribed"}
    back = records(extract({name: mailjet.config[name] for name in ACCOUNT}, "mailjet_contacts"))
    for email, record in sent.items():
        if record["subscription_status"] not in WITHHELD:
            assert back[email]["name"] == record["name"]
            assert given(back[email]["properties"]) == given(record["properties"])


@pytest.mark.slow
def test_contacts_of_amazon_ses_go_to_a_mailjet_list(ses, mailjet):
    text = extract(ses, "ses_contacts")
    result = mailjet.deliver(text)
    assert result.error is None, result.log
    assert result.counts() == {"delivered": 3, "withheld": 1}
    assert mailjet.statuses() == {
        "all@example.com": "unsubscribed", "some@example.com": "subscribed", "none@example.com": "unsubscribed",
    }  # fmt: skip
    assert result.outcomes["reasons"] == {"excluded": 1}


@pytest.mark.parametrize("stream", ["mpdx_contacts", "postgrid_contacts"])
def test_households_without_e_mail_end_in_one_clear_error_before_any_call(request, mailjet, stream):
    text = extract(request.getfixturevalue(stream.partition("_")[0]), stream)
    assert records(text)
    before = mailjet.sandbox.counters.total_calls
    result = mailjet.deliver(text)
    assert f"Stream '{stream}' has no contacts with e-mail addresses" in str(result.error)
    assert result.states == []
    assert mailjet.sandbox.counters.total_calls == before


def test_households_are_skipped_where_that_is_asked_for(mpdx, mailjet):
    result = mailjet.deliver(extract(mpdx, "mpdx_contacts"), on_unknown_stream="skip")
    assert result.error is None
    assert result.counts() == {"skipped": 2}
