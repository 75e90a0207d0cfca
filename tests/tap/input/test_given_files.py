"""STATE and catalogs as other tools write them: understood, or refused in one line before anything is read."""

from __future__ import annotations

import contextlib
import io
import json
import logging

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailing_api.errors import ConfigurationError
from tap_mailing.input.catalog import read_catalog
from tap_mailing.input.files import checked
from tap_mailing.input.state import read_state
from tap_mailing.registry import PROVIDERS
from tap_mailing.tap import TapMailing
from tests.faults.pairs import crossed

JOBS = "mailjet_import_jobs"
LISTS = "mailjet_mailing_lists"
CONTACTS = "mailjet_contacts"
EXPORTS = "mpdx_contact_exports"
STREAMS = {stream.name: stream for provider in PROVIDERS for stream in provider.stream_classes}
BOOKMARKS = {JOBS: {"replication_key": "created_at", "replication_key_value": "2026-01-01T00:00:00Z"}}
STATE = {"bookmarks": BOOKMARKS}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from([JOBS, "created_at", "0001"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


def refusal(state):
    with pytest.raises(ConfigurationError) as error:
        read_state(state, STREAMS)
    assert "\n" not in str(error.value)
    assert "2026" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("state", "place"),
    [
        ({"type": "STATE", "value": STATE}, "value"),
        ({"type": "STATE", "value": {"bookmarks": BOOKMARKS, "currently_syncing": None}}, "value"),
        ({"value": STATE}, "value"),
        ({"singer_state": STATE}, "singer_state"),
        ({"completed": {"singer_state": STATE}, "partial": {}}, "completed.singer_state"),
        ({"bookmarks": None, "state": STATE}, "state"),
        ({"bookmarks": STATE}, "bookmarks"),
        ({"type": "STATE", "state": {"data": STATE}}, "state.data"),
        ({"bookmarks": {}, "value": STATE}, "value"),
    ],
)
def test_p9_a_state_inside_something_else_is_refused_with_its_place(state, place):
    assert f"pass only its member `{place}`" in refusal(state)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ([STATE], "an array"),
        ("text", "a string"),
        (7, "a number"),
        (True, "a boolean"),
        ({"bookmarks": [1]}, "an array as `bookmarks`"),
        ({"bookmarks": "x"}, "a string as `bookmarks`"),
        (BOOKMARKS, f"it has an object with '{JOBS}'"),
    ],
)
def test_p9_another_form_of_state_is_refused(state, expected):
    found = refusal(state)
    assert "expected an object with `bookmarks`" in found
    assert expected in found


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("2026-01-01", "the entry is a string, but must be an object"),
        ([], "the entry is an array"),
        (
            {"created_at": "2026-01-01"},
            "the entry has 'created_at', but no `replication_key`, which must be 'created_at'",
        ),
        ({"replication_key_value": "2026-01-01"}, "the entry has 'replication_key_value', but no `replication_key`"),
        ({"replication_key": 5}, "`replication_key` is a number"),
        ({**BOOKMARKS[JOBS], "undated_jobs": 5}, "`undated_jobs`: Expected `array | null`, got `int`"),
        ({**BOOKMARKS[JOBS], "snapshots": []}, "`snapshots`: Expected `object | null`, got `array`"),
        ({**BOOKMARKS[JOBS], "partitions": {}}, "`partitions`: Expected `array | null`, got `object`"),
        ({**BOOKMARKS[JOBS], "partitions": [5]}, "`partitions`: Expected `object`, got `int` - at `$[0]`"),
        ({**BOOKMARKS[JOBS], "progress_markers": 5}, "`progress_markers`: Expected `object | null`, got `int`"),
    ],
)
def test_p9_an_entry_of_another_shape_is_refused_with_its_stream(entry, expected):
    found = refusal({"bookmarks": {JOBS: entry}})
    assert found.startswith(f"STATE of stream {JOBS}: ")
    assert expected in found


@pytest.mark.parametrize(
    "state",
    [
        None,
        {},
        {"bookmarks": None},
        {"bookmarks": {}},
        {"bookmarks": {JOBS: None}},
        {"bookmarks": {JOBS: {}}},
        {"bookmarks": {JOBS: {"replication_key": None, "replication_key_value": None}}},
        {"bookmarks": {JOBS: {"replication_key": "created_at", "replication_key_value": None}}},
        {"currently_syncing": None},
        {"bookmarks": {"another_taps": {"since": 5, "partitions": None, "progress_markers": None}}},
    ],
)
def test_null_and_absent_are_no_bookmark_at_every_level(fake, state):
    mailjet = fake(batchjob=[{"ID": 1, "JobEnd": 1709632800, "Status": "Completed"}])
    run = mailjet.read(JOBS, state=state)
    assert run.error is None
    assert run.ids(JOBS) == ["1"]
    assert not any("MinRequestAt" in params for params in mailjet.asked("batchjob"))


