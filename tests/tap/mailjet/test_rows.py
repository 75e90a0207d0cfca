"""Rows equal their schema, whatever Mailjet sends for "nothing" and however it quotes its numbers."""

from __future__ import annotations

import gc

import pytest
from jsonschema import Draft202012Validator
from singer_sdk.typing import DEFAULT_JSONSCHEMA_VALIDATOR

from mailing_api.kinds import KINDS, column_schemas
from tap_mailing.tap import TapMailing

STREAMS = {
    "mailjet_contacts": "contacts",
    "mailjet_mailing_lists": "mailing_lists",
    "mailjet_import_jobs": "import_jobs",
    "mailjet_list_members": "list_members",
    "mailjet_contact_properties": "contact_properties",
    "mailjet_contact_filters": None,
    "mailjet_list_statistics": None,
    "mailjet_list_signups": None,
    "mailjet_list_unsubscribes": None,
}

IDENTITY = {name: {"type": "string"} for name in ("provider", "account", "id")}

CONTACT = {
    "ID": 310044871,
    "Email": "ada.moreau@inbox.test",
    "Name": "Ada Moreau",
    "IsExcludedFromCampaigns": False,
    "ExclusionFromCampaignsUpdatedAt": "",
    "CreatedAt": "2024-03-05T09:41:07Z",
    "LastUpdateAt": "",
    "LastActivityAt": "",
    "DeliveredCount": 0,
    "IsOptInPending": False,
    "IsSpamComplaining": False,
    "UnsubscribedAt": "",
    "UnsubscribedBy": "",
}
JOB = {
    "ID": 356331800,
    "APIKeyID": 41,
    "JobType": "Contact list import csv",
    "Method": "addnoforce",
    "Status": "Completed",
    "RefId": 91822,
    "DataID": 77120034,
    "Count": 3,
    "Current": 3,
    "Errcount": 1,
    "Blocksize": 0,
    "Throttle": 0,
    "ErrTreshold": 0,
    "RequestAt": 1709632800,
    "JobStart": 1709632815,
    "AliveAt": 1709632822,
    "JobEnd": 1709632822,
}
IMPORT = {
    "ID": 356331800,
    "ContactsListID": 91822,
    "DataID": 77120034,
    "Method": "addnoforce",
    "ImportOptions": '{"DateTimeFormat": "yyyy/mm/dd"}',
    "ErrTreshold": 0,
    "Status": "Completed",
    "Count": 3,
    "Current": 3,
    "Errcount": 1,
    "RequestAt": "2024-03-05T10:00:00Z",
    "JobStart": "",
    "AliveAt": "",
    "JobEnd": "",
}


def assert_rows_equal_schema(run, stream):
    validator = DEFAULT_JSONSCHEMA_VALIDATOR(run.schema(stream), format_checker=Draft202012Validator.FORMAT_CHECKER)
    for record in run.records(stream):
        assert list(record) == list(run.schema(stream)["properties"])
        assert not [error.message for error in validator.iter_errors(record)]


def test_every_stream_is_offered():
    tap = TapMailing(config={"mailjet_api_key": "x"}, validate_config=False, setup_mapper=False)
    assert tap.streams.keys() == STREAMS.keys()


@pytest.mark.parametrize(("stream", "kind"), STREAMS.items())
def test_a_stream_begins_with_the_columns_of_its_kind(stream, kind):
    properties = TapMailing(config={}, validate_config=False, setup_mapper=False).streams[stream].schema["properties"]
    expected = column_schemas(KINDS[kind]) if kind else IDENTITY
    assert list(properties.items())[: len(expected)] == list(expected.items())


@pytest.mark.slow
def test_rows_of_all_streams_equal_their_schemas(config, tap):
    run = tap.run(config)
    assert run.error is None
    assert run.streams == STREAMS.keys()
    for stream in STREAMS:
        assert run.records(stream), stream
        assert_rows_equal_schema(run, stream)
        keys = [(record["account"], record["id"]) for record in run.records(stream)]
        assert len(keys) == len(set(keys))


@pytest.mark.slow
def test_numbers_as_text_make_the_same_rows(sandbox, tap):
    config = tap.settings(sandbox, start_date="2020-01-01")
    plain = tap.run(config)
    sandbox.mailjet.change(quoted_numbers=True, csv_blank_integers=True)
    quoted = tap.run(config)
    assert quoted.error is None
    for stream in STREAMS:
        assert_rows_equal_schema(quoted, stream)
    for stream in ("mailjet_contacts", "mailjet_list_members", "mailjet_list_signups"):
        assert quoted.records(stream) == plain.records(stream)


