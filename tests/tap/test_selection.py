"""Selection, stream maps and flattening mean the same whether records are written by the page or one by one."""

from __future__ import annotations

import hashlib

import pytest
from singer_sdk.io_base import SingerWriter

from tap_mailing.tap import TapMailing

CONTACTS = "mailjet_contacts"


@pytest.mark.slow
def test_pages_and_single_records_are_the_same(config, tap):
    by_page = tap.run(config)
    one_by_one = tap.run({**config, "stream_maps": {f"{stream}": {} for stream in by_page.streams}})
    assert one_by_one.error is None
    for stream in by_page.streams - {"mailjet_list_unsubscribes"}:
        assert one_by_one.records(stream) == by_page.records(stream)
        assert one_by_one.schema(stream)["properties"] == by_page.schema(stream)["properties"]


@pytest.mark.slow
def test_a_page_is_written_as_record_messages(config, tap):
    run = tap.run(config, CONTACTS)
    message = next(message for message in run.messages if message["type"] == "RECORD")
    assert list(message) == ["type", "stream", "record", "time_extracted"]
    assert message["time_extracted"].endswith("Z")


def test_only_selected_streams_are_read(filled, config, tap):
    filled.counters.reset()
    run = tap.run(config, "mailjet_contact_properties")
    assert run.streams == {"mailjet_contact_properties"}
    assert filled.counters.calls.keys() == {"GET /v3/REST/contactmetadata"}


def test_only_selected_columns_are_written(config, tap):
    run = tap.run(config, CONTACTS, without=("email", "name", "properties", "id"))
    columns = run.records(CONTACTS)[0].keys()
    assert columns == run.schema(CONTACTS)["properties"].keys()
    assert "email" not in columns
    assert {"account", "id"} <= columns, "keys are always there"


@pytest.mark.slow
def test_a_column_that_an_older_catalog_lacks_is_omitted(config, tap):
    chosen = tap.catalog(CONTACTS)
    for stream in chosen["streams"]:
        stream["schema"]["properties"].pop("is_anonymized", None)
    run = tap.run(config, catalog=chosen)
    assert "is_anonymized" not in run.records(CONTACTS)[0]


@pytest.mark.slow
def test_a_part_of_a_column_can_be_omitted(config, tap):
    chosen = tap.catalog(CONTACTS)
    for stream in chosen["streams"]:
        if stream["stream"] == CONTACTS:
            stream["metadata"].append(
                {"breadcrumb": ["properties", "properties", "properties", "city"], "metadata": {"selected": False}}
            )
    run = tap.run(config, catalog=chosen)
    found = [record["properties"] for record in run.records(CONTACTS) if record["properties"]]
    assert found
    assert not any("city" in properties for properties in found)
    assert any("visits" in properties for properties in found)


@pytest.mark.slow
def test_stream_maps_hash_rename_filter_and_drop(config, tap):
    maps = {
        CONTACTS: {
            "__alias__": "people",
            "__filter__": "email is not None and int(id) % 2 == 0",
            "email": "sha256(email)",
            "shout": "name.upper() if name else None",
            "properties": None,
        },
        "mailjet_contact_filters": None,
    }
    plain = {record["id"]: record for record in tap.run(config, CONTACTS).records(CONTACTS)}
    run = tap.run({**config, "stream_maps": maps}, CONTACTS, "mailjet_contact_filters")
    assert run.error is None
    assert run.streams == {"people"}
    assert len(run.records("people")) == sum(int(key) % 2 == 0 for key in plain)
    for record in run.records("people"):
        assert record["email"] == hashlib.sha256(plain[record["id"]]["email"].encode()).hexdigest()
        assert "properties" not in record


@pytest.mark.slow
def test_flattening(config, tap):
    run = tap.run({**config, "flattening_enabled": True, "flattening_max_depth": 1}, CONTACTS)
    assert run.error is None
    assert isinstance(run.records(CONTACTS)[0]["properties"], str | None)


def test_bookmarks_move_with_stream_maps_too(config, tap):
    jobs = "mailjet_import_jobs"
    mapped = tap.run({**config, "stream_maps": {jobs: {"status": "status.lower()"}}}, jobs)
    assert mapped.bookmark(jobs) == tap.run(config, jobs).bookmark(jobs)


@pytest.mark.slow
def test_a_writer_of_ones_own_is_used(config, capsys):
    tap = TapMailing(config=config, message_writer=SingerWriter())
    tap.streams[CONTACTS].sync()
    tap.streams[CONTACTS].connection.close()
    assert '"stream":"mailjet_contacts"' in capsys.readouterr().out.replace(": ", ":")


@pytest.mark.slow
def test_records_can_be_had_one_by_one(config, tap):
    stream = TapMailing(config=config).streams[CONTACTS]
    found = list(stream.get_records(None))
    stream.connection.close()
    assert found == tap.run(config, CONTACTS).records(CONTACTS)


@pytest.mark.slow
@pytest.mark.parametrize(
    "setting", [{"batch_config": {"encoding": {"format": "jsonl"}}}, {"emit_activate_version_messages": True}]
)
def test_neither_batch_nor_activate_version_is_ever_written(config, tap, setting):
    run = tap.run({**config, **setting}, CONTACTS)
    assert {message["type"] for message in run.messages} == {"SCHEMA", "RECORD", "STATE"}