def test_p9_bookmarks_one_level_too_deep_are_refused():
    assert "replace `bookmarks` by its member 'tap-mailing'" in refusal({"bookmarks": {"tap-mailing": BOOKMARKS}})


def test_bookmarks_of_no_stream_of_this_tap_are_reported(fake, caplog):
    assert fake().read(JOBS, state={"bookmarks": {"jobs": BOOKMARKS[JOBS]}}).error is None
    assert "STATE has bookmarks for 'jobs', but for none of this tap's streams" in caplog.text


def test_a_bookmark_by_another_column_is_reported(fake, caplog):
    fake().read(JOBS, state={"bookmarks": {JOBS: {**BOOKMARKS[JOBS], "replication_key": "alive_at"}}})
    (line,) = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    assert f"STATE of stream {JOBS} has the replication key 'alive_at', but the stream's is 'created_at'" in line
    assert line.endswith("this run reads everything again.")


def test_p9_undated_jobs_that_are_no_numbers_fail_the_stream(fake, caplog):
    state = {"bookmarks": {JOBS: {**BOOKMARKS[JOBS], "undated_jobs": ["1"]}}}
    assert "ConfigurationError" in str(fake().read(JOBS, state=state).error)
    assert "`undated_jobs` must be an array of whole numbers" in caplog.text


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(JSON | st.fixed_dictionaries({"bookmarks": JSON | st.dictionaries(st.sampled_from([JOBS, "x"]), JSON)}))
def test_p9_whatever_state_holds_is_read_or_refused(state):
    with contextlib.suppress(ConfigurationError):
        found = read_state(state, STREAMS)
        tap = TapMailing(config={"mailjet_api_key": "x", "mailjet_secret_key": "x"}, state=found)
        tap._reset_state_progress_markers()


# Catalogs


def entry(tap, name, /, **changed):
    found = next(one for one in tap.catalog(name)["streams"] if one["tap_stream_id"] == name)
    found.update(changed)
    return {member: value for member, value in found.items() if value != "absent"}


@pytest.fixture
def mailjet(fake):
    return fake(contactslist=[{"ID": 1, "Name": "News"}], batchjob=[{"ID": 7, "Status": "Completed", "JobEnd": 1}])


@pytest.mark.parametrize(
    ("stream", "member", "value"),
    crossed(
        [LISTS, JOBS],
        ["metadata", "schema", "stream", "key_properties", "replication_key", "replication_method", "selected"],
        [None, "absent"],
    ),
)
def test_a_member_that_is_null_or_absent_is_as_in_the_taps_own_catalog(tap, mailjet, stream, member, value):
    whole = mailjet.read(stream, catalog={"streams": [entry(tap, stream)]})
    run = mailjet.read(stream, catalog={"streams": [entry(tap, stream, **{member: value})]})
    assert run.error is None
    assert run.streams == {stream}
    assert run.records(stream) == whole.records(stream) != []
    (schema,) = [message for message in run.messages if message["type"] == "SCHEMA"]
    assert schema == next(message for message in whole.messages if message["type"] == "SCHEMA")
    assert run.state == whole.state


@pytest.mark.parametrize("metadata", [None, [], {}, "absent"])
def test_without_metadata_a_stream_that_leaves_a_trace_is_not_selected(tap, metadata):
    found = entry(tap, EXPORTS, metadata=metadata)
    chosen = TapMailing(config={"mpdx_token": "x"}, catalog={"streams": [found]}, validate_config=False)
    assert not chosen.streams[EXPORTS].selected


def test_a_stream_under_another_name_of_its_own_is_found_by_the_other(tap, mailjet):
    for names in ({"tap_stream_id": f"db-{LISTS}"}, {"stream": "lists"}, {"tap_stream_id": None}):
        run = mailjet.read(LISTS, catalog={"streams": [entry(tap, LISTS, **names)]})
        assert run.error is None
        assert run.ids(LISTS) == ["1"]


@pytest.mark.parametrize(
    ("changed", "is_read"),
    [
        ({"selected": False, "metadata": []}, False),
        ({"selected": False, "metadata": "absent"}, False),
        ({"selected": True, "metadata": None}, True),
        ({"selected": False}, True),  # the metadata of the entry selects it, and metadata is what counts today
        ({"metadata": [{"breadcrumb": [], "metadata": {"selected": "false"}}]}, False),
        ({"metadata": [{"breadcrumb": [], "metadata": {"selected": "True"}}]}, True),
        ({"metadata": [{"breadcrumb": [], "metadata": None}]}, True),
        ({"metadata": [{"breadcrumb": [], "metadata": {"selected-by-default": False}}]}, False),
        ({"metadata": [], "schema": {"selected": False}}, False),
        ({"metadata": [], "schema": {"selected": True, "properties": {}}}, True),
        ({"metadata": [{"breadcrumb": ["properties", "name"], "metadata": {"selected": True}}]}, True),
    ],
)
def test_selection_in_older_places_is_obeyed(tap, mailjet, changed, is_read):
    run = mailjet.read(LISTS, catalog={"streams": [entry(tap, LISTS, **changed)]})
    assert run.error is None
    assert run.streams == ({LISTS} if is_read else set())


