"""Values of every JSON type, in every field, by every route: right, or a reject with a reason; no job fails for one."""

from __future__ import annotations

import pytest

from tests.target.conftest import PROPERTIES, schema, state
from tests.target.postgrid.conftest import postgrid  # noqa: F401 - a fixture
from tests.target.ses.conftest import bare, ses  # noqa: F401 - fixtures

VALUES = [
    None, True, False, 0, 1, -1, 3.0, -0.0, 1.5, 1e22, 1e-7, 2**53 + 1, 2**63, 10**30, "", " ", "\u200b", "\x00",
    "a\x00b", " Lyon ", "true", "1", "1.0", "1e3", "1e9999", "NaN", "-", "\u0663", "2024-03-05", "2024-03-05t09:41:07z",
    "0001-01-01", "9999-12-31T23:59:59-23:00", "0000-00-00", "12:30", "\u00e9\u0301\U0001f600", 'a,"b";c\n', "x" * 300,
    [], [None], {}, {"a": [1.0, {"b": None}]}, "[]", "{}", "{", '{"a": 1}',
]  # fmt: skip
ANYTHING: dict = {}


def stream(fields, values=VALUES, **fixed):
    """A row for each value in each field."""
    columns = {"id": {}, "email": {}, **dict.fromkeys(fixed, ANYTHING), **dict.fromkeys(fields, ANYTHING)}
    rows = [
        {
            "type": "RECORD",
            "stream": "people",
            "record": {**fixed, "id": at, "email": f"p{at}@example.com", field: value},
        }
        for at, (field, value) in enumerate((field, value) for field in fields for value in values)
    ]
    return [schema(columns=columns), *rows, state(1)], len(rows)


def judged(result, rows, *codes):
    assert (result.error, result.states) == (None, [1])
    assert sum(result.counts().values()) == rows
    assert result.outcomes["reasons"].keys() <= {"wrong_type", *codes}
    assert all(one["record"]["_reject_reason"] for one in result.rejects)
    assert "Traceback" not in result.log


@pytest.mark.slow
@pytest.mark.parametrize("nulls", ["skip", "clear"])
@pytest.mark.parametrize("route", ["json", "csv", "contact"])
def test_mailjet(mailjet, route, nulls):
    # The job of a batch with a value that Mailjet does not take would end in Error, and the batch be cut in halves.
    messages, rows = stream(["name", "first_name", *PROPERTIES])
    result = mailjet.deliver(messages, properties=[*PROPERTIES], route=route, nulls=nulls)
    judged(result, rows)
    assert all(job["status"] == "Completed" for job in mailjet.sandbox.mailjet.jobs())
    for member in mailjet.members().values():
        found = member["properties"]
        assert found.get("city") != ""
        assert found.get("birthday", "2024-03-05T00:00:00Z")[4] == "-"
        assert "\x00" not in found.get("city", "")
        assert found.get("city", "") in VALUES or not found["city"].endswith(".0")


@pytest.mark.slow
def test_mailjet_objects_and_lists(mailjet):
    messages, rows = stream(["properties", "lists", "subscription_status", "verb"])
    result = mailjet.deliver(messages, properties=None, route="contact", action_column="verb")
    judged(
        result, rows, "unknown_property", "unknown_list", "unknown_action", "bad_subscription_status", "unsubscribed"
    )


@pytest.mark.slow
@pytest.mark.parametrize("route", ["contacts", "import"])
def test_postgrid(postgrid, route):  # noqa: F811
    fields = [
        "name", "company", "phone", "address_line1", "address_city", "address_postal_code", "address_country",
        "description", "skip_verification", "level",
    ]  # fmt: skip
    fixed = {"name": "Ann", "address_line1": "1 Mill Lane", "address_country": "GB"}
    messages, rows = stream(fields, **fixed)
    result = postgrid.deliver(messages, properties=["level"], route=route)
    judged(result, rows, "bad_address", "not_by_import")
    for contact in postgrid.sandbox.postgrid.contacts().values():
        assert not str(contact.get("postalOrZip", "")).endswith(".0")
        assert not any("\x00" in text for text in contact.values() if isinstance(text, str))


@pytest.mark.slow
@pytest.mark.parametrize("route", ["import", "direct"])
def test_ses(ses, route):  # noqa: F811
    messages, rows = stream(["city", "name", "topic_News", "topic_preferences", "properties"])
    result = ses.deliver(messages, properties=["city"], route=route)
    judged(result, rows)
    for contact in ses.contacts().values():
        assert ".0" not in (contact["attributes"] or "").replace("1.0", "")


def test_ses_suppressions(ses):  # noqa: F811
    messages, rows = stream(["reason"])
    result = ses.deliver(messages, properties=None, list=None, ses_target="suppression_list")
    judged(result, rows)