def test_unset_is_null(fake):
    blank = dict.fromkeys(CONTACT, "") | {"ID": "1"}
    run = fake(contact=[CONTACT, blank]).read("mailjet_contacts")
    first, second = run.records("mailjet_contacts")
    assert_rows_equal_schema(run, "mailjet_contacts")
    assert second["id"] == "310044871"
    assert second["updated_at"] is None
    assert {name for name, value in first.items() if value is not None} == {
        "provider", "account", "id", "subscription_status", "is_anonymized",
    }  # fmt: skip


def test_absent_fields_are_null(fake):
    run = fake(contact=[{"ID": 1}]).read("mailjet_contacts")
    assert_rows_equal_schema(run, "mailjet_contacts")
    assert run.records("mailjet_contacts")[0]["email"] is None


def test_timestamps_are_utc_with_microseconds(fake):
    rows = [
        CONTACT | {"ID": 1, "CreatedAt": "2024-03-05T09:41:07"},
        CONTACT | {"ID": 2, "CreatedAt": "2024-03-05T11:41:07+02:00"},
        CONTACT | {"ID": 3, "CreatedAt": "2024-03-05T09:41:07.5Z"},
    ]
    run = fake(contact=rows).read("mailjet_contacts")
    assert [record["created_at"] for record in run.records("mailjet_contacts")] == [
        "2024-03-05T09:41:07.000000Z",
        "2024-03-05T09:41:07.000000Z",
        "2024-03-05T09:41:07.500000Z",
    ]


def test_ids_past_2_to_the_53_stay_exact(fake):
    job = JOB | {"ID": 9007199254740993, "DataID": 98765432123456789}
    run = fake(batchjob=[job]).read("mailjet_import_jobs")
    (record,) = run.records("mailjet_import_jobs")
    assert record["id"] == "9007199254740993"
    assert record["data_id"] == 98765432123456789


def test_epoch_zero_is_null(fake):
    run = fake(batchjob=[JOB | {"RequestAt": 0, "JobStart": 0, "JobEnd": "0"}]).read("mailjet_import_jobs")
    (record,) = run.records("mailjet_import_jobs")
    assert_rows_equal_schema(run, "mailjet_import_jobs")
    assert record["created_at"] is record["started_at"] is record["completed_at"] is None
    assert record["alive_at"] == "2024-03-05T10:00:22.000000Z"


def test_an_unknown_field_is_named_once_and_omitted(fake, caplog):
    rows = [CONTACT | {"ID": number, "Nickname": "canary@inbox.test"} for number in range(1, 2500)]
    run = fake(contact=rows).read("mailjet_contacts")
    assert run.error is None
    warnings = [record.getMessage() for record in caplog.records if "Nickname" in record.getMessage()]
    assert len(warnings) == 1
    assert "canary" not in caplog.text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("CreatedAt", "canary"),
        ("CreatedAt", "20240305T0941canaryZ"),
        ("DeliveredCount", "canary"),
        ("DeliveredCount", 1.5),
        ("IsOptInPending", "canary"),
        ("Email", {"canary": 1}),
        ("ID", None),
    ],
)
def test_p7_an_unreadable_value_is_reported_by_stream_and_field(fake, caplog, field, value):
    run = fake(contact=[CONTACT | {field: value}]).read("mailjet_contacts")
    assert run.error is not None
    assert "mailjet_contacts" in caplog.text
    assert field in caplog.text
    assert "canary" not in caplog.text + str(run.error)


@pytest.mark.parametrize(
    ("flags", "status"),
    [
        ({}, "unknown"),
        ({"IsExcludedFromCampaigns": True}, "excluded"),
        ({"IsSpamComplaining": True}, "excluded"),
        ({"IsOptInPending": True}, "pending"),
        ({"IsOptInPending": "true", "IsExcludedFromCampaigns": "true"}, "excluded"),
    ],
)
def test_the_status_of_a_contact(fake, flags, status):
    (record,) = fake(contact=[CONTACT | flags]).read("mailjet_contacts").records("mailjet_contacts")
    assert record["subscription_status"] == status