def test_the_oldest_form_deselects_columns_in_the_schema_but_never_keys(tap, mailjet):
    properties = {"id": {"selected": False}, "name": {"selected": False}, "status": None, "description": True}
    found = entry(tap, LISTS, metadata="absent", schema={"selected": True, "properties": properties})
    run = mailjet.read(LISTS, catalog={"streams": [found]})
    assert run.records(LISTS)[0].keys() == {"id", "account", "status", "description"}
    own = mailjet.read(LISTS).schema(LISTS)["properties"]
    assert run.schema(LISTS)["properties"]["status"] == own["status"]


def test_keys_cannot_be_deselected_by_a_catalog_without_inclusion(tap, mailjet):
    metadata = [{"breadcrumb": ["properties", name], "metadata": {"selected": False}} for name in ("id", "name")]
    run = mailjet.read(LISTS, catalog={"streams": [entry(tap, LISTS, metadata=metadata)]})
    assert "id" in run.records(LISTS)[0]
    assert "name" not in run.records(LISTS)[0]


@pytest.mark.parametrize("place", ["replication_method", "replication-method", "forced-replication-method"])
def test_the_replication_method_is_found_in_each_place_in_any_case(tap, mailjet, place):
    found = entry(tap, JOBS, replication_method=None)
    if place == "replication_method":
        found[place] = "full_table"
    else:
        found["metadata"] = [{"breadcrumb": [], "metadata": {place: "Full_Table", "selected": True}}]
    run = mailjet.read(JOBS, catalog={"streams": [found]}, state=STATE)
    assert run.ids(JOBS) == ["7"]
    assert not any("MinRequestAt" in params for params in mailjet.asked("batchjob"))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"metadata": "x"}, "Expected `array | null`, got `str` - at `$.metadata`"),
        ({"metadata": {"x": 1}}, "Expected `array | null`, got `object` - at `$.metadata`"),
        ({"metadata": [None]}, "Expected `object`, got `null` - at `$.metadata[0]`"),
        ({"metadata": [{"metadata": {}}]}, "missing required field `breadcrumb` - at `$.metadata[0]`"),
        ({"metadata": [{"breadcrumb": [[]], "metadata": {}}]}, "got `array` - at `$.metadata[0].breadcrumb[0]`"),
        ({"metadata": [{"breadcrumb": "properties", "metadata": {}}]}, "got `str` - at `$.metadata[0].breadcrumb`"),
        ({"metadata": [{"breadcrumb": [], "metadata": 5}]}, "got `int` - at `$.metadata[0].metadata`"),
        ({"metadata": [{"breadcrumb": [], "metadata": {"selected": 0}}]}, "`selected` is a number, but must be true"),
        (
            {"metadata": [{"breadcrumb": [], "metadata": {"selected": "no"}}]},
            "`selected` is a string, but must be true",
        ),
        ({"metadata": [], "selected": "no"}, "`selected` is a string, but must be true or false"),
        ({"schema": []}, "Expected `object | null`, got `array` - at `$.schema`"),
        ({"schema": {"properties": []}}, "Expected `object | null`, got `array` - at `$.schema.properties`"),
        ({"schema": {"properties": {"name": 5}}}, "column 'name' of `schema` is a number"),
        ({"schema": {"properties": {"name": {"properties": 5}}}}, "`schema` is not a valid JSON Schema"),
        ({"schema": {"properties": {"name": {"type": 5}}}}, "`schema` is not a valid JSON Schema"),
        ({"schema": {"properties": {"name": {"anyOf": [{"type": [None]}]}}}}, "`schema` is not a valid JSON Schema"),
        ({"replication_method": "x" * 1000}, f"is '{'x' * 60}…', but must be"),
        ({"key_properties": "id"}, "Expected `array | null`, got `str` - at `$.key_properties`"),
        ({"key_properties": ["number"]}, "`key_properties` names 'number', which is not a column of the stream"),
        ({"replication_key": "alive_at"}, "`replication_key` is 'alive_at', but must be 'created_at'"),
        ({"replication_key": ["created_at"]}, "`replication_key` is an array, but must be 'created_at'"),
        ({"replication_method": "LOG_BASED"}, "is 'LOG_BASED', but must be FULL_TABLE or INCREMENTAL"),
        ({"replication_method": 5}, "is a number, but must be FULL_TABLE or INCREMENTAL"),
    ],
)
def test_p9_what_cannot_be_understood_is_refused_with_stream_and_member(tap, mailjet, changed, expected):
    with pytest.raises(ConfigurationError) as error:
        mailjet.read(JOBS, catalog={"streams": [entry(tap, JOBS, **changed)]})
    assert f"--catalog, stream {JOBS}: " in str(error.value)
    assert expected in str(error.value)
    assert mailjet.requests == []


