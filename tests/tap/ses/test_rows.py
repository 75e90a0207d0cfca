"""What Amazon SES's rows become: canonical columns, types, every field of the service's model."""

from __future__ import annotations

import botocore.session
import pytest
from jsonschema import Draft202012Validator

from mailing_api.kinds import KINDS, column_schemas
from mailing_api.ses.client import SesClient
from tap_mailing.tap import TapMailing

from .conftest import (
    ACCOUNT,
    AWAY,
    CONTACT_DETAILS,
    CONTACTS,
    HOME,
    JOB_DETAILS,
    JOBS,
    LISTS,
    SUPPRESSION_DETAILS,
    SUPPRESSIONS,
    TOPICS,
)

STREAMS = {
    ACCOUNT: None,
    JOBS: "import_jobs",
    JOB_DETAILS: "import_jobs",
    LISTS: "mailing_lists",
    TOPICS: None,
    CONTACTS: "contacts",
    CONTACT_DETAILS: "contacts",
    SUPPRESSIONS: "suppressions",
    SUPPRESSION_DETAILS: "suppressions",
}
DETAILS = {JOB_DETAILS, CONTACT_DETAILS, SUPPRESSION_DETAILS}
MODEL = botocore.session.Session().get_service_model("sesv2")


def offered():
    return TapMailing(config={"ses_regions": ["x-1"]}, validate_config=False, setup_mapper=False).streams


def test_every_stream_is_offered_and_details_are_not_selected():
    streams = offered()
    assert streams.keys() == STREAMS.keys()
    assert {name for name, stream in streams.items() if not stream.selected} == DETAILS
    for name, kind in STREAMS.items():
        shared = [*column_schemas(KINDS[kind])] if kind else ["provider", "account", "id"]
        columns = [*streams[name].schema["properties"]]
        assert columns[: len(shared) + 1] == [*shared, "region"]
        assert "region" in streams[name].primary_keys