ANONYMIZED = CONTACT | {"ID": 5, "Email": r"\x0f00d1@domain.invalid", "Name": "Anonymized"}


def test_anonymized_contacts_are_omitted(fake):
    mailjet = fake(contact=[CONTACT, ANONYMIZED])
    assert mailjet.read("mailjet_contacts").ids("mailjet_contacts") == ["310044871"]
    assert "IncludeAnonymized" not in mailjet.asked("contact")[0]


def test_anonymized_contacts_are_marked_if_requested(fake):
    mailjet = fake(contact=[CONTACT, ANONYMIZED])
    run = mailjet.read("mailjet_contacts", config={"mailjet_include_anonymized": True})
    assert {record["id"]: record["is_anonymized"] for record in run.records("mailjet_contacts")} == {
        "5": True,
        "310044871": False,
    }
    assert mailjet.asked("contact")[0]["IncludeAnonymized"] == "true"


@pytest.mark.slow
def test_pages_hold_no_cycles(fake):
    """So the garbage collector may wait long."""
    mailjet = fake(contact=[CONTACT], contactdata=[{"ID": CONTACT["ID"], "Data": [{"Name": "city", "Value": "Oslo"}]}])
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        mailjet.read("mailjet_contacts")
        gc.collect()
        kept = [one for one in gc.garbage if isinstance(one, dict) and {"Email", "city"} & set(map(str, one))]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert kept == []


@pytest.mark.slow
def test_the_sandbox_agrees_on_anonymized_contacts(config, tap):
    without = tap.run(config, "mailjet_contacts").records("mailjet_contacts")
    with_them = tap.run({**config, "mailjet_include_anonymized": True}, "mailjet_contacts").records("mailjet_contacts")
    assert len(with_them) == len(without) + 3


DEFINITIONS = [
    {"ID": number, "Name": name, "Datatype": datatype, "NameSpace": "static"}
    for number, (name, datatype) in enumerate(
        [("city", "str"), ("visits", "int"), ("score", "float"), ("donor", "bool"), ("born", "datetime")], start=1
    )
]


def data(number, **given):
    items = [{"Name": name, "Value": value} for name, value in given.items()]
    return {"ID": number, "ContactID": number, "Data": items, "MethodCollection": ""}


def test_properties_are_typed_by_their_definitions(fake):
    mailjet = fake(
        contact=[CONTACT | {"ID": number} for number in (1, 2, 3, 4)],
        contactdata=[
            data(1, city="Lyon", visits="12", score="1.5", donor="true", born="1984-01-28T02:22:18Z"),
            data(2),
            data(4, city="7", visits="a dozen", donor="maybe", born="soon", unheard_of="x"),
        ],
        contactmetadata=DEFINITIONS,
    )
    run = mailjet.read("mailjet_contacts")
    assert_rows_equal_schema(run, "mailjet_contacts")
    assert [record["properties"] for record in run.records("mailjet_contacts")] == [
        {"city": "Lyon", "visits": 12, "score": 1.5, "donor": True, "born": "1984-01-28T02:22:18.000000Z"},
        None,
        None,
        {"city": "7", "visits": "a dozen", "donor": "maybe", "born": "soon", "unheard_of": "x"},
    ]


@pytest.mark.parametrize(
    ("datatype", "value", "expected"),
    [
        *(("datetime", value, value) for value in ("12:30", "2024", "2024-03", "2024-03-05", "now", "P1D", "24:00:00")),
        ("datetime", "2024-03-05T09:41:07+02:00", "2024-03-05T07:41:07.000000Z"),
        *(("int", value, value) for value in ("1_000", "007", "+49", " 5", "1.0", "NaN", "\u0663", "1e3")),
        ("int", "-12", -12),
        *(("float", value, value) for value in ("1_000", "NaN", "inf", "-Infinity", "1e999", "01.5", "0x1p3")),
        ("float", "1e3", 1000.0),
        *(("bool", value, value) for value in ("yes", "2", "tru")),
        ("bool", "1", True),
    ],
)
def test_a_value_that_is_no_whole_one_of_its_type_stays_text(sandbox, tap, datatype, value, expected):
    sandbox.reset()
    sandbox.mailjet.add_property("when", "str")
    sandbox.mailjet.add_contacts([{"email": "ada@example.com", "properties": {"when": value}}])
    sandbox.mailjet.retype("when", datatype)
    (record,) = tap.run(tap.settings(sandbox), "mailjet_contacts").records("mailjet_contacts")
    assert record["properties"] == {"when": expected}
    assert type(record["properties"]["when"]) is type(expected)