@pytest.mark.parametrize(
    ("catalog", "expected"),
    [
        ([], "expected an object with `streams`"),
        ({}, "expected an object with `streams`"),
        ({"streams": None}, "expected an object with `streams`"),
        ({"streams": {}}, "expected an object with `streams`"),
        ({"streams": [None]}, "entry 1 of `streams` is null, but must be an object"),
        ({"streams": [{"schema": {}}]}, "entry 1 of `streams` has no `tap_stream_id`"),
        ({"streams": [{"tap_stream_id": LISTS}, {"tap_stream_id": LISTS}]}, "two entries"),
    ],
)
def test_p9_another_form_of_catalog_is_refused(catalog, expected):
    with pytest.raises(ConfigurationError) as error:
        TapMailing(config={}, catalog=catalog)
    assert expected in str(error.value)


def test_a_stream_of_another_tap_is_reported_and_skipped(tap, mailjet, caplog):
    others = [{"tap_stream_id": "crm-people", "schema": 5, "metadata": "x"}]
    run = mailjet.read(LISTS, catalog={"streams": [*others, entry(tap, LISTS)]})
    assert run.ids(LISTS) == ["1"]
    assert "Ignoring catalog entries of streams that this tap does not have: crm-people." in caplog.text


MEMBERS = [
    *("tap_stream_id", "stream", "schema", "metadata", "selected"),
    *("key_properties", "replication_key", "replication_method"),
]


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(MEMBERS),
        JSON
        | st.fixed_dictionaries({"properties": st.dictionaries(st.sampled_from(["id", "name"]), JSON)})
        | st.lists(
            st.fixed_dictionaries(
                {
                    "breadcrumb": st.sampled_from([[], ["properties", "name"], None]),
                    "metadata": st.dictionaries(
                        st.sampled_from(["selected", "inclusion", "replication-key", "table-key-properties"]), JSON
                    ),
                }
            ),
            max_size=2,
        ),
    )
)
def test_p9_whatever_a_catalog_holds_is_read_or_refused(changed):
    catalog = {"streams": [{"tap_stream_id": LISTS, "schema": {"type": "object", "properties": {}}, **changed}]}
    with contextlib.suppress(ConfigurationError):
        tap = TapMailing(config={"mailjet_api_key": "x", "mailjet_secret_key": "x"}, catalog=catalog)
        found = {name: stream for name, stream in tap.streams.items() if stream.selected}
        for stream in found.values():
            assert {"account", "id"} <= stream._selected
            assert set(stream.primary_keys) <= stream.schema["properties"].keys()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"canary": }', "is not JSON: line 1, column 12."),
        ("", "is empty"),
        ('{"canary": "x', "is incomplete: its JSON breaks off at line 1, column 12."),
        ('{"canary": 1, ', "is incomplete: its JSON breaks off at line 1, column"),
        (
            '{"bookmarks": {}}\n{"bookmarks": {}}\n',
            "more than one JSON document: the second begins at line 2, column 1.",
        ),
        ('{"canary": NaN}', "a number that JSON does not allow"),
        ("[" * 100_000, "nested too deeply"),
        ('{"canary": "\\ud800"}', "an invalid character"),
    ],
)
def test_p9_a_file_that_is_no_json_is_reported_by_option_and_place(content, expected):
    with pytest.raises(ConfigurationError) as error:
        checked(io.StringIO(content), "--state")
    assert "--state" in str(error.value)
    assert expected in str(error.value)
    assert "canary" not in str(error.value)


def test_p9_a_file_in_another_encoding_is_reported():
    with pytest.raises(ConfigurationError, match="--catalog is not UTF-8"):
        checked(io.TextIOWrapper(io.BytesIO(b'"\xe9"'), encoding="utf-8"), "--catalog")


def test_a_byte_order_mark_does_no_harm():
    assert json.loads(checked(io.StringIO("\ufeff{}"), "--state").read()) == {}


def test_the_function_itself_takes_a_catalog_of_the_taps_own(tap):
    found, foreign = read_catalog(tap.catalog(), STREAMS)
    assert foreign == []
    assert len(found["streams"]) == len(STREAMS)
