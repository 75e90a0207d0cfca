"""Deletion marks: which values of which column say that a row is deleted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailing_api.errors import ConfigurationError
from target_mailing.contacts.deletion import deletion_column, is_deleted, looks_like_deletion
from target_mailing.contacts.fields import RowRejected
from tests.target.conftest import COLUMNS, Mailjet, person, schema, state
from tests.target.postgrid.conftest import account, household, households
from tests.target.ses.conftest import _no_aws_of_this_machine, bare, ses  # noqa: F401 - fixtures

#: What is written for "not deleted".
ALIVE = [
    None, "", " ", "\u00a0", "\u200b", "\ufeff", False, 0, 0.0, -0.0, float("nan"), "0", "0.0", "false", "FALSE",
    "f", "F",
    "no", "No", "n", "N", "off", "null", "NULL", "None", "nil", "NaN", "NaT", "n/a", "N/A", "#N/A", "-", "\\N",
    "0000-00-00", "0000-00-00 00:00:00", "0000-00-00T00:00:00Z", " false ",
    "FALSCH", "Faux", "falso", "ONWAAR",
    "nein", "Não", "non", "Fałsz", "''", '""', "(null)", "<NULL>", "[null]", "\u2014",
    "not deleted", "#NULL!",
]  # fmt: skip
#: What says that a row was deleted, and when.
GONE = [
    "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123456+00:00", "2026-01-01 00:00:00", "2026-01-01t00:00:00z",
    "2026-01-01",
    "2026-01-01T00:00", "2026-01-01 10:20:30.5 +0100", "2026-01-01 10:20:30 UTC", "2026-01-01 10:20:30+02",
    "20260101T102030Z",
    " 2026-01-01T00:00:00Z ", "2026-01-01 00:00:00 +0000 UTC", "2026-01-01T00:00:00,5Z",
]  # fmt: skip
#: What says neither.
UNCLEAR = [
    True, 1, "1", "true", "yes", "y", "t", "x", "deleted", 1767225600, "1767225600", 1767225600.5, "01/31/2026",
    "31.01.2026",
    "2026", "20260101", "2026-13-01", "2026-02-30", "2026-01-01T99:00:00Z", "0001-01-01T00:00:00Z",
    "1970-01-01T00:00:00Z",
    "9999-12-31", "12:30", "soon", [], {}, [None], {"deleted": "2026-01-01"}, "2026-01-01T00:00:00Z no",
    "\ud83d\ude00",
]  # fmt: skip


@pytest.mark.parametrize("value", ALIVE, ids=repr)
def test_whatever_is_written_for_no_means_alive(value):
    assert is_deleted("c", value) is False


@pytest.mark.parametrize("value", GONE, ids=repr)
def test_a_date_time_means_deleted(value):
    assert is_deleted("c", value) is True


@pytest.mark.parametrize("value", UNCLEAR, ids=repr)
def test_anything_else_is_a_reject_that_names_the_column(value):
    with pytest.raises(RowRejected, match="bad_deletion_mark") as no:
        is_deleted("gone", value)
    assert "column gone" in no.value.reason


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda one: st.lists(one) | st.dictionaries(st.text(), one),
)


@pytest.mark.slow
@given(json)
def test_nothing_but_a_date_is_ever_a_deletion(value):
    try:
        found = is_deleted("c", value)
    except RowRejected:
        return
    assert found is False or (isinstance(value, str) and value.strip()[:4].isdigit())


# The column


@pytest.mark.parametrize("column", ["_SDC_DELETED_AT", "_Sdc_Deleted_At", "_sdc_deleted_at"])
def test_letter_case_makes_no_other_deletion_column(column):
    assert deletion_column("people", ["id", column], {}) == column


@pytest.mark.parametrize(
    "column",
    ["_sdc_lsn_deleted_at", "_sdc_removed_at", "_SDC_IS_DELETED", "_sdc_deleted", "_sdcDeletedAt", "_sdc_delete_time"],
)
def test_p9_a_look_alike_is_an_error_that_says_how_to_have_it_read(column):
    with pytest.raises(ConfigurationError, match="looks like a deletion mark") as wrong:
        deletion_column("people", ["id", column], {})
    assert f'{{"_sdc_deleted_at": "{column}"}}' in str(wrong.value)
    assert deletion_column("people", ["id", column], {"_sdc_deleted_at": column}) == column
    assert deletion_column("people", ["id", column, "_sdc_deleted_at"], {}) == "_sdc_deleted_at"


def test_other_columns_of_singer_are_no_look_alikes():
    columns = [
        "_sdc_extracted_at",
        "_sdc_batched_at",
        "_sdc_table_version",
        "_sdc_sequence",
        "deleted_at",
        "is_deleted",
    ]
    assert deletion_column("people", columns, {}) == "_sdc_deleted_at"
    assert [one for one in columns if looks_like_deletion(one)] == ["deleted_at", "is_deleted"]


# Every route


def marked(values):
    columns = COLUMNS | {"_sdc_deleted_at": {}, "email": {}}
    return [
        schema(columns=columns),
        *(person(at, name=None, _sdc_deleted_at=one) for at, one in enumerate(values)),
        state(1),
    ]


def without_nan(values):
    return [one for one in values if one == one]  # noqa: PLR0124 - JSON has none


STAY, LEAVE = [*without_nan(ALIVE), *UNCLEAR], GONE
EMAILS = [f"person{at}@example.com" for at in range(len(STAY) + len(LEAVE))]


def judge(result):
    assert result.error is None
    assert result.outcomes["reasons"] == {"bad_deletion_mark": len(UNCLEAR)}
    assert result.states == [1]


@pytest.mark.slow
@pytest.mark.parametrize("route", ["json", "csv", "contact"])
def test_p5_at_mailjet_only_a_date_time_removes(mailjet: Mailjet, route):
    mailjet.sandbox.mailjet.add_contacts([{"email": one, "list": mailjet.list_id} for one in EMAILS])
    judge(mailjet.deliver(marked([*STAY, *LEAVE]), route=route, properties=None))
    assert mailjet.statuses() == dict.fromkeys(EMAILS[: len(STAY)], "subscribed")


@pytest.mark.slow
@pytest.mark.parametrize("route", ["import", "direct"])
def test_p5_at_ses_only_a_date_time_removes(ses, route):  # noqa: F811
    ses.add(*({"email": one} for one in EMAILS))
    judge(ses.deliver(marked([*STAY, *LEAVE]), route=route, properties=None))
    assert sorted(ses.contacts()) == sorted(EMAILS[: len(STAY)])


@pytest.mark.slow
def test_p5_only_a_date_time_lifts_a_suppression(ses):  # noqa: F811
    ses.suppress(*EMAILS)
    judge(
        ses.deliver(
            marked([*STAY, *LEAVE]),
            ses_target="suppression_list",
            ses_allow_unsuppress=True,
            list=None,
            properties=None,
        )
    )
    assert sorted(ses.suppressed()) == sorted(EMAILS[: len(STAY)])


@pytest.mark.slow
def test_p5_at_postgrid_only_a_date_time_removes(tmp_path):
    columns = households()
    columns["schema"]["properties"]["_sdc_deleted_at"] = {}
    with account(tmp_path) as postgrid:
        rows = [household(at) for at, _ in enumerate(EMAILS)]
        postgrid.deliver([columns, *rows])
        marks = [household(at, _sdc_deleted_at=one) for at, one in enumerate([*STAY, *LEAVE])]
        judge(postgrid.deliver([columns, *marks, state(1)]))
        assert postgrid.streets() == sorted(f"{at} Mill Lane" for at in range(len(STAY)))


# Deletes without an address

ERASED = [
    None, "", " ", "\u200b", "-", "n/a", "null", "deleted", "[deleted]", "***", "redacted@", "@", "@example.com",
    "a@b@c.example",
    "9f86d081884c7d659a2feaa0c55ad015", "+++erased+++", 0, False, {}, [], 7.5, "anonymous-1@erased.invalid",
    "gone@localhost",
    "x" * 400 + "@example.com",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("keep", ["remove", "keep"])
@pytest.mark.parametrize("route", ["json", "csv", "contact"])
def test_a_delete_whose_address_was_erased_finds_it_by_its_key(mailjet: Mailjet, route, keep):
    columns = schema(columns=COLUMNS | {"email": {}})
    numbers = range(len(ERASED))
    mailjet.deliver([columns, *(person(at, name=None) for at in numbers)], route=route, properties=None)
    assert len(mailjet.members()) == len(ERASED)
    rows = [person(at, email=one, _sdc_deleted_at=GONE[0]) for at, one in enumerate(ERASED)]
    result = mailjet.deliver(
        [columns, *rows, state(1)], route=route, properties=None, on_key_change=keep, max_removals="100%"
    )
    assert (result.error, result.states, result.rejects) == (None, [1], [])
    assert mailjet.members() == {}


def test_a_delete_without_address_and_key_is_rejected(mailjet: Mailjet):
    row = person(1, email="n/a", _sdc_deleted_at=GONE[0])
    result = mailjet.deliver([schema(keys=()), row, state(1)])
    assert result.outcomes["reasons"] == {"unknown_key": 1}


def test_a_warehouse_in_capitals_deletes(mailjet: Mailjet):
    columns = {name.upper(): {} for name in ("id", "email", "_sdc_deleted_at")}
    settings = {"mapping": {"email": "EMAIL"}, "properties": None}
    rows = [{"ID": at, "EMAIL": f"person{at}@example.com", "_SDC_DELETED_AT": None} for at in range(2)]
    there, gone = rows, [rows[0], rows[1] | {"_SDC_DELETED_AT": GONE[0]}]
    for records in (there, gone):
        messages = [{"type": "RECORD", "stream": "people", "record": one} for one in records]
        assert mailjet.deliver([schema(columns=columns, keys=["ID"]), *messages], **settings).error is None
    assert [*mailjet.members()] == ["person0@example.com"]


def test_mapping_names_the_deletion_column_and_a_look_alike_stops_the_run(mailjet: Mailjet):
    columns = {"id": {}, "email": {}, "_sdc_lsn_deleted_at": {}}
    record = {"id": 1, "email": "person1@example.com", "_sdc_lsn_deleted_at": GONE[0]}
    messages = [schema(columns=columns), {"type": "RECORD", "stream": "people", "record": record}, state(1)]
    mailjet.sandbox.mailjet.add_contacts([{"email": record["email"], "list": mailjet.list_id}])
    stopped = mailjet.deliver(messages, properties=None)
    assert "column '_sdc_lsn_deleted_at' looks like a deletion mark" in str(stopped.error)
    assert stopped.states == []
    assert len(mailjet.members()) == 1
    done = mailjet.deliver(messages, properties="all", mapping={"_sdc_deleted_at": "_sdc_lsn_deleted_at"})
    assert (done.error, done.states) == (None, [1])
    assert mailjet.members() == {}