@pytest.mark.parametrize("historic_first", [True, False])
def test_a_historic_definition_does_not_type_static_values_of_its_name(sandbox, tap, historic_first):
    sandbox.reset()
    if historic_first:
        sandbox.mailjet.historic("score", "str")
    sandbox.mailjet.add_property("score", "int")
    if not historic_first:
        sandbox.mailjet.historic("score", "str")
    sandbox.mailjet.add_contacts([{"email": "ada@example.com", "properties": {"score": 7}}])
    (record,) = tap.run(tap.settings(sandbox), "mailjet_contacts").records("mailjet_contacts")
    assert record["properties"] == {"score": 7}


@pytest.mark.parametrize("given", [5, "x", {"a": 1}, [5], [None], ["x"], [{}], [{"Value": 1}], [{"Name": []}], [[]]])
def test_property_values_of_another_shape_fail_the_stream_with_one_line(fake, caplog, given):
    mailjet = fake(contact=[CONTACT], contactdata=[{"ID": CONTACT["ID"], "Data": given}], contactmetadata=DEFINITIONS)
    run = mailjet.read("mailjet_contacts")
    assert "UnreadableAnswer" in str(run.error)
    assert "This is a bug" not in caplog.text


@pytest.mark.parametrize("given", [None, 5, True, [], {}, [1], 1.5])
def test_a_property_value_of_any_type_is_itself_or_text(fake, given):
    items = [{"Name": one["Name"], "Value": given} for one in DEFINITIONS]
    mailjet = fake(contact=[CONTACT], contactdata=[{"ID": CONTACT["ID"], "Data": items}], contactmetadata=DEFINITIONS)
    run = mailjet.read("mailjet_contacts")
    assert run.error is None
    assert_rows_equal_schema(run, "mailjet_contacts")


@pytest.mark.parametrize("name", [None, 5, [], {}])
def test_a_definition_with_a_name_of_another_type_does_no_harm(fake, name):
    mailjet = fake(
        contact=[CONTACT],
        contactdata=[{"ID": CONTACT["ID"], "Data": [{"Name": "visits", "Value": "7"}]}],
        contactmetadata=[*DEFINITIONS, {**DEFINITIONS[0], "ID": 99, "Name": name}],
    )
    (record,) = mailjet.read("mailjet_contacts").records("mailjet_contacts")
    assert record["properties"] == {"visits": 7}


@pytest.mark.slow
def test_properties_of_many_pages_meet_their_contacts(fake):
    numbers = range(1, 3500)
    mailjet = fake(
        contact=[CONTACT | {"ID": number} for number in numbers],
        contactdata=[data(number, visits=str(number)) for number in numbers if number % 3],
        contactmetadata=DEFINITIONS,
    )
    for record in mailjet.read("mailjet_contacts").records("mailjet_contacts"):
        number = int(record["id"])
        assert record["properties"] == ({"visits": number} if number % 3 else None)


def test_property_values_are_read_only_where_they_are_selected(fake):
    mailjet = fake(contact=[CONTACT])
    run = mailjet.read("mailjet_contacts", without=("properties",))
    assert "properties" not in run.records("mailjet_contacts")[0]
    assert "properties" not in run.schema("mailjet_contacts")["properties"]
    assert not mailjet.asked("contactdata")
    assert not mailjet.asked("contactmetadata")


def test_deleted_lists_are_read_too(fake):
    rows = [
        {"ID": 1, "Name": "A", "Address": "q7ddk2x0a", "CreatedAt": "", "IsDeleted": False, "SubscriberCount": "12"},
        {"ID": 2, "Name": "B", "Address": "", "CreatedAt": "", "IsDeleted": True, "SubscriberCount": ""},
    ]
    first, second = fake(contactslist=rows).read("mailjet_mailing_lists").records("mailjet_mailing_lists")
    assert (first["status"], first["contact_count"], first["address"]) == ("active", 12, "q7ddk2x0a")
    assert (second["status"], second["contact_count"], second["is_deleted"]) == ("deleted", None, True)


