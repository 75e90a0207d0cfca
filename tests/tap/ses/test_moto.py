"""The tap against moto, which nobody here wrote: contact lists and contacts, as far as moto has them."""

from __future__ import annotations

import boto3
import pytest
from moto.server import ThreadedMotoServer

from .conftest import CONTACT_DETAILS, CONTACTS, HOME, JOBS, LISTS, TOPICS

KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}


@pytest.fixture(scope="module")
def moto():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def settings(moto):
    return {"ses_regions": [HOME], "ses_endpoint_url": moto, "ses_requests_per_second": 1e6} | {
        f"ses_{name}": value for name, value in KEYS.items()
    }


@pytest.fixture(autouse=True)
def _filled(moto):
    ses = boto3.client("sesv2", endpoint_url=moto, region_name=HOME, **KEYS)
    topic = {"TopicName": "News", "DisplayName": "News", "DefaultSubscriptionStatus": "OPT_IN"}
    ses.create_contact_list(ContactListName="Readers", Description="All", Topics=[topic])
    ses.create_contact(ContactListName="Readers", EmailAddress="ann+1@example.com", AttributesData='{"city":"Oslo"}')
    ses.create_contact(ContactListName="Readers", EmailAddress="zoë@example.com", UnsubscribeAll=True)
    yield
    ses.delete_contact_list(ContactListName="Readers")
    ses.close()


def test_lists_and_contacts_are_read_from_moto(settings, tap):
    run = tap.run(settings, LISTS, TOPICS, CONTACTS, CONTACT_DETAILS)
    assert run.error is None
    assert run.ids(LISTS) == ["Readers"]
    assert run.ids(TOPICS) == ["News"]
    for stream in (CONTACTS, CONTACT_DETAILS):
        found = {record["id"]: record["subscription_status"] for record in run.records(stream)}
        assert found == {"ann+1@example.com": "subscribed", "zoë@example.com": "unsubscribed"}
    details = {record["id"]: record for record in run.records(CONTACT_DETAILS)}
    assert details["ann+1@example.com"]["properties"] == {"city": "Oslo"}
    assert run.bookmark(CONTACTS).endswith("Z"), "moto's times are text"


def test_what_moto_does_not_have_is_reported(settings, tap, caplog):
    run = tap.run(settings, JOBS, LISTS)
    assert "1 of 2 streams" in str(run.error)
    assert "ses_import_jobs (RequestRefused)" in str(run.error)
    assert "the path is unknown there" in caplog.text
    assert run.ids(LISTS) == ["Readers"]
