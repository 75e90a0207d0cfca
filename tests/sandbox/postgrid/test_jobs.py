"""Mailing lists and their jobs: one at a time, from the first status to ``completed``."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

STRANGER = "contact_0000000000000000000000"
NO_IMPORT = "mailing_list_import_0000000000000000000000"


@pytest.fixture
def number(sandbox, pg):
    """A list on a frozen clock whose jobs take four seconds, the last of them counting."""
    sandbox.clock.freeze()
    sandbox.postgrid.change(postgrid_job_seconds=4)
    return pg.list(description="Spring donors")["id"]


def types(row):
    return [each["type"] for each in row["errors"]]


def test_a_job_may_show_late(sandbox, pg, number):
    """Until then the list looks as before, and refuses another job."""
    sandbox.postgrid.change(postgrid_job_delay_seconds=3)
    someone = pg.contact()["id"]
    before = pg.get("mailing_lists", number)
    path = f"/mailing_lists/{number}/jobs"
    assert pg.client.post(path, json={"addContacts": [someone]}).json() == before
    sandbox.clock.advance(2)
    assert pg.get("mailing_lists", number) == before
    assert pg.client.post(path, json={"addContacts": [someone]}).status_code == 422
    sandbox.clock.advance(2)
    shown = pg.get("mailing_lists", number)
    assert (shown["status"], shown["updatedAt"] > before["updatedAt"]) == ("creating_contacts", True)
    assert pg.get("contacts", someone)["mailingLists"] == []
    sandbox.clock.advance(3)
    assert pg.get("mailing_lists", number)["status"] == "completed"
    assert pg.get("contacts", someone)["mailingLists"] == [number]


# Lists


def test_a_fresh_list_is_completed(pg):
    row = pg.list(description="Spring donors", metadata={"source": "meltano"})
    assert (row["status"], row["errors"], row["live"]) == ("completed", [], False)
    assert (row["description"], row["metadata"]) == ("Spring donors", {"source": "meltano"})
    assert "object" not in row
    assert pg.get("mailing_lists", row["id"]) == row


def test_a_list_needs_nothing(pg):
    answer = pg.client.post("/mailing_lists")
    assert answer.status_code == 201
    assert not {"description", "metadata"} & answer.json().keys()


@pytest.mark.parametrize("body", [{"description": 5}, {"metadata": []}, {"description": None}])
def test_what_a_list_cannot_be(pg, body):
    assert pg.error(pg.client.post("/mailing_lists", json=body)) == (400, "validation_error")


def test_an_update_replaces_what_it_names(sandbox, loose):
    sandbox.clock.freeze()
    row = loose.list(description="A", metadata={"a": "1"})
    path = f"/mailing_lists/{row['id']}"
    sandbox.clock.advance(1)
    after = loose.client.post(path, json={"metadata": {"b": "2"}}).json()
    assert (after["description"], after["metadata"]) == ("A", {"b": "2"})
    assert after["updatedAt"] > row["updatedAt"]
    sandbox.postgrid.change(postgrid_metadata_update="merge", postgrid_list_update_body="partial")
    after = loose.client.post(path, json={"metadata": {"c": "3"}}).json()
    assert after == {"description": "A", "metadata": {"b": "2", "c": "3"}}
    assert loose.client.post(path, json={"description": None, "metadata": None}).json() == {}
    sandbox.postgrid.change(postgrid_list_null="error")
    assert loose.client.post(path, json={"metadata": None}).status_code == 400


def test_deletion(sandbox, loose):
    contact, number = loose.contact()["id"], loose.list()["id"]
    loose.job(number, addContacts=[contact])
    assert loose.client.delete(f"/mailing_lists/{number}").json() == {"id": number, "deleted": True}
    assert loose.client.get(f"/mailing_lists/{number}").status_code == 404
    assert loose.get("contacts", contact)["mailingLists"] == []


def test_the_switch_that_names_objects(sandbox, pg):
    sandbox.postgrid.change(postgrid_object_member=True)
    assert pg.list()["object"] == "mailing_list"
    assert pg.imported()["object"] == "mailing_list_import"
    number = pg.list()["id"]
    assert pg.client.delete(f"/mailing_lists/{number}").json()["object"] == "mailing_list"


# The life of a job


def test_a_job_goes_by_the_emulated_time(sandbox, pg, number):
    contact = pg.contact()["id"]
    seen = [pg.job(number, addContacts=[contact]).json()]
    for seconds in (2.9, 0.2, 0.8, 0.2):
        sandbox.clock.advance(seconds)
        seen.append(pg.get("mailing_lists", number))
    assert [row["status"] for row in seen] == [
        "creating_contacts", "creating_contacts", "counting_recipient_country_codes",
        "counting_recipient_country_codes", "completed",
    ]  # fmt: skip
    assert len({row["updatedAt"] for row in seen}) == 3
    assert pg.get("contacts", contact)["mailingLists"] == [number]


def test_its_effect_comes_with_the_end_of_the_first_status(sandbox, pg, number):
    contact = pg.contact()["id"]
    pg.job(number, addContacts=[contact])
    assert sandbox.postgrid.members(number)["contacts"] == {}
    sandbox.clock.advance(3.1)
    assert list(sandbox.postgrid.members(number)["contacts"]) == [contact]
    sandbox.clock.advance(1)
    assert pg.job(number, removeContacts=[contact]).json()["status"] == "removing_contacts"
    assert list(sandbox.postgrid.members(number)["contacts"]) == [contact]
    sandbox.clock.advance(3.1)
    assert sandbox.postgrid.members(number)["contacts"] == {}


def test_its_times_are_those_of_the_steps_not_of_the_look(sandbox, pg, number):
    sandbox.clock.advance(1000)
    begun = sandbox.clock.now()
    pg.job(number, addContacts=[pg.contact()["id"]])
    sandbox.clock.advance(1000)
    other = pg.list()
    assert pg.get("mailing_lists", number)["updatedAt"] < other["createdAt"]
    assert sandbox.clock.now() > begun + 900


def test_a_job_may_go_by_the_number_of_looks(sandbox, pg, number):
    sandbox.postgrid.change(postgrid_job_polls=4, postgrid_counting_share=0.5)
    pg.job(number, addContacts=[pg.contact()["id"]])
    pg.get("mailing_lists")
    assert [pg.get("mailing_lists", number)["status"] for _ in range(4)] == [
        "creating_contacts", "counting_recipient_country_codes", "counting_recipient_country_codes", "completed",
    ]  # fmt: skip


def test_counting_may_be_skipped(sandbox, pg, number):
    sandbox.postgrid.change(postgrid_counting_share=0)
    pg.job(number, addContacts=[pg.contact()["id"]])
    sandbox.clock.advance(3.9)
    assert pg.get("mailing_lists", number)["status"] == "creating_contacts"
    sandbox.clock.advance(0.2)
    assert pg.get("mailing_lists", number)["status"] == "completed"


def test_switches_of_the_answer(sandbox, loose, number):
    sandbox.postgrid.change(
        postgrid_job_status=202, postgrid_job_response_status="completed", postgrid_status_moves_updated_at=False
    )
    before = loose.get("mailing_lists", number)
    sandbox.clock.advance(1)
    answer = loose.job(number, addContacts=[loose.contact()["id"]])
    assert (answer.status_code, answer.json()["status"]) == (202, "completed")
    row = loose.get("mailing_lists", number)
    assert (row["status"], row["updatedAt"]) == ("creating_contacts", before["updatedAt"])


@pytest.mark.parametrize("status", [422, 409, 400])
def test_one_job_at_a_time(sandbox, loose, number, status):
    sandbox.postgrid.change(postgrid_busy_status=status)
    first, second = loose.contact()["id"], loose.contact(firstName="Noor")["id"]
    loose.job(number, addContacts=[first])
    sandbox.clock.advance(3.5)
    assert loose.error(loose.job(number, addContacts=[second])) == (status, "mailing_list_busy_error")
    sandbox.clock.advance(1)
    assert loose.get("mailing_lists", number)["status"] == "completed"
    assert list(sandbox.postgrid.members(number)["contacts"]) == [first]


def test_of_many_jobs_at_once_one_is_taken(sandbox, loose, number):
    contact = loose.contact()["id"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: loose.job(number, addContacts=[contact]), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [422] * 7
    assert len(sandbox.postgrid.jobs()) == 1


def test_other_lists_are_not_held_up(sandbox, pg, number):
    contact = pg.contact()["id"]
    pg.job(number, addContacts=[contact])
    assert pg.job(pg.list()["id"], addContacts=[contact]).status_code == 200


def test_a_busy_list_can_be_changed_and_deleted_unless_a_switch_says_otherwise(sandbox, loose, number):
    loose.job(number, addContacts=[loose.contact()["id"]])
    path = f"/mailing_lists/{number}"
    assert loose.client.post(path, json={"description": "B"}).json()["status"] == "creating_contacts"
    sandbox.postgrid.change(postgrid_delete_busy="refused")
    assert loose.error(loose.client.delete(path)) == (422, "mailing_list_busy_error")
    sandbox.postgrid.change(postgrid_delete_busy="allowed")
    assert loose.client.delete(path).status_code == 200
    sandbox.clock.advance(10)
    assert [job["ended"] for job in sandbox.postgrid.jobs()] == [True]
    assert loose.get("contacts")["data"][0]["mailingLists"] == []


# What a job asks


@pytest.mark.parametrize(
    "body",
    [
        {}, {"addContacts": []}, {"addContacts": "contact_1"}, {"addContacts": [1]},
        {"addContacts": [STRANGER] * 501}, {"removeContacts": [STRANGER] * 501},
        {"addMailingListImports": [NO_IMPORT] * 11}, {"removeMailingListImports": []},
        {"addContacts": [STRANGER], "removeContacts": [STRANGER]}, {"add_contacts": [STRANGER]},
    ],
)  # fmt: skip
def test_what_a_job_cannot_be(sandbox, pg, body):
    number = pg.list()["id"]
    assert pg.error(pg.client.post(f"/mailing_lists/{number}/jobs", json=body)) == (400, "validation_error")
    assert sandbox.postgrid.jobs() == []


def test_five_hundred_contacts_fit(sandbox, pg):
    ids = sandbox.postgrid.add_contacts(
        [{"firstName": "A", "addressLine1": f"{place} Mill Lane", "countryCode": "GB"} for place in range(500)]
    )
    number = pg.list()["id"]
    assert pg.job(number, addContacts=ids).status_code == 200
    assert list(sandbox.postgrid.members(number)["contacts"]) == ids


def test_a_job_on_an_unknown_list(pg):
    answer = pg.job("mailing_list_0", addContacts=[STRANGER])
    assert pg.error(answer) == (404, "mailing_list_not_found_error")


def test_adding_twice_and_removing_strangers_is_harmless(sandbox, pg):
    member, other, number = pg.contact()["id"], pg.contact(firstName="Noor")["id"], pg.list()["id"]
    for ids in ({"addContacts": [member, member]}, {"addContacts": [member]}, {"removeContacts": [other]}):
        pg.job(number, **ids)
        assert pg.get("mailing_lists", number)["errors"] == []
    assert list(sandbox.postgrid.members(number)["contacts"]) == [member]


# Errors


@pytest.mark.parametrize(("partial", "members"), [("applied", 1), ("nothing", 0)])
def test_unknown_contacts_end_the_job_with_an_error(sandbox, pg, partial, members):
    sandbox.postgrid.change(postgrid_partial_jobs=partial)
    number = pg.list()["id"]
    pg.job(number, addContacts=[pg.contact()["id"], STRANGER])
    row = pg.get("mailing_lists", number)
    assert (row["status"], types(row)) == ("completed", ["operational_error"])
    assert len(sandbox.postgrid.members(number)["contacts"]) == members


def test_unknown_contacts_may_be_refused_at_once(sandbox, pg):
    sandbox.postgrid.change(postgrid_unknown_contact="reject")
    number = pg.list()["id"]
    answer = pg.job(number, addContacts=[pg.contact()["id"], STRANGER])
    assert pg.error(answer) == (400, "validation_error")
    assert sandbox.postgrid.jobs() == []


@pytest.mark.parametrize(("cleared", "after"), [(True, []), (False, ["operational_error"])])
def test_the_next_job_clears_errors(sandbox, pg, cleared, after):
    sandbox.postgrid.change(postgrid_errors_cleared=cleared)
    number = pg.list()["id"]
    pg.job(number, addContacts=[STRANGER])
    assert types(pg.get("mailing_lists", number)) == ["operational_error"]
    pg.job(number, addContacts=[pg.contact()["id"]])
    assert types(pg.get("mailing_lists", number)) == after


def test_imports_join_and_leave_whole(sandbox, pg):
    number, imported = pg.list()["id"], pg.imported()["id"]
    pg.job(number, addMailingListImports=[imported])
    assert pg.get("mailing_lists", number)["errors"] == []
    people = sandbox.postgrid.members(number)["imports"][imported]
    assert [person["firstName"] for person in people] == ["Amara", "Noor"]
    assert pg.get("contacts")["totalCount"] == 0
    assert pg.job(number, removeMailingListImports=[imported]).json()["status"] == "removing_contacts"
    assert sandbox.postgrid.members(number)["imports"] == {}


def test_unknown_and_lost_imports(sandbox, pg):
    number, imported = pg.list()["id"], pg.imported()["id"]
    pg.job(number, addMailingListImports=[NO_IMPORT])
    assert types(pg.get("mailing_lists", number)) == ["mailing_list_imports_not_found_error"]
    sandbox.postgrid.lose_file(imported)
    pg.job(number, addMailingListImports=[imported])
    assert types(pg.get("mailing_lists", number)) == ["download_file_error"]
    pg.job(number, removeMailingListImports=[NO_IMPORT])
    assert types(pg.get("mailing_lists", number)) == ["mailing_list_imports_not_found_error"]


def test_imports_that_are_not_completed(sandbox, pg):
    sandbox.postgrid.plan_imports([{"hold": True}])
    number, imported = pg.list()["id"], pg.imported()["id"]
    pg.job(number, addMailingListImports=[imported])
    assert types(pg.get("mailing_lists", number)) == ["operational_error"]
    assert sandbox.postgrid.members(number)["imports"] == {}
    sandbox.postgrid.change(postgrid_unready_import="reject")
    assert pg.error(pg.job(number, addMailingListImports=[imported])) == (400, "validation_error")


# Plans


def test_a_contact_deleted_while_its_job_runs_is_not_found(sandbox, pg, number):
    contact = pg.contact()["id"]
    pg.job(number, addContacts=[contact])
    pg.client.delete(f"/contacts/{contact}")
    sandbox.clock.advance(5)
    row = pg.get("mailing_lists", number)
    assert (row["status"], types(row)) == ("completed", ["operational_error"])


def test_a_held_job_waits_until_it_is_finished(sandbox, pg, number):
    sandbox.postgrid.plan_jobs([{"hold": True}])
    contact = pg.contact()["id"]
    pg.job(number, addContacts=[contact])
    sandbox.clock.advance(3600)
    assert pg.get("mailing_lists", number)["status"] == "creating_contacts"
    assert sandbox.postgrid.members(number)["contacts"] == {}
    sandbox.postgrid.finish_job(number)
    assert pg.get("mailing_lists", number)["status"] == "completed"
    assert list(sandbox.postgrid.members(number)["contacts"]) == [contact]
    with pytest.raises(ValueError, match="no job runs"):
        sandbox.postgrid.finish_job(number)


def test_a_stalled_job_has_taken_effect(sandbox, pg, number):
    sandbox.postgrid.plan_jobs([{"stall": True}])
    pg.job(number, addContacts=[pg.contact()["id"]])
    sandbox.clock.advance(3600)
    assert pg.get("mailing_lists", number)["status"] == "counting_recipient_country_codes"
    assert len(sandbox.postgrid.members(number)["contacts"]) == 1
    sandbox.postgrid.finish_job(number, ["internal_service_error"])
    row = pg.get("mailing_lists", number)
    assert (row["status"], types(row)) == ("completed", ["internal_service_error"])


@pytest.mark.parametrize(("applied", "members"), [(None, 0), ("none", 0), ("half", 2), ("all", 4)])
def test_a_planned_error_applies_as_planned(sandbox, pg, applied, members):
    sandbox.postgrid.plan_jobs([{"errors": ["internal_service_error"], "applied": applied}])
    ids = [pg.contact(firstName=name)["id"] for name in ("A", "B", "C", "D")]
    number = pg.list()["id"]
    pg.job(number, addContacts=ids)
    assert types(pg.get("mailing_lists", number)) == ["internal_service_error"]
    assert len(sandbox.postgrid.members(number)["contacts"]) == members


def test_a_plan_may_invent_a_status_and_a_duration(sandbox, loose, number):
    sandbox.postgrid.plan_jobs([{"status": "deduplicating", "seconds": 60}, {}])
    contact = loose.contact()["id"]
    assert loose.job(number, addContacts=[contact]).json()["status"] == "deduplicating"
    sandbox.clock.advance(59)
    assert loose.get("mailing_lists", number)["status"] == "deduplicating"
    sandbox.clock.advance(2)
    assert loose.get("mailing_lists", number)["status"] == "completed"
    assert loose.job(number, removeContacts=[contact]).json()["status"] == "removing_contacts"


@pytest.mark.parametrize("plan", [{"end": "error"}, {"seconds": -1}, {"applied": "most"}])
def test_plans_that_do_not_fit(sandbox, plan):
    with pytest.raises(ValueError, match="plan refused"):
        sandbox.postgrid.plan_jobs([plan])
