"""The members of a Mailjet list, as a mirror of the whole list reads them."""

from __future__ import annotations

from contextlib import closing

import pytest

from mailing_api.errors import UnreadableAnswer
from mailing_api.mailjet.client import MailjetClient
from target_mailing.interface.list_members import Member
from target_mailing.mailjet.members import members_of


class Listings:
    """Pages by resource, in place of a client's."""

    def __init__(self, **pages):
        self.pages = pages

    def rows(self, resource, *, params):
        assert params == {"ContactsList": 7}
        return iter(self.pages[resource])


def membership(contact, list_id=7, **more):
    return {"ContactID": contact, "ListID": list_id, "IsUnsubscribed": False} | more


def contact(number):
    return {"ID": number, "Email": f"person{number}@example.com"}


def found(memberships, contacts):
    return [one for page in members_of(Listings(listrecipient=memberships, contact=contacts), 7) for one in page]


def test_a_contact_counts_only_if_a_membership_names_the_list():
    """Mailjet ignores a filter that it does not know."""
    rows = [membership(1), membership(2, 8), membership(3, IsUnsubscribed=True), membership(5)]
    assert found([rows], [[contact(1), contact(2), contact(3)], [contact(4)]]) == [
        Member("person1@example.com"), Member("person3@example.com", opted_out=True),
    ]  # fmt: skip


def test_in_doubt_a_contact_opted_out():
    rows = [membership(1), membership(1, IsUnsubscribed=True), {"ContactID": 2, "ListID": 7}]
    assert [one.opted_out for one in found([rows], [[contact(1), contact(2)]])] == [True, True]


def test_memberships_without_a_contact_are_counted(caplog):
    assert found([[membership(1), membership(2)], [membership(3)]], [[contact(1)]]) == [Member("person1@example.com")]
    assert "Mailjet lists 2 memberships of list 7 without their contacts" in caplog.text
    caplog.clear()
    assert len(found([[membership(1)]], [[contact(1)]])) == 1
    assert not caplog.text


@pytest.mark.parametrize("row", [{"ListID": 7, "IsUnsubscribed": False}, membership(None)])
def test_a_membership_without_a_contact_is_unreadable(row):
    with pytest.raises(UnreadableAnswer):
        found([[row]], [])


@pytest.mark.parametrize("row", [{"ID": 1}, {"ID": 1, "Email": ""}, {"ID": 1, "Email": 5}, {"ID": 1, "Email": None}])
def test_a_member_without_an_address_is_unreadable(row):
    with pytest.raises(UnreadableAnswer):
        found([[membership(1)]], [[row]])


def test_a_list_without_members_has_none():
    assert found([], []) == []


def test_the_listings_of_the_sandbox(mailjet):
    people = [{"email": f"person{number}@example.com", "list": mailjet.list_id} for number in range(2500)]
    mailjet.sandbox.mailjet.add_list("Others")
    mailjet.sandbox.mailjet.add_contacts(people)
    mailjet.sandbox.mailjet.add_contacts([{"email": "guest@example.com", "list": mailjet.ids["Others"]}])
    mailjet.opt_out("person7@example.com")
    config = mailjet.config
    client = MailjetClient(
        api_key=config["mailjet_api_key"], secret_key=config["mailjet_secret_key"], base_url=config["mailjet_base_url"]
    )
    with closing(client):
        listed = [one for page in members_of(client, mailjet.list_id) for one in page]
    assert {one.address for one in listed} == {one["email"] for one in people}
    assert [one.address for one in listed if one.opted_out] == ["person7@example.com"]
