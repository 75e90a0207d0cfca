"""Contacts encoded together are what each of them is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_mailing.contacts.contact import MappedContact
from target_mailing.contacts.fields import attempt
from target_mailing.mailjet.destination import MailjetDestination
from target_mailing.ses.destination import Contacts

NAMES = st.sampled_from(["", "Ada", "Zo\u00eb", "two\nlines", "\u2028"])
CONTACTS = st.builds(
    MappedContact,
    email=st.sampled_from(["a@b.test", "A.B@C.test", "a..b@c.test", "\u00fc@c.test", None]),
    columns=st.dictionaries(st.sampled_from(["name", "first_name", "last_name", "company"]), NAMES),
    properties=st.dictionaries(st.sampled_from("abc"), st.one_of(st.none(), st.integers(), NAMES)),
    status=st.none(),
    action=st.none(),
    deleted=st.booleans(),
)


@pytest.mark.parametrize("kind", [MailjetDestination, Contacts])
@given(contacts=st.lists(CONTACTS, max_size=4), action=st.sampled_from(["addnoforce", "addforce", "unsub", "remove"]))
@settings(max_examples=50, deadline=None)
def test_contacts_encoded_together_are_what_each_of_them_is(kind, contacts, action):
    destination = object.__new__(kind)
    together = destination.encode_all(contacts, action)
    alone = [attempt(destination.encode, contact, action) for contact in contacts]
    assert [repr(one) for one in together] == [repr(one) for one in alone]
