"""Contact lists, topics and contacts."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.ses.conftest import code

LIST = "Newsletter"
NEWS = [{"TopicName": "News", "SubscriptionStatus": "OPT_IN"}]


def refused(call, *args, **given):
    with pytest.raises(ClientError) as found:
        call(*args, **given)
    return code(found)


def topic(name, **more):
    return {"TopicName": name, "DisplayName": name, "DefaultSubscriptionStatus": "OPT_IN"} | more


def test_a_list_is_created_described_and_listed(ses):
    tags = [{"Key": "team", "Value": "press"}]
    topics = [topic("News", Description="Monthly"), topic("Offers", DefaultSubscriptionStatus="OPT_OUT")]
    ses.create_contact_list(ContactListName=LIST, Description="All", Topics=topics, Tags=tags)
    found = ses.get_contact_list(ContactListName=LIST)
    assert (found["ContactListName"], found["Description"]) == (LIST, "All")
    assert found["Topics"] == topics
    assert found["Tags"] == tags
    assert found["CreatedTimestamp"] == found["LastUpdatedTimestamp"]
    assert [row["ContactListName"] for row in ses.list_contact_lists()["ContactLists"]] == [LIST]


def test_a_region_has_one_list(ses, newsletter):
    for name in ("Other", newsletter):
        with pytest.raises(ClientError, match="A maximum of 1 Lists allowed per account"):
            ses.create_contact_list(ContactListName=name)


@pytest.mark.parametrize(
    "given",
    [
        {"ContactListName": "with space"},
        {"ContactListName": "x" * 65},
        {"Topics": [topic(f"t{n}") for n in range(21)]},
        {"Topics": [topic("News"), topic("News")]},
        {"Topics": [topic("a.b")]},
        {"Topics": [topic("News", DisplayName="x" * 129)]},
        {"Description": "x" * 501},
    ],
    ids=lambda given: next(iter(given)),
)
def test_limits_of_a_list(ses, given):
    assert refused(ses.create_contact_list, **({"ContactListName": LIST} | given)) == "BadRequestException"
    assert ses.list_contact_lists()["ContactLists"] == []


def test_twenty_topics_are_allowed(ses):
    ses.create_contact_list(ContactListName=LIST, Topics=[topic(f"t{n}") for n in range(20)])
    assert len(ses.get_contact_list(ContactListName=LIST)["Topics"]) == 20


def test_a_list_is_written_whole_unless_the_switch_keeps_what_is_not_given(sandbox, ses, newsletter):
    sandbox.switches.change({"ses_list_update": "keep"})
    ses.update_contact_list(ContactListName=LIST, Description="new")
    assert len(ses.get_contact_list(ContactListName=LIST)["Topics"]) == 2
    sandbox.switches.change({"ses_list_update": "replace"})
    ses.update_contact_list(ContactListName=LIST, Topics=[topic("News")])
    found = ses.get_contact_list(ContactListName=LIST)
    assert [one["TopicName"] for one in found["Topics"]] == ["News"]
    assert "Description" not in found


def test_a_topic_that_goes_takes_its_preferences(sandbox, ses, newsletter):
    sandbox.ses.add_contacts([{"email": "ann@example.com", "topics": {"News": "OPT_IN", "Offers": "OPT_IN"}}])
    ses.update_contact_list(ContactListName=LIST, Topics=[topic("News")])
    assert sandbox.ses.contacts()["ann@example.com"]["topics"] == {"News": "OPT_IN"}


def test_deleting_a_list_deletes_its_contacts(sandbox, ses, newsletter):
    sandbox.ses.add_contacts([{"email": "ann@example.com"}])
    ses.delete_contact_list(ContactListName=LIST)
    ses.create_contact_list(ContactListName=LIST)
    assert ses.list_contacts(ContactListName=LIST)["Contacts"] == []


def test_a_contact_in_full(sandbox, ses, newsletter):
    ses.create_contact(
        ContactListName=LIST, EmailAddress="ann@example.com", TopicPreferences=NEWS, AttributesData='{"city": "Oslo"}'
    )
    found = ses.get_contact(ContactListName=LIST, EmailAddress="ann@example.com")
    assert found["ContactListName"] == LIST
    assert found["TopicPreferences"] == NEWS
    assert found["TopicDefaultPreferences"] == [{"TopicName": "Offers", "SubscriptionStatus": "OPT_OUT"}]
    assert found["UnsubscribeAll"] is False
    assert found["AttributesData"] == '{"city": "Oslo"}'
    assert found["CreatedTimestamp"] == found["LastUpdatedTimestamp"]


def test_an_update_clears_what_it_does_not_give(sandbox, ses, newsletter):
    sandbox.ses.add_contacts([{"email": "ann@example.com", "unsubscribed": True, "attributes": {"city": "Oslo"}}])
    sandbox.clock.advance(10)
    ses.update_contact(ContactListName=LIST, EmailAddress="ann@example.com")
    found = ses.get_contact(ContactListName=LIST, EmailAddress="ann@example.com")
    assert found["UnsubscribeAll"] is False
    assert "AttributesData" not in found
    assert (found["LastUpdatedTimestamp"] - found["CreatedTimestamp"]).total_seconds() >= 10


@pytest.mark.parametrize(
    ("mode", "left"), [("replace", {"News": "OPT_OUT"}), ("merge", {"News": "OPT_OUT", "Offers": "OPT_IN"})]
)
def test_preferences_are_replaced_or_merged(sandbox, ses, newsletter, mode, left):
    sandbox.switches.change({"ses_topic_update": mode})
    sandbox.ses.add_contacts([{"email": "ann@example.com", "topics": {"News": "OPT_IN", "Offers": "OPT_IN"}}])
    out = [{"TopicName": "News", "SubscriptionStatus": "OPT_OUT"}]
    ses.update_contact(ContactListName=LIST, EmailAddress="ann@example.com", TopicPreferences=out)
    assert sandbox.ses.contacts()["ann@example.com"]["topics"] == left


def test_mistakes_are_found_in_the_order_of_the_provider(ses, newsletter):
    unknown = [{"TopicName": "Nope", "SubscriptionStatus": "OPT_IN"}]
    create = ses.create_contact
    assert (
        refused(create, ContactListName="None", EmailAddress="bad", TopicPreferences=unknown) == "BadRequestException"
    )
    with pytest.raises(ClientError, match="EmailAddress <bad> is invalid"):
        create(ContactListName="None", EmailAddress="bad")
    assert refused(create, ContactListName="None", EmailAddress="a@example.com", TopicPreferences=unknown) == (
        "NotFoundException"
    )
    with pytest.raises(ClientError, match="Topic: Nope"):
        create(ContactListName=LIST, EmailAddress="a@example.com", TopicPreferences=unknown)
    assert refused(create, ContactListName=LIST, EmailAddress="a@example.com", TopicPreferences=NEWS * 2) == (
        "BadRequestException"
    )


def test_an_update_looks_at_topics_before_the_contact_and_at_addresses_before_the_list(ses, newsletter):
    unknown = [{"TopicName": "Nope", "SubscriptionStatus": "OPT_IN"}]
    update = ses.update_contact
    with pytest.raises(ClientError, match="Topic: Nope"):
        update(ContactListName=LIST, EmailAddress="nobody@example.com", TopicPreferences=unknown)
    assert refused(update, ContactListName=LIST, EmailAddress="nobody@example.com", TopicPreferences=NEWS) == (
        "NotFoundException"
    )
    with pytest.raises(ClientError, match="EmailAddress <bad> is invalid"):
        update(ContactListName="None", EmailAddress="bad", TopicPreferences=unknown)


@pytest.mark.parametrize("name", ["with space", "x" * 65, "a.b"])
def test_what_cannot_be_the_name_of_a_list_is_refused_in_a_path_unless_the_switch_says_otherwise(sandbox, ses, name):
    calls = (
        lambda: ses.get_contact_list(ContactListName=name),
        lambda: ses.delete_contact_list(ContactListName=name),
        lambda: ses.list_contacts(ContactListName=name),
        lambda: ses.get_contact(ContactListName=name, EmailAddress="ann@example.com"),
    )
    for checked, expected in ((True, "BadRequestException"), (False, "NotFoundException")):
        sandbox.switches.change({"ses_path_checked": checked})
        assert [refused(call) for call in calls] == [expected] * len(calls)


def test_addresses_are_ascii_unless_the_switch_says_otherwise(sandbox, ses, newsletter):
    given = {"ContactListName": LIST, "EmailAddress": "zoë@example.com"}
    assert refused(ses.create_contact, **given) == "BadRequestException"
    assert refused(ses.put_suppressed_destination, EmailAddress="zoë@example.com", Reason="BOUNCE") == (
        "BadRequestException"
    )
    sandbox.switches.change({"ses_ascii_addresses": False})
    ses.create_contact(**given)
    assert ses.get_contact(**given)["EmailAddress"] == "zoë@example.com"


def test_attributes_that_are_no_object_are_kept_or_refused(sandbox, ses, newsletter):
    given = {"ContactListName": LIST, "EmailAddress": "ann@example.com", "AttributesData": "no object"}
    ses.create_contact(**given)
    sandbox.switches.change({"ses_attributes_checked": True})
    assert refused(ses.update_contact, **given) == "BadRequestException"


@pytest.mark.parametrize(
    ("rule", "kept", "same"),
    [
        ("domain", "Ann@example.com", {"Ann@EXAMPLE.com"}),
        ("exact", "Ann@Example.com", set()),
        ("lower", "ann@example.com", {"Ann@EXAMPLE.com", "ann@example.com"}),
    ],
)
def test_the_case_of_an_address(sandbox, ses, newsletter, rule, kept, same):  # noqa: PLR0917
    sandbox.switches.change({"ses_contact_case": rule})
    ses.create_contact(ContactListName=LIST, EmailAddress="Ann@Example.com")
    assert [*sandbox.ses.contacts()] == [kept]
    for email in ("Ann@EXAMPLE.com", "ann@example.com"):
        if email in same:
            assert refused(ses.create_contact, ContactListName=LIST, EmailAddress=email) == "AlreadyExistsException"
        else:
            assert refused(ses.get_contact, ContactListName=LIST, EmailAddress=email) == "NotFoundException"


def test_a_slash_in_a_path_is_refused_unless_the_switch_allows_it(sandbox, ses, newsletter):
    sandbox.ses.add_contacts([{"email": "a/b@example.com"}])
    sandbox.ses.add_suppressions([{"email": "a/b@example.com"}])
    calls = (
        lambda: ses.get_contact(ContactListName=LIST, EmailAddress="a/b@example.com"),
        lambda: ses.get_suppressed_destination(EmailAddress="a/b@example.com"),
    )
    for call in calls:
        assert refused(call) == "BadRequestException"
    sandbox.switches.change({"ses_slash_in_path": "accepted"})
    for call in calls:
        assert call()


def test_what_is_no_address_is_refused_in_a_path_where_the_switch_says_so(sandbox, ses, newsletter):
    sandbox.ses.refuse(["odd@example.com"])
    for email in ("odd@example.com", "x@y"):
        calls = (
            lambda: ses.get_contact(ContactListName=LIST, EmailAddress=email),  # noqa: B023 - called at once
            lambda: ses.get_suppressed_destination(EmailAddress=email),  # noqa: B023
        )
        for checked, expected in ((False, "NotFoundException"), (True, "BadRequestException")):
            sandbox.switches.change({"ses_path_checked": checked})
            assert [refused(call) for call in calls] == [expected, expected]


@pytest.fixture
def everybody(sandbox, newsletter):
    """Contacts whose names tell their state: News is opt-in by default, Offers opt-out."""
    rows = {
        "plain": {},
        "in": {"topics": {"News": "OPT_IN", "Offers": "OPT_IN"}},
        "out": {"topics": {"News": "OPT_OUT", "Offers": "OPT_OUT"}},
        "gone": {"unsubscribed": True},
    }
    sandbox.ses.add_contacts([{"email": f"{name}@example.com"} | row for name, row in rows.items()])


@pytest.mark.parametrize(
    ("status", "topic", "by_default", "names"),
    [
        ("OPT_IN", None, False, "plain in out"),
        ("OPT_OUT", None, False, "gone"),
        ("OPT_IN", "News", False, "in"),
        ("OPT_OUT", "News", False, "out gone"),
        ("OPT_IN", "News", True, "plain in gone"),
        ("OPT_OUT", "News", True, "out gone"),
        ("OPT_IN", "Offers", True, "in"),
        ("OPT_OUT", "Offers", True, "plain out gone"),
    ],
)
def test_filters(ses, everybody, status, topic, by_default, names):  # noqa: PLR0917
    wanted = {"FilteredStatus": status}
    if topic:
        wanted["TopicFilter"] = {"TopicName": topic, "UseDefaultIfPreferenceUnavailable": by_default}
    found = ses.list_contacts(ContactListName=LIST, Filter=wanted)["Contacts"]
    assert [row["EmailAddress"].partition("@")[0] for row in found] == names.split()


def test_mistakes_in_filters_in_the_order_of_the_provider(ses, everybody):
    def said(**given):
        with pytest.raises(ClientError) as found:
            ses.list_contacts(**({"ContactListName": "None"} | given))
        return found.value.response["Error"]["Message"]

    topic_only, unknown = {"TopicFilter": {"TopicName": "News"}}, {"TopicName": "Nope"}
    assert "enum" in said(PageSize=0, Filter={"FilteredStatus": "NEITHER"} | topic_only)
    assert "pageSize" in said(PageSize=0, Filter=topic_only, NextToken="x")
    assert "FilteredStatus" in said(Filter=topic_only, NextToken="x")
    assert "NextToken" in said(NextToken="x")
    assert "List with name" in said(Filter={"FilteredStatus": "OPT_IN", "TopicFilter": unknown})
    assert "Nope" in said(ContactListName=LIST, Filter={"FilteredStatus": "OPT_IN", "TopicFilter": unknown})


def test_contacts_move_the_date_of_their_list_by_switch_only(sandbox, ses, newsletter):
    def updated():
        return ses.get_contact_list(ContactListName=LIST)["LastUpdatedTimestamp"]

    before = updated()
    sandbox.clock.advance(60)
    ses.create_contact(ContactListName=LIST, EmailAddress="ann@example.com")
    assert updated() == before
    sandbox.switches.change({"ses_contacts_touch_list": True})
    ses.delete_contact(ContactListName=LIST, EmailAddress="ann@example.com")
    assert updated() > before


def test_single_writes_are_remembered(sandbox, ses, newsletter):
    ses.create_contact(ContactListName=LIST, EmailAddress="ann@example.com", UnsubscribeAll=True)
    ses.delete_contact(ContactListName=LIST, EmailAddress="ann@example.com")
    ses.put_suppressed_destination(EmailAddress="gone@example.com", Reason="BOUNCE")
    received = [(row["operation"], row["action"], row["list"], row["contact"]) for row in sandbox.ses.received()]
    assert received == [
        ("CreateContact", "PUT", LIST, {"EmailAddress": "ann@example.com", "UnsubscribeAll": True}),
        ("DeleteContact", "DELETE", LIST, {"EmailAddress": "ann@example.com"}),
        ("PutSuppressedDestination", "PUT", None, {"EmailAddress": "gone@example.com", "Reason": "BOUNCE"}),
    ]
    sandbox.switches.change({"ses_keep_received": False})
    ses.create_contact(ContactListName=LIST, EmailAddress="bob@example.com")
    assert len(sandbox.ses.received()) == 3
