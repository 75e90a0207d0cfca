"""The official Python client of PostGrid against the sandbox: one success and one error of every operation."""

from __future__ import annotations

from typing import NamedTuple

import httpx
import postgrid
import pytest
from postgrid import PostGrid

from mailing_sandbox import Sandbox

MAPPING = {"firstName": "first", "addressLine1": "street", "countryCode": "country"}
CSV = "first,street,country\nAmara,12 Lakeshore Rd W,CA\nNoor,3 Mill Lane,CA\n"
NOBODY = "contact_0000000000000000000000"
NO_LIST = "mailing_list_0000000000000000000000"
NO_IMPORT = "mailing_list_import_0000000000000000000000"


class World(NamedTuple):
    """What the calls are about."""

    contact: str
    list: str
    imported: str
    file: str


@pytest.fixture
def http(contract):
    with httpx.Client(event_hooks={"response": [contract]}, trust_env=False, verify=False) as client:
        yield client


@pytest.fixture
def official(sandbox, http):
    """The client refuses answers that its own types do not fit."""
    client = PostGrid(
        print_mail_api_key=sandbox.postgrid.test_key,
        base_url=sandbox.url,
        max_retries=0,
        http_client=http,
        _strict_response_validation=True,
    )
    return client.print_mail


@pytest.fixture
def world(sandbox):
    emulated = sandbox.postgrid
    person = {"firstName": "Noor", "addressLine1": "3 Mill Lane", "countryCode": "CA"}
    [contact] = emulated.add_contacts([person])
    return World(
        contact, emulated.add_list("Board"), emulated.add_import(CSV, MAPPING), sandbox.url + emulated.host_file(CSV)
    )


def new_import(client, file, **fields):
    fields = {"file_type": "csv", "receiver_address_mapping": MAPPING} | fields
    return client.mailing_list_imports.create(file=file, **fields)


def new_contact(client, **fields):
    fields = {"first_name": "Amara", "address_line1": "12 Lakeshore Rd W", "country_code": "CA"} | fields
    return client.contacts.create(**fields)


# Each: the call that succeeds, what its answer shows, the call that fails, and how the client reports that.
OPERATIONS = {
    "contacts create": (
        lambda c, w: new_contact(c, metadata={"external_id": "crm-1"}, secret=False),
        lambda a: a.address_line1 == "12 LAKESHORE RD W" and a.metadata == {"external_id": "crm-1"},
        lambda c, w: new_contact(c, country_code="FFF"), postgrid.BadRequestError,
    ),
    "contacts retrieve": (
        lambda c, w: c.contacts.retrieve(w.contact),
        lambda a: (a.first_name, a.live) == ("Noor", False),
        lambda c, w: c.contacts.retrieve(NOBODY), postgrid.NotFoundError,
    ),
    "contacts list": (
        lambda c, w: c.contacts.list(limit=100, search='{"firstName":"Noor"}'),
        lambda a: [each.first_name for each in a] == ["Noor"],
        lambda c, w: c.contacts.list(limit=101), postgrid.BadRequestError,
    ),
    "contacts delete": (
        lambda c, w: c.contacts.delete(w.contact),
        lambda a: a.deleted is True,
        lambda c, w: c.contacts.delete(NOBODY), postgrid.NotFoundError,
    ),
    "mailing_lists create": (
        lambda c, w: c.mailing_lists.create(description="Spring", metadata={"a": 1}, idempotency_key="run-1"),
        lambda a: (a.description, a.status, a.errors) == ("Spring", "completed", []),
        lambda c, w: c.mailing_lists.create(description=5), postgrid.BadRequestError,
    ),
    "mailing_lists retrieve": (
        lambda c, w: c.mailing_lists.retrieve(w.list),
        lambda a: a.description == "Board",
        lambda c, w: c.mailing_lists.retrieve(NO_LIST), postgrid.NotFoundError,
    ),
    "mailing_lists update": (
        lambda c, w: c.mailing_lists.update(w.list, description="Elders", metadata={"b": "2"}),
        lambda a: (a.description, a.metadata) == ("Elders", {"b": "2"}),
        lambda c, w: c.mailing_lists.update(w.list, metadata="none"), postgrid.BadRequestError,
    ),
    "mailing_lists list": (
        lambda c, w: c.mailing_lists.list(search="board"),
        lambda a: a.total_count == 1,
        lambda c, w: c.mailing_lists.list(skip=-1), postgrid.BadRequestError,
    ),
    "mailing_lists delete": (
        lambda c, w: c.mailing_lists.delete(w.list),
        lambda a: a.deleted is True,
        lambda c, w: c.mailing_lists.delete(NO_LIST), postgrid.NotFoundError,
    ),
    "mailing_lists jobs": (
        lambda c, w: c.mailing_lists.jobs(w.list, add_contacts=[w.contact]),
        lambda a: a.status == "creating_contacts",
        lambda c, w: c.mailing_lists.jobs(w.list), postgrid.BadRequestError,
    ),
    "mailing_list_imports create": (
        lambda c, w: new_import(c, w.file, description="Batch", metadata={"batch": "1"}, idempotency_key="f-1"),
        lambda a: (a.status, a.valid_row_count, a.file.receiver_address_mapping) == ("validating", 0, MAPPING),
        lambda c, w: new_import(c, "rows.csv"), postgrid.BadRequestError,
    ),
    "mailing_list_imports retrieve": (
        lambda c, w: c.mailing_list_imports.retrieve(w.imported),
        lambda a: (a.status, a.valid_row_count, a.receiver_status_count.verified_count) == ("completed", 2, 2),
        lambda c, w: c.mailing_list_imports.retrieve(NO_IMPORT), postgrid.NotFoundError,
    ),
    "mailing_list_imports update": (
        lambda c, w: c.mailing_list_imports.update(w.imported, description="Other", metadata={"batch": "2"}),
        lambda a: (a.description, a.metadata) == ("Other", {"batch": "2"}),
        lambda c, w: c.mailing_list_imports.update(w.imported, metadata={"batch": 2}), postgrid.BadRequestError,
    ),
    "mailing_list_imports list": (
        lambda c, w: c.mailing_list_imports.list(limit=1),
        lambda a: [each.status for each in a] == ["completed"],
        lambda c, w: c.mailing_list_imports.list(skip=-1), postgrid.BadRequestError,
    ),
    "mailing_list_imports delete": (
        lambda c, w: c.mailing_list_imports.delete(w.imported),
        lambda a: a.deleted is True,
        lambda c, w: c.mailing_list_imports.delete(NO_IMPORT), postgrid.NotFoundError,
    ),
}  # fmt: skip


