"""What PostGrid's rows become: canonical columns, types, and optional fields."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator
from postgrid import PostGrid

from mailing_api.kinds import KINDS, column_schemas
from tap_mailing.tap import TapMailing

from .conftest import CONTACTS, CSV, IMPORTS, LISTS, MAPPING, MEMBERS, names

STREAMS = {CONTACTS: "contacts", LISTS: "mailing_lists", IMPORTS: "import_jobs", MEMBERS: "list_members"}
RESOURCES = {CONTACTS: "contacts", LISTS: "mailing_lists", IMPORTS: "mailing_list_imports", MEMBERS: "contacts"}

#: What is always there, and nothing else.
BARE = {"live": False, "createdAt": "2026-02-03T14:05:06Z", "updatedAt": "2026-02-03T14:05:06Z"}


@pytest.fixture
def read_one(world, read):
    """Read a stream whose listing answers with one row."""

    def run(stream, row, **settings):
        world.loosen()
        body = json.dumps({"object": "list", "totalCount": 1, "data": [{"id": "contact_1", **BARE, **row}]})
        path = f"*/{RESOURCES[stream]}"
        world.sandbox.faults.add(kind="status", status=200, body="json", content=body, path=path, times=None)
        return read(stream, **settings)

    return run


def assert_rows_equal_schema(run, stream):
    check = Draft202012Validator(run.schema(stream), format_checker=Draft202012Validator.FORMAT_CHECKER)
    for record in run.records(stream):
        check.validate(record)
        assert list(record) == [*run.schema(stream)["properties"]]


def test_every_stream_is_offered_and_memberships_are_not_selected():
    tap = TapMailing(config={"postgrid_api_key": "x"}, validate_config=False, setup_mapper=False)
    assert tap.streams.keys() == STREAMS.keys()
    assert {name for name, stream in tap.streams.items() if not stream.selected} == {MEMBERS}
    for name, kind in STREAMS.items():
        shared = [*column_schemas(KINDS[kind])]
        assert [*tap.streams[name].schema["properties"]][: len(shared)] == shared


@pytest.mark.slow
def test_rows_of_all_streams_equal_their_schemas(world, read, caplog):
    world.pg.seed(320)
    run = read()
    assert run.error is None
    for stream in STREAMS:
        records = run.records(stream)
        assert records, stream
        assert_rows_equal_schema(run, stream)
        assert {(record["provider"], record["account"]) for record in records} == {("postgrid", "default")}
        assert len({record["id"] for record in records}) == len(records)
    assert len(run.records(CONTACTS)) == 320
    assert "does not know" not in caplog.text
    assert {status for _, _, status in world.wire.contract.checked} == {200}


@pytest.mark.slow
def test_the_official_client_reads_the_same(world, read):
    world.pg.seed(230)
    run = read()
    with PostGrid(print_mail_api_key=world.pg.test_key, base_url=world.sandbox.url, max_retries=0) as official:
        mail = official.print_mail
        contacts = {
            one.id: (one.first_name, one.company_name, one.address_line1, one.country_code, one.address_status)
            for one in mail.contacts.list(limit=100)
        }
        lists = {one.id: (one.description, one.status, len(one.errors or ())) for one in mail.mailing_lists.list()}
        imports = {one.id: (one.status, one.valid_row_count) for one in mail.mailing_list_imports.list()}
    fields = ("first_name", "company", "address_line1", "address_country", "address_status")
    assert {one["id"]: tuple(one[name] for name in fields) for one in run.records(CONTACTS)} == contacts
    assert {one["id"]: (one["name"], one["status"], len(one["errors"])) for one in run.records(LISTS)} == lists
    assert {one["id"]: (one["status"], one["valid_row_count"]) for one in run.records(IMPORTS)} == imports


def test_a_contact_has_the_canonical_columns(world, read):
    board = world.pg.add_list("Board")
    (key,) = world.pg.add_contacts(
        [
            {
                "firstName": "Amara", "lastName": "Oyelaran", "companyName": "Harbour Bakery", "jobTitle": "Baker",
                "email": "amara@example.com", "phoneNumber": "+1 555 0142", "addressLine1": "12 Lakeshore Rd W",
                "addressLine2": "Unit 4", "city": "Mississauga", "provinceOrState": "ON", "postalOrZip": "L5H 1E9",
                "countryCode": "CA", "description": "Met at the fair", "list": board,
                "metadata": {"external_id": "crm-1001", "tags": ["a", "b"], "level": 3},
            }
        ]
    )  # fmt: skip
    (record,) = read(CONTACTS, postgrid_account="print").records(CONTACTS)
    expected = {
        "account": "print",
        "id": key,
        "email": "amara@example.com",
        "name": "Amara Oyelaran",
        "first_name": "Amara",
        "last_name": "Oyelaran",
        "company": "Harbour Bakery",
        "job_title": "Baker",
        "phone": "+1 555 0142",
        "address_line1": "12 LAKESHORE RD W",
        "address_line2": "UNIT 4",
        "address_city": "MISSISSAUGA",
        "address_region": "ON",
        "address_postal_code": "L5H 1E9",
        "address_country": "CA",
        "subscription_status": None,
        "properties": {"external_id": "crm-1001", "tags": '["a","b"]', "level": 3},
        "metadata": {"external_id": "crm-1001", "tags": ["a", "b"], "level": 3},
        "description": "Met at the fair",
        "country": "CANADA",
        "address_status": "verified",
        "address_errors": None,
        "live": False,
        "secret": False,
        "mailing_list_ids": [board],
    }
    assert {name: record[name] for name in expected} == expected


@pytest.mark.parametrize("unset", ["absent", "null"])
@pytest.mark.parametrize("milliseconds", [True, False])
def test_unset_fields_and_short_timestamps_make_the_same_rows(world, read, unset, milliseconds):
    world.loosen(postgrid_unset_fields=unset, postgrid_milliseconds=milliseconds, postgrid_object_member=True)
    world.make("Amara", at=1_700_000_000)
    world.pg.add_list("Board")
    run = read(CONTACTS, LISTS)
    (record,) = run.records(CONTACTS)
    assert record["updated_at"] == "2023-11-14T22:13:20.000000Z"
    assert [record[name] for name in ("email", "last_name", "metadata", "properties", "address_city")] == [None] * 5
    assert_rows_equal_schema(run, CONTACTS)
    assert_rows_equal_schema(run, LISTS)


def test_a_secret_contact_keeps_its_secrets(world, read):
    world.loosen(postgrid_hides_secret=True)
    (key,) = world.make({"firstName": "Amara", "email": "amara@example.com", "secret": True})
    run = read(CONTACTS)
    (record,) = run.records(CONTACTS)
    assert (record["id"], record["secret"]) == (key, True)
    assert [record[name] for name in ("name", "email", "address_line1", "address_country")] == [None] * 4
    assert_rows_equal_schema(run, CONTACTS)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"countryCode": "ca"}, "CA"),
        ({"country": "CANADA"}, "CA"),
        ({"countryCode": None, "country": "UNITED STATES"}, "US"),
        ({"country": "ATLANTIS"}, None),
        ({}, None),
    ],
)
def test_a_country_is_a_code(read_one, fields, code):
    assert read_one(CONTACTS, fields).records(CONTACTS)[0]["address_country"] == code


@pytest.mark.parametrize(
    ("stream", "row"),
    [
        (CONTACTS, {}),
        (CONTACTS, {"live": "false", "email": "", "metadata": {}, "mailingLists": None, "secret": None}),
        (CONTACTS, {"metadata": {"a": None, "b": {"c": 1}, "d": 1e300, "e": True}, "postalOrZip": 12207}),
        (LISTS, {}),
        (LISTS, {"status": "counting_stamps", "errors": [{"type": "new_error"}], "metadata": {"a": [1]}}),
        (LISTS, {"status": None, "errors": None, "description": ""}),
        (IMPORTS, {}),
        (IMPORTS, {"file": None, "receiverStatusCount": None, "errors": None, "notes": [{}], "reportURL": ""}),
        (IMPORTS, {"status": "new", "file": {"receiverAddressMapping": {"firstName": None}}, "validRowCount": "3"}),
        (IMPORTS, {"receiverStatusCount": {"verifiedCount": 2}, "errors": [{"type": "x", "message": None}]}),
        (MEMBERS, {"mailingLists": ["mailing_list_1"]}),
        (MEMBERS, {"mailingLists": [{"id": "mailing_list_1"}, {"id": "mailing_list_2", "more": 1}], "email": ""}),
    ],
)
def test_ugly_rows_equal_their_schema_too(read_one, stream, row):
    run = read_one(stream, row)
    assert run.error is None
    assert run.records(stream)
    assert_rows_equal_schema(run, stream)


def test_a_row_that_does_not_tell_when_it_changed_is_read_always(read_one):
    run = read_one(CONTACTS, {"updatedAt": None}, start_date="2026-01-01")
    assert [record["updated_at"] for record in run.records(CONTACTS)] == [None]
    assert run.bookmark(CONTACTS) is None


@pytest.mark.parametrize(
    ("stream", "row", "field"),
    [
        (CONTACTS, {"metadata": "canary"}, "metadata"),
        (CONTACTS, {"email": {"canary": 1}}, "email"),
        (CONTACTS, {"live": "canary"}, "live"),
        (CONTACTS, {"updatedAt": "canary"}, "updatedAt"),
        (CONTACTS, {"updatedAt": 1_700_000_000}, "updatedAt"),
        (CONTACTS, {"mailingLists": [{"name": "canary"}]}, "mailingLists"),
        (MEMBERS, {"mailingLists": [{"name": "canary"}]}, "mailingLists"),
        (MEMBERS, {"mailingLists": 3}, "mailingLists"),
        (LISTS, {"errors": ["canary"]}, "errors"),
        (IMPORTS, {"validRowCount": "canary"}, "validRowCount, invalidRowCount"),
        (IMPORTS, {"file": {"receiverAddressMapping": ["canary"]}}, "file.receiverAddressMapping"),
    ],
)
def test_p9_what_no_column_can_hold_fails_the_stream_and_names_the_field(read_one, caplog, stream, row, field):
    run = read_one(stream, row, start_date="2020-01-01")
    assert f"{stream} (UnreadableAnswer)" in str(run.error)
    assert f"field {field} " in caplog.text
    assert "canary" not in caplog.text


@pytest.mark.parametrize(
    ("stream", "row", "fields"),
    [
        (CONTACTS, {"verificationMood": "canary"}, "verificationMood"),
        (IMPORTS, {"file": {"rows": 3}, "receiverStatusCount": {"lostCount": 1}}, "file.rows, receiverStatusCount"),
        (IMPORTS, {"file": "canary"}, "file"),
    ],
)
def test_a_field_that_is_unknown_is_reported(read_one, caplog, stream, row, fields):
    assert read_one(stream, row).error is None
    assert f"does not know: {fields}" in caplog.text
    assert "canary" not in caplog.text


def test_a_list_shows_its_job_and_its_errors(world, read):
    board = world.pg.add_list("Board", {"source": "meltano"})
    world.pg.plan_jobs([{"errors": ["operational_error"]}])
    world.post(f"mailing_lists/{board}/jobs", addContacts=["contact_0000000000000000000000"])
    world.api.get(f"/mailing_lists/{board}")
    (record,) = read(LISTS).records(LISTS)
    assert (record["name"], record["status"], record["contact_count"]) == ("Board", "completed", None)
    assert [one["type"] for one in record["errors"]] == ["operational_error"]
    assert record["metadata"] == {"source": "meltano"}


def test_an_import_is_a_job(world, read):
    good, bad = (
        world.pg.add_import(CSV + "Kwame,,CA\n", MAPPING),
        world.pg.add_import(CSV.replace("Lane,CA", "Lane,US"), MAPPING),
    )
    records = {record["id"]: record for record in read(IMPORTS).records(IMPORTS)}
    expected = {
        "kind": "mailing_list_import",
        "status": "completed",
        "is_terminal": True,
        "records_processed": 3,
        "records_failed": 1,
        "error": None,
        "valid_row_count": 2,
        "invalid_row_count": 1,
        "receiver_verified_count": 2,
        "sender_verified_count": None,
        "file_type": "csv",
        "receiver_address_mapping": MAPPING,
        "sender_address_mapping": None,
        "file_url": None,
        "report_url": None,
    }
    assert {name: records[good][name] for name in expected} == expected
    assert [note["type"] for note in records[good]["notes"]] == ["skipped_invalid_contacts"]
    assert (records[bad]["status"], records[bad]["is_terminal"]) == ("changes_required", True)
    assert records[bad]["error"].startswith("multiple_countries_error: ")


@pytest.mark.slow
def test_p7_signed_urls_come_only_when_requested(world, read):
    world.pg.add_import(CSV, MAPPING)
    (record,) = read(IMPORTS, postgrid_include_signed_urls=True).records(IMPORTS)
    assert "signature=" in record["file_url"]
    assert "signature=" in record["report_url"]
    again = read(IMPORTS)
    assert again.records(IMPORTS) == read(IMPORTS).records(IMPORTS)
    assert "signature=" not in json.dumps(again.messages)


def test_memberships_are_those_that_contacts_tell(world, read):
    board, spring = world.pg.add_list("Board"), world.pg.add_list("Spring donors")
    first, second = world.make({"firstName": "Amara", "email": "amara@example.com"}, "Noor", list=board)
    world.pg.add_contacts(
        [{"firstName": "Noor", "addressLine1": "12 Lakeshore Rd W", "countryCode": "CA", "list": spring}]
    )
    world.make("Kwame")
    found = {(record["list_id"], record["contact_id"]): record for record in read(MEMBERS).records(MEMBERS)}
    assert found.keys() == {(board, first), (board, second), (spring, second)}
    assert found[board, first]["id"] == f"{board}/{first}"
    assert (found[board, first]["email"], found[board, second]["email"]) == ("amara@example.com", None)
    assert {record["subscription_status"] for record in found.values()} == {"subscribed"}


@pytest.mark.parametrize("form", ["ids", "objects"])
def test_memberships_come_in_either_form(world, read, form):
    world.loosen(postgrid_contact_lists=form)
    board = world.pg.add_list("Board")
    world.make("Amara", list=board)
    run = read(CONTACTS, MEMBERS)
    assert [record["list_id"] for record in run.records(MEMBERS)] == [board]
    assert [record["mailing_list_ids"] for record in run.records(CONTACTS)] == [[board]]


def test_p6_unknown_memberships_are_not_treated_as_none(world, read, caplog):
    world.make("Amara", list=world.pg.add_list("Board"))
    world.pg.change(postgrid_contact_lists="absent")
    run = read(CONTACTS, MEMBERS)
    assert "1 of 2 streams" in str(run.error)
    assert "postgrid_list_members: PostGrid does not return the lists of contacts" in caplog.text
    assert [record["mailing_list_ids"] for record in run.records(CONTACTS)] == [None]


def test_an_account_without_contacts_has_no_members(read):
    run = read(MEMBERS)
    assert run.error is None
    assert run.records(MEMBERS) == []


def test_requests_are_as_documented(world, read):
    world.make("Amara")
    read()
    for request in world.wire.requests:
        assert request.method == "GET"
        assert request.headers["X-API-Key"].startswith("test_sk_")
        assert request.headers["User-Agent"].startswith("tap-mailing/")
        assert set(request.url.params) == {"skip", "limit"}
        assert request.url.params["limit"] == "100"


def test_a_test_asks_once_for_each_stream(world, read):
    world.pg.seed(20)
    run = read(test=True)
    assert run.error is None
    assert [request.url.params["limit"] for request in world.wire.requests] == ["1"] * 4
    assert {stream: len(run.records(stream)) for stream in (CONTACTS, LISTS, IMPORTS)} == {
        CONTACTS: 1, LISTS: 1, IMPORTS: 1,
    }  # fmt: skip


@pytest.mark.parametrize("path", ["", "/", "/print-mail/v1", "/print-mail/v1/"])
def test_the_base_url_may_name_the_version(world, read, path):
    world.make("Amara")
    assert names(read(CONTACTS, postgrid_base_url=f"{world.sandbox.url}{path}")) == ["Amara"]