def flat_members(shape, prefix=""):
    for name, member in shape.members.items():
        if member.type_name == "structure":
            yield from flat_members(member, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


@pytest.mark.parametrize(
    ("stream", "operation", "inner"),
    [
        (ACCOUNT, "GetAccount", None),
        (JOBS, "ListImportJobs", "ImportJobs"),
        (JOB_DETAILS, "GetImportJob", None),
        (LISTS, "GetContactList", None),
        (CONTACTS, "ListContacts", "Contacts"),
        (CONTACT_DETAILS, "GetContact", None),
        (SUPPRESSIONS, "ListSuppressedDestinations", "SuppressedDestinationSummaries"),
        (SUPPRESSION_DETAILS, "GetSuppressedDestination", "SuppressedDestination"),
    ],
)
def test_every_field_of_the_services_model_is_carried(stream, operation, inner):
    shape = MODEL.operation_model(operation).output_shape
    if inner:
        shape = shape.members[inner]
        shape = shape.member if shape.type_name == "list" else shape
    assert set(flat_members(shape)) <= offered()[stream]._known


@pytest.mark.parametrize(
    ("stream", "column", "shape"),
    [
        (TOPICS, None, "Topic"),
        (LISTS, "topics", "Topic"),
        (LISTS, "tags", "Tag"),
        (CONTACTS, "topic_preferences", "TopicPreference"),
    ],
)
def test_every_field_inside_of_lists_is_carried(stream, column, shape):
    members = set(MODEL.shape_for(shape).members)
    found = offered()[stream]
    if column is None:
        assert members <= found._known
    else:
        assert len(found.schema["properties"][column]["items"]["properties"]) == len(members)


@pytest.mark.slow
@pytest.mark.parametrize("iso", [False, True])
def test_rows_of_all_streams_equal_their_schemas(sandbox, read, caplog, iso):
    sandbox.ses.seed(300)
    sandbox.switches.change({"ses_timestamps": "iso" if iso else "epoch"})
    run = read(ses_regions=[HOME, AWAY], ses_account="main")
    assert run.error is None
    for stream in STREAMS:
        records = run.records(stream)
        assert records, stream
        check = Draft202012Validator(run.schema(stream), format_checker=Draft202012Validator.FORMAT_CHECKER)
        for record in records:
            check.validate(record)
            assert list(record) == [*run.schema(stream)["properties"]]
            assert (record["provider"], record["account"]) == ("ses", "main")
        keys = next(m["key_properties"] for m in run.messages if m["type"] == "SCHEMA" and m["stream"] == stream)
        assert len({tuple(record[key] for key in keys) for record in records}) == len(records)
        assert {record["region"] for record in records} == {HOME, AWAY}
    assert len(run.records(CONTACTS)) == len(run.records(CONTACT_DETAILS)) == 330
    assert "does not know" not in caplog.text


@pytest.mark.slow
def test_times_are_the_same_as_numbers_and_as_text(people, sandbox, read):
    people(("ann", 0.125))
    found = []
    for form in ("epoch", "iso"):
        sandbox.switches.change({"ses_timestamps": form})
        (record,) = read(CONTACT_DETAILS).records(CONTACT_DETAILS)
        found.append((record["created_at"], record["updated_at"]))
    assert found == [("2023-11-14T22:13:20.000000Z", "2023-11-14T22:13:20.125000Z")] * 2


def test_a_contact_has_the_canonical_columns(people, ses, read, sandbox):
    sandbox.switches.change({"ses_ascii_addresses": False})
    people("Zoë", topics={"News": "OPT_OUT", "Offers": "OPT_IN"}, attributes={"city": "Oslo", "tier": 2, "tags": ["a"]})
    run = read(CONTACTS, CONTACT_DETAILS, ses_account="main")
    (listed,), (detailed,) = run.records(CONTACTS), run.records(CONTACT_DETAILS)
    expected = {
        "account": "main",
        "id": "Zoë@example.com",
        "email": "Zoë@example.com",
        "name": None,
        "subscription_status": "subscribed",
        "region": HOME,
        "list_id": "Readers",
        "unsubscribe_all": False,
        "topic_preferences": [
            {"topic_name": "News", "subscription_status": "OPT_OUT"},
            {"topic_name": "Offers", "subscription_status": "OPT_IN"},
        ],
        "topic_default_preferences": [],
    }
    for record in (listed, detailed):
        assert {name: record[name] for name in expected} == expected
    assert (listed["properties"], listed["created_at"], listed["attributes_data"]) == (None, None, None)
    assert detailed["properties"] == {"city": "Oslo", "tier": 2, "tags": '["a"]'}
    assert detailed["attributes_data"] == '{"city":"Oslo","tier":2,"tags":["a"]}'
    assert detailed["created_at"] is not None


@pytest.mark.parametrize("text", ["", "no JSON", "[1]", '"text"', "5", "{", "null"])
def test_attributes_that_are_no_object_stay_text(people, read, text):
    people("ann", attributes=text)
    (record,) = read(CONTACT_DETAILS).records(CONTACT_DETAILS)
    assert record["properties"] is None
    assert record["attributes_data"] == (text or None)


@pytest.mark.parametrize(
    ("unsubscribed", "topics", "defaults", "expected"),
    [
        (True, {"News": "OPT_IN"}, {"News": "OPT_IN"}, "unsubscribed"),
        (True, {}, {}, "unsubscribed"),
        (False, {}, {}, "subscribed"),
        (False, {}, {"News": "OPT_IN", "Offers": "OPT_OUT"}, "subscribed"),
        (False, {}, {"News": "OPT_OUT", "Offers": "OPT_OUT"}, "excluded"),
        (False, {"News": "OPT_OUT"}, {"News": "OPT_IN", "Offers": "OPT_OUT"}, "unsubscribed"),
        (False, {"News": "OPT_OUT"}, {"News": "OPT_IN", "Offers": "OPT_IN"}, "subscribed"),
        (False, {"Offers": "OPT_IN"}, {"News": "OPT_OUT", "Offers": "OPT_OUT"}, "subscribed"),
        (False, {"News": "OPT_OUT", "Offers": "OPT_OUT"}, {"News": "OPT_IN", "Offers": "OPT_IN"}, "unsubscribed"),
    ],
)
def test_p5_an_opt_out_is_an_opt_out(sandbox, read, unsubscribed, topics, defaults, expected):  # noqa: PLR0917
    sandbox.ses.add_list("Readers", defaults)
    sandbox.ses.add_contacts([{"email": "ann@example.com", "unsubscribed": unsubscribed, "topics": topics}])
    run = read(CONTACTS, CONTACT_DETAILS)
    for stream in (CONTACTS, CONTACT_DETAILS):
        assert [record["subscription_status"] for record in run.records(stream)] == [expected]


def test_lists_and_their_topics(ses, wire, read):
    run = read(LISTS, TOPICS, CONTACTS, ses_regions=[HOME, AWAY])
    (record,) = run.records(LISTS)
    assert (record["id"], record["name"], record["region"]) == ("Readers", "Readers", HOME)
    assert (record["status"], record["contact_count"], record["tags"]) == (None, None, [])
    assert [topic["topic_name"] for topic in record["topics"]] == ["News", "Offers"]
    assert [(topic["id"], topic["list_id"]) for topic in run.records(TOPICS)] == [
        ("News", "Readers"),
        ("Offers", "Readers"),
    ]
    assert run.records(TOPICS)[1]["default_subscription_status"] == "OPT_OUT"
    assert len(wire.asked("contact-lists")) == 2, "read once for three streams"


@pytest.mark.slow
def test_jobs_have_the_canonical_columns(ses, submit, sandbox, read):
    bad = submit()
    good = submit(contact_list=None, action="DELETE")
    sandbox.clock.advance(20)
    ses.finish_job(bad, "failed")
    listed = {record["id"]: record for record in read(JOBS).records(JOBS)}
    details = {record["id"]: record for record in read(JOB_DETAILS).records(JOB_DETAILS)}
    assert {name: listed[bad][name] for name in ("kind", "status", "is_terminal", "list_id", "action")} == {
        "kind": "CONTACT_LIST",
        "status": "FAILED",
        "is_terminal": True,
        "list_id": "Readers",
        "action": "PUT",
    }
    assert (listed[good]["kind"], listed[good]["list_id"]) == ("SUPPRESSION_LIST", None)
    assert (listed[good]["action"], listed[good]["is_terminal"]) == ("DELETE", False)
    for name in ("error", "completed_at", "source_url", "data_format", "has_failed_records_file"):
        assert listed[bad][name] is None
        assert details[bad][name] is not None
    assert details[bad]["source_url"] == "s3://imports/rows.json"
    assert details[bad]["error"] == "Unable to process the import job"
    assert details[bad]["started_at"] is None


@pytest.mark.parametrize("status", ["ERROR", "COMPLETED", "failed", "CANCELLED"])
def test_these_statuses_are_ends(ses, submit, wire, read, status):
    submit()
    wire.change = lambda _, body: {"ImportJobs": [{**body["ImportJobs"][0], "JobStatus": status}]}
    assert [record["is_terminal"] for record in read(JOBS).records(JOBS)] == [True]


@pytest.mark.parametrize("status", ["CREATED", "PROCESSING", "PAUSED", None])
def test_all_others_are_open(ses, submit, wire, read, status):
    submit()
    wire.change = lambda _, body: {"ImportJobs": [{**body["ImportJobs"][0], "JobStatus": status}]}
    assert [record["is_terminal"] for record in read(JOBS).records(JOBS)] == [False]


def test_p7_the_url_of_failed_records_is_not_carried(ses, submit, wire, read, caplog):
    submit()
    failure = {"FailedRecordsS3Url": "https://s3.test/canary?X-Amz-Signature=1", "ErrorMessage": "some failed"}
    wire.change = lambda request, body: {**body, "FailureInfo": failure} if request.method == "GET" else body
    run = read(JOB_DETAILS)
    (record,) = run.records(JOB_DETAILS)
    assert record["has_failed_records_file"] is True
    assert record["error"] == "some failed"
    assert "canary" not in str(run.messages) + caplog.text


def test_jobs_of_one_destination(submit, wire, read):
    submit()
    job = submit(contact_list=None)
    assert read(JOBS, JOB_DETAILS, ses_import_destination="suppression_list").ids(JOBS) == [job]
    assert {members["ImportDestinationType"] for members in wire.asked("import-jobs/list")} == {"SUPPRESSION_LIST"}


def test_suppressions(ses, read):
    ses.add_suppressions([{"email": "gone@Example.com", "reason": "COMPLAINT", "updated": 1.7e9 + 0.5}])
    run = read(SUPPRESSIONS, SUPPRESSION_DETAILS)
    (record,), (detailed,) = run.records(SUPPRESSIONS), run.records(SUPPRESSION_DETAILS)
    assert (record["id"], record["email"], record["reason"]) == ("gone@example.com", "gone@example.com", "COMPLAINT")
    assert (record["created_at"], record["updated_at"]) == (None, "2023-11-14T22:13:20.500000Z")
    assert detailed == record


def test_suppressions_with_their_message(sandbox, read):
    sandbox.ses.seed(100)
    run = read(SUPPRESSION_DETAILS)
    assert [bool(record["message_id"] and record["feedback_id"]) for record in run.records(SUPPRESSION_DETAILS)] == [
        bool(place % 3) for place in range(5)
    ]


def test_the_account_of_each_region(ses, read):
    ses.profile(region=AWAY, production_access=False, suppressed_reasons=["BOUNCE"])
    run = read(ACCOUNT, ses_regions=[HOME, AWAY])
    assert run.ids(ACCOUNT) == [HOME, AWAY]
    assert [record["production_access_enabled"] for record in run.records(ACCOUNT)] == [True, False]
    assert run.records(ACCOUNT)[1]["suppressed_reasons"] == ["BOUNCE"]
    assert run.records(ACCOUNT)[0]["max_send_rate"] == 14.0


UGLY = [
    {"EmailAddress": "a@example.com"},
    {"EmailAddress": "b@example.com", "TopicPreferences": None, "UnsubscribeAll": "false", "LastUpdatedTimestamp": 0},
    {"EmailAddress": "c@example.com", "TopicPreferences": [{"TopicName": "News"}], "LastUpdatedTimestamp": None},
    {"EmailAddress": "d@example.com", "LastUpdatedTimestamp": "2026-01-02T03:04:05.678Z", "New": {"x": [1]}},
    {"EmailAddress": "e@example.com", "LastUpdatedTimestamp": 1.5e9, "UnsubscribeAll": True, "TopicPreferences": []},
    {"EmailAddress": "f@example.com", "LastUpdatedTimestamp": "2026-01-02", "AttributesData": '{"a": {"b": null}}'},
]


def test_ugly_rows_equal_the_schema_and_unknown_fields_are_reported(ses, wire, read, caplog):
    wire.change = lambda request, body: {"Contacts": UGLY} if request.url.path.endswith("contacts/list") else body
    run = read(CONTACTS)
    assert run.error is None
    records = run.records(CONTACTS)
    check = Draft202012Validator(run.schema(CONTACTS), format_checker=Draft202012Validator.FORMAT_CHECKER)
    for record in records:
        check.validate(record)
    assert [record["updated_at"] for record in records] == [
        None,
        None,
        None,
        "2026-01-02T03:04:05.678000Z",
        "2017-07-14T02:40:00.000000Z",
        "2026-01-02T00:00:00.000000Z",
    ]
    statuses = [record["subscription_status"] for record in records]
    assert statuses == ["unknown", "subscribed", "excluded", "unknown", "unsubscribed", "unknown"]
    assert records[5]["properties"] == {"a": '{"b":null}'}
    assert "does not know: New." in caplog.text


@pytest.mark.parametrize(
    "row",
    [
        {"EmailAddress": "a@example.com", "LastUpdatedTimestamp": "soon"},
        {"EmailAddress": "a@example.com", "LastUpdatedTimestamp": [1]},
        {"EmailAddress": "a@example.com", "LastUpdatedTimestamp": 1e18},
        {"EmailAddress": "a@example.com", "UnsubscribeAll": "perhaps"},
        {"EmailAddress": "a@example.com", "TopicPreferences": ["News"]},
        {"EmailAddress": None},
        {"EmailAddress": ["a@example.com"]},
    ],
)
def test_p6_rows_that_no_column_can_hold_fail_the_stream(ses, wire, read, row):
    wire.change = lambda request, body: {"Contacts": [row]} if request.url.path.endswith("contacts/list") else body
    assert "ses_contacts (UnreadableAnswer)" in str(read(CONTACTS).error)


def test_no_list_is_no_contact(sandbox, read):
    run = read(CONTACTS, CONTACT_DETAILS, LISTS, TOPICS)
    assert run.error is None
    assert not any(run.records(stream) for stream in (CONTACTS, CONTACT_DETAILS, LISTS, TOPICS))


def test_only_selected_columns_are_written(people, read):
    people("ann")
    columns = offered()[CONTACTS].schema["properties"]
    (record,) = read(CONTACTS, without=columns.keys() - {"email"}).records(CONTACTS)
    assert record.keys() == {"account", "region", "list_id", "id", "email", "updated_at"}, "keys and bookmark as well"


@pytest.mark.slow
def test_a_test_reads_one_record_of_each_stream_and_tries_each_region(sandbox, wire, read):
    sandbox.ses.seed(300)
    run = read(test=True, ses_regions=[HOME, AWAY])
    assert run.error is None
    assert {stream: len(run.records(stream)) for stream in STREAMS} == dict.fromkeys(STREAMS, 1)
    assert set(wire.regions()) == {HOME, AWAY}
    assert {members["PageSize"] for members in wire.asked("import-jobs/list")} == {1}
    assert len(wire.requests) < 40


def test_the_client_is_usable_alone(people, sandbox):
    people("ann")
    ses = SesClient(
        regions=[HOME], aws_access_key_id=sandbox.api_key, aws_secret_access_key=sandbox.secret_key,
        endpoint_url=sandbox.url,
    )  # fmt: skip
    assert [row["EmailAddress"] for page in ses.contacts(HOME, "Readers") for row in page] == ["ann@example.com"]
    ses.close()


def test_no_stream_tells_its_end_because_a_listing_by_positions_may_omit_rows(ses, read):
    run = read(LISTS)
    assert run.error is None
    assert not any("end_of_stream" in one for one in run.messages)