@pytest.mark.slow
def test_every_operation_of_the_client_is_driven(official):
    found = {
        f"{name} {operation}"
        for name in ("contacts", "mailing_lists", "mailing_list_imports")
        for operation in dir(type(getattr(official, name)))
        if not operation.startswith(("_", "with_"))
    }
    assert found == OPERATIONS.keys()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_success(official, world, contract, operation):
    call, as_expected, _, _ = OPERATIONS[operation]
    assert as_expected(call(official, world))
    assert contract.checked


@pytest.mark.parametrize("operation", OPERATIONS)
def test_error(official, world, contract, operation):
    _, _, call, error = OPERATIONS[operation]
    with pytest.raises(error) as caught:
        call(official, world)
    assert caught.value.body["object"] == "error"
    assert contract.checked[-1][2] == caught.value.status_code


def test_wrong_key(sandbox, http):
    client = PostGrid(print_mail_api_key="test_sk_other", base_url=sandbox.url, max_retries=0, http_client=http)
    with pytest.raises(postgrid.AuthenticationError) as caught:
        client.print_mail.contacts.list()
    assert caught.value.body["error"]["type"] == "invalid_api_key_error"


def test_from_contacts_to_a_list_and_back(sandbox, official):
    person = new_contact(official)
    made = official.mailing_lists.create(description="Spring donors")
    official.mailing_lists.jobs(made.id, add_contacts=[person.id])
    assert official.mailing_lists.retrieve(made.id).status == "completed"
    assert list(sandbox.postgrid.members(made.id)["contacts"]) == [person.id]
    official.mailing_lists.jobs(made.id, remove_contacts=[person.id])
    assert official.mailing_lists.retrieve(made.id).errors == []
    assert sandbox.postgrid.members(made.id) == {"contacts": {}, "imports": {}}


def test_the_client_reads_every_page(http):
    with Sandbox(contacts=230) as sandbox:
        client = PostGrid(print_mail_api_key=sandbox.postgrid.test_key, base_url=sandbox.url, http_client=http)
        found = list(client.print_mail.contacts.list(limit=100))
    assert len({each.id for each in found}) == len(found) == 230


@pytest.mark.slow
def test_the_clients_retries_get_past_a_busy_service(sandbox, http):
    sandbox.faults.add(kind="status", status=429, path="*/contacts", headers={"retry-after-ms": "1"})
    sandbox.faults.add(kind="status", status=503, path="*/contacts", headers={"retry-after-ms": "1"})
    client = PostGrid(print_mail_api_key=sandbox.postgrid.test_key, base_url=sandbox.url, http_client=http)
    assert new_contact(client.print_mail).first_name == "Amara"
    assert sandbox.counters.calls["POST /print-mail/v1/contacts"] == 3
