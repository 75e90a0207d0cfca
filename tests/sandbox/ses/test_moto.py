"""moto's answers and ours, where moto implements the operation: members that both give are of the same kind."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

TOPICS = [{"TopicName": "News", "DisplayName": "News", "DefaultSubscriptionStatus": "OPT_IN"}]
ADDRESS = {"ContactListName": "Newsletter", "EmailAddress": "ann@example.com"}

# In this order: each call finds what those before it left.
CALLS = {
    "CreateContactList": lambda c: c.create_contact_list(
        ContactListName="Newsletter", Description="All", Topics=TOPICS
    ),
    "ListContactLists": lambda c: c.list_contact_lists(),
    "GetContactList": lambda c: c.get_contact_list(ContactListName="Newsletter"),
    "UpdateContactList": lambda c: c.update_contact_list(
        ContactListName="Newsletter", Description="New", Topics=TOPICS
    ),
    "CreateContact": lambda c: c.create_contact(
        **ADDRESS,
        TopicPreferences=[{"TopicName": "News", "SubscriptionStatus": "OPT_OUT"}],
        UnsubscribeAll=True,
        AttributesData='{"city": "Oslo"}',
    ),
    "GetContact": lambda c: c.get_contact(**ADDRESS),
    "ListContacts": lambda c: c.list_contacts(ContactListName="Newsletter"),
    "UpdateContact": lambda c: c.update_contact(**ADDRESS, UnsubscribeAll=False, AttributesData="{}"),
    "GetContact again": lambda c: c.get_contact(**ADDRESS),
    "DeleteContact": lambda c: c.delete_contact(**ADDRESS),
    "GetContact of nobody": lambda c: c.get_contact(**ADDRESS),
    "DeleteContactList": lambda c: c.delete_contact_list(ContactListName="Newsletter"),
    "GetContactList of none": lambda c: c.get_contact_list(ContactListName="Newsletter"),
}
GAPS = {
    "GetContactList": {"Tags"},
    "GetContact again": {"TopicPreferences"},
}
"""Members that moto omits, or whose value follows another reading (preferences not given are kept)."""


def outcomes(client):
    found = {}
    for name, call in CALLS.items():
        try:
            answer = call(client)
        except ClientError as refused:
            found[name] = refused.response["Error"]["Code"]
        else:
            found[name] = {key: value for key, value in answer.items() if key != "ResponseMetadata"}
    return found


@pytest.fixture
def theirs(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "any")
    with mock_aws():
        yield outcomes(boto3.client("sesv2", region_name="us-east-1"))


def kinds(value):
    """The shape of an answer: members and the types of their values."""
    if isinstance(value, dict):
        return {name: kinds(each) for name, each in value.items()}
    if isinstance(value, list):
        return [kinds(value[0])] if value else []
    return type(value).__name__


@pytest.mark.slow
def test_answers_have_the_same_shape(ses, theirs):
    ours = outcomes(ses)
    for name, answer in theirs.items():
        if isinstance(answer, str):
            assert ours[name] == answer, name
            continue
        gaps = GAPS.get(name, set())
        left = {key: each for key, each in kinds(ours[name]).items() if key not in gaps | {"TopicDefaultPreferences"}}
        right = {key: each for key, each in kinds(answer).items() if key not in gaps | {"TopicDefaultPreferences"}}
        assert left == right, name


@pytest.mark.slow
def test_values_are_the_same_where_they_are_no_dates(ses, theirs):
    ours = outcomes(ses)
    for name, member in (
        ("GetContactList", "Topics"), ("GetContactList", "Description"), ("GetContact", "TopicPreferences"),
        ("GetContact", "AttributesData"), ("GetContact", "UnsubscribeAll"), ("GetContact again", "AttributesData"),
    ):  # fmt: skip
        assert ours[name][member] == theirs[name][member]


@pytest.mark.slow
def test_moto_has_no_import_jobs_that_could_be_compared(theirs):
    with mock_aws(), pytest.raises(NotImplementedError):
        boto3.client("sesv2", region_name="us-east-1").list_import_jobs()
