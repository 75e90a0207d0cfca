"""The end of a stream comes once, behind its last row, and only where all rows were read and written."""

from __future__ import annotations

LISTS = "mailjet_mailing_lists"
ROWS = [{"ID": number, "Name": f"List {number}", "IsDeleted": False} for number in (1, 2, 3)]


def ends(run):
    return [(at, one["end_of_stream"]) for at, one in enumerate(run.messages) if "end_of_stream" in one]


def test_a_stream_that_was_read_in_full_tells_its_end(fake):
    run = fake(contactslist=ROWS).read(LISTS)
    ((at, end),) = ends(run)
    assert (end, run.messages[at]["type"]) == ({"stream": LISTS, "rows": 3}, "STATE")
    assert max(place for place, one in enumerate(run.messages) if one["type"] == "RECORD") < at
    assert "end_of_stream" not in str(run.state)


def test_a_stream_without_rows_tells_that_there_are_none(fake):
    assert [end for _, end in ends(fake().read(LISTS))] == [{"stream": LISTS, "rows": 0}]


def test_an_incremental_stream_tells_no_end(fake):
    run = fake(batchjob=[{"ID": 1, "RequestAt": 1_709_632_800, "Status": "Completed"}]).read("mailjet_import_jobs")
    assert run.ids("mailjet_import_jobs") == ["1"]
    assert ends(run) == []


def test_a_stream_that_failed_tells_no_end(fake):
    mailjet = fake(contactslist=[*ROWS, {"ID": 4, "CreatedAt": "never"}])
    run = mailjet.read(LISTS)
    assert run.error is not None
    assert ends(run) == []


def test_a_stream_whose_rows_a_map_may_omit_tells_no_end(fake):
    run = fake(contactslist=ROWS).read(LISTS, config={"stream_maps": {LISTS: {"__filter__": "id != '2'"}}})
    assert run.ids(LISTS) == ["1", "3"]
    assert ends(run) == []


def test_a_stream_of_which_only_changes_are_written_tells_no_end(fake, tmp_path):
    run = fake(contactslist=ROWS).read(LISTS, config={"change_detection": {"path": str(tmp_path / "seen.sqlite")}})
    assert len(run.ids(LISTS)) == 3
    assert ends(run) == []