def test_costly_counters_are_requested_only_where_they_are_selected(fake):
    mailjet = fake(liststatistics=[{"ID": 1, "ActiveCount": 5}])
    mailjet.read("mailjet_list_statistics", without=("active_unsubscribed_count", "excluded_subscriber_count"))
    asked = {name for name in mailjet.asked("liststatistics")[0] if name.startswith("Calc")}
    assert asked == {"CalcActive", "CalcActiveExcludedSubscriber"}


@pytest.mark.parametrize("count", [3, 50])
def test_import_jobs_carry_their_csv_import(fake, count):
    jobs = [JOB | {"ID": number} for number in range(1, count + 1)]
    jobs += [JOB | {"ID": 1000, "JobType": "Send newsletter", "RefId": 7}]
    imports = [IMPORT | {"ID": number} for number in range(count, 1, -1)]
    run = fake(batchjob=jobs, csvimport=imports).read("mailjet_import_jobs")
    assert_rows_equal_schema(run, "mailjet_import_jobs")
    found = {record["id"]: record for record in run.records("mailjet_import_jobs")}
    assert len(found) == count + 1
    assert found["2"]["import_options"] == '{"DateTimeFormat": "yyyy/mm/dd"}'
    assert found["2"]["import_list_id"] == 91822
    assert found["2"]["list_id"] == "91822"
    assert found["1"]["import_status"] is None
    assert (found["1000"]["list_id"], found["1000"]["ref_id"]) == (None, 7)


def test_few_csv_imports_are_requested_one_by_one(fake):
    mailjet = fake(batchjob=[JOB], csvimport=[IMPORT])
    mailjet.read("mailjet_import_jobs")
    assert mailjet.asked("csvimport/356331800")
    assert not mailjet.asked("csvimport")


def test_csv_imports_newer_than_their_listing_are_requested(fake):
    jobs = [JOB | {"ID": number} for number in range(1, 31)]
    mailjet = fake(batchjob=jobs, csvimport=[IMPORT | {"ID": number} for number in range(1, 30)])
    run = mailjet.read("mailjet_import_jobs")
    assert [path for path, _ in mailjet.requests if path.startswith("csvimport/")] == ["csvimport/30"]
    assert run.records("mailjet_import_jobs")[-1]["import_status"] is None


def test_the_older_name_of_an_imports_list_is_understood(fake):
    old = {name: value for name, value in IMPORT.items() if name != "ContactsListID"} | {"ContactsList": "91822"}
    run = fake(batchjob=[JOB], csvimport=[old]).read("mailjet_import_jobs")
    assert run.records("mailjet_import_jobs")[0]["import_list_id"] == 91822


def test_csv_imports_are_read_only_where_a_column_of_theirs_is_selected(fake):
    mailjet = fake(batchjob=[JOB], csvimport=[IMPORT])
    own = [name for name in tap_columns("mailjet_import_jobs") if name.startswith("import_")]
    mailjet.read("mailjet_import_jobs", without=own)
    assert {path for path, _ in mailjet.requests} == {"batchjob"}


def tap_columns(stream):
    return TapMailing(config={}, validate_config=False, setup_mapper=False).streams[stream].schema["properties"]


def test_a_signup_is_dated_by_its_later_moment(fake):
    row = {"ID": 1, "ListID": 2, "ContactID": 3, "Email": "a@inbox.test", "SignupAt": 100, "ConfirmAt": 200}
    blank = {"SignupAt": 0, "ConfirmAt": 0, "Properties": {"a": 1}}
    rows = [row, row | {"ID": 2, "ConfirmAt": 0}, row | {"ID": 3, **blank}]
    found = fake(contactslistsignup=rows).read("mailjet_list_signups").records("mailjet_list_signups")
    assert [record["updated_at"] for record in found] == [
        "1970-01-01T00:03:20.000000Z",
        "1970-01-01T00:01:40.000000Z",
        None,
    ]
    assert (found[0]["list_id"], found[0]["contact_id"], found[2]["properties"]) == ("2", "3", '{"a":1}')


def test_the_account_label_is_in_every_row(fake):
    run = fake(contact=[CONTACT]).read("mailjet_contacts", config={"mailjet_account": "north"})
    assert {(record["provider"], record["account"]) for record in run.records("mailjet_contacts")} == {
        ("mailjet", "north")
    }
