"""The official Python client of Mailjet against the sandbox: one success and one error of every operation."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from mailjet_rest import Client
from mailjet_rest.errors import ApiError, CriticalApiError, DoesNotExistError, MailjetAuthError, ValidationError

PROPERTY = {"Data": [{"Name": "city", "Value": "Oslo"}]}
ROWS = [{"Email": "new@example.com", "Name": "New", "Properties": {"city": "Lyon"}}]
BAD_ROWS = [{"Email": "bad@example.com", "Properties": {"shoe_size": 1}}]


class World(NamedTuple):
    """What the calls are about."""

    list: int
    contact: int
    email: str
    segment: int
    upload: int
    bulk_job: int
    bulk_job_path: str
    account_job: int
    csv_job: int


@pytest.fixture
def client(sandbox):
    with Client(auth=(sandbox.api_key, sandbox.secret_key), api_url=sandbox.url) as official:
        yield official


@pytest.fixture
def world(sandbox, client):
    sandbox.seed(60)
    row = client.contactslist.get(filters={"Limit": 1}).json()["Data"][0]
    person = client.contact.get(filters={"Limit": 1}).json()["Data"][0]
    bulk = client.contactslist_managemanycontacts.create(
        id=row["ID"], data={"Action": "addnoforce", "Contacts": BAD_ROWS}
    )
    account = client.contact_managemanycontacts.create(data={"Contacts": ROWS})
    upload = client.contactslist_csvdata.create(id=row["ID"], data="email,age\nlee@example.com\n").json()["ID"]
    csv = client.csvimport.create(data={"ContactsListID": row["ID"], "DataID": upload, "Method": "addforce"})
    job = bulk.json()["Data"][0]["JobID"]
    return World(
        list=row["ID"],
        contact=person["ID"],
        email=person["Email"],
        segment=client.contactfilter.get().json()["Data"][0]["ID"],
        upload=upload,
        bulk_job=job,
        bulk_job_path=f"DATA/Batchjob/{job}/JSONError/application:json/LAST",
        account_job=account.json()["Data"][0]["JobID"],
        csv_job=csv.json()["Data"][0]["ID"],
    )


def file(client, path):
    return client.api_call("GET", f"{client.config.api_url}v3/{path}")


# Each: the call that succeeds, its status, the call that fails, and how the client reports that.
OPERATIONS = {
    "contact list": (
        lambda c, w: c.contact.get(filters={"Limit": 2, "Sort": "ID", "ContactsList": w.list}), 200,
        lambda c, w: c.contact.get(filters={"Sort": "Name"}), ValidationError,
    ),
    "contact stream": (
        lambda c, w: c.contact.get(filters={"countOnly": 1}), 200,
        lambda c, w: list(c.contact.stream(filters={"Sort": "Name"})), ValidationError,
    ),
    "contact get": (
        lambda c, w: c.contact.get(id=w.email), 200,
        lambda c, w: c.contact.get(id="nobody+x@example.com"), DoesNotExistError,
    ),
    "contact create": (
        lambda c, w: c.contact.create(data={"Email": "x@example.com"}), 201,
        lambda c, w: c.contact.create(data={"Email": w.email}), ValidationError,
    ),
    "contact update": (
        lambda c, w: c.contact.update(id=w.contact, data={"Name": "Other"}), 200,
        lambda c, w: c.contact.update(id=w.contact, data={"CreatedAt": "x"}), MailjetAuthError,
    ),
    "contact update of nothing": (
        lambda c, w: c.contact.update(id=w.contact, data={}), 304,
        lambda c, w: c.contact.update(id=1, data={}), DoesNotExistError,
    ),
    "contact delete": (
        lambda c, w: c.api_call("DELETE", f"{c.config.api_url}v4/contacts/{w.contact}"), 200,
        lambda c, w: c.contact.delete(id=w.contact), MailjetAuthError,
    ),
    "contactslist list": (
        lambda c, w: c.contactslist.get(filters={"IsDeleted": "true"}), 200,
        lambda c, w: c.contactslist.get(filters={"Offset": -1}), ValidationError,
    ),
    "contactslist get": (
        lambda c, w: c.contactslist.get(id=w.list), 200,
        lambda c, w: c.contactslist.get(id=1), DoesNotExistError,
    ),
    "contactslist create": (
        lambda c, w: c.contactslist.create(data={"Name": "Fresh"}), 201,
        lambda c, w: c.contactslist.create(data={"Name": "Donors"}), ValidationError,
    ),
    "contactslist delete": (
        lambda c, w: c.contactslist.delete(id=w.list), 204,
        lambda c, w: c.contactslist.delete(id=1), DoesNotExistError,
    ),
    "contactdata list": (
        lambda c, w: c.contactdata.get(filters={"Limit": 5, "Sort": "ID"}), 200,
        lambda c, w: c.contactdata.get(filters={"Limit": "many"}), ValidationError,
    ),
    "contactdata get": (
        lambda c, w: c.contactdata.get(id=w.contact), 200,
        lambda c, w: c.contactdata.get(id=1), DoesNotExistError,
    ),
    "contactdata update": (
        lambda c, w: c.contactdata.update(id=w.contact, data=PROPERTY), 200,
        lambda c, w: c.contactdata.update(id=w.contact, data={"Data": [{"Name": "no", "Value": 1}]}), ValidationError,
    ),
    "contactmetadata list": (
        lambda c, w: c.contactmetadata.get(filters={"Limit": 1000}), 200,
        lambda c, w: c.contactmetadata.get(filters={"Sort": "Datatype"}), ValidationError,
    ),
    "contactmetadata create": (
        lambda c, w: c.contactmetadata.create(data={"Name": "shoe_width", "Datatype": "int"}), 201,
        lambda c, w: c.contactmetadata.create(data={"Name": "city", "Datatype": "str"}), ValidationError,
    ),
    "listrecipient list": (
        lambda c, w: c.listrecipient.get(filters={"ContactsList": w.list, "Unsub": "true"}), 200,
        lambda c, w: c.listrecipient.get(filters={"ContactsList": "abc"}), ValidationError,
    ),
    "listrecipient create": (
        lambda c, w: c.listrecipient.create(data={"ContactAlt": "new@example.com", "ListID": w.list}), 201,
        lambda c, w: c.listrecipient.create(data={"ContactAlt": "x@example.com", "ListID": w.list}), ValidationError,
    ),
    "batchjob list": (
        lambda c, w: c.batchjob.get(filters={"Sort": "ID", "MinRequestAt": "2024-01-01T00:00:00Z"}), 200,
        lambda c, w: c.batchjob.get(filters={"MinRequestAt": "yesterday"}), ValidationError,
    ),
    "batchjob get": (
        lambda c, w: c.batchjob.get(id=w.bulk_job), 200,
        lambda c, w: c.batchjob.get(id=1), DoesNotExistError,
    ),
    "csvimport list": (
        lambda c, w: c.csvimport.get(), 200,
        lambda c, w: c.csvimport.get(filters={"Sort": "ID"}), ValidationError,
    ),
    "csvimport get": (
        lambda c, w: c.csvimport.get(id=w.csv_job), 200,
        lambda c, w: c.csvimport.get(id=w.bulk_job), DoesNotExistError,
    ),
    "csvimport create": (
        lambda c, w: c.csvimport.create(data={"ContactsListID": w.list, "DataID": w.upload, "Method": "remove"}), 201,
        lambda c, w: c.csvimport.create(data={"ContactsListID": w.list, "DataID": 1, "Method": "unsub"}),
        ValidationError,
    ),
    "contactfilter list": (
        lambda c, w: c.contactfilter.get(filters={"ShowDeleted": "true"}), 200,
        lambda c, w: c.contactfilter.get(filters={"Sort": "Name"}), ValidationError,
    ),
    "contactfilter get": (
        lambda c, w: c.contactfilter.get(id=w.segment), 200,
        lambda c, w: c.contactfilter.get(id=1), DoesNotExistError,
    ),
    "liststatistics": (
        lambda c, w: c.liststatistics.get(filters={"CalcActive": "true"}), 200,
        lambda c, w: c.liststatistics.get(id=1), DoesNotExistError,
    ),
    "listrecipientstatistics": (
        lambda c, w: c.listrecipientstatistics.get(filters={"MinUnsubscribedAt": "2024-01-01T00:00:00Z"}), 200,
        lambda c, w: c.listrecipientstatistics.get(filters={"MinUnsubscribedAt": "x"}), ValidationError,
    ),
    "contactstatistics": (
        lambda c, w: c.contactstatistics.get(filters={"Limit": 3}), 200,
        lambda c, w: c.contactstatistics.get(id=1), DoesNotExistError,
    ),
    "contactslistsignup": (
        lambda c, w: c.contactslistsignup.get(filters={"MinSignupAt": 1, "Sort": "ID"}), 200,
        lambda c, w: c.contactslistsignup.get(id=1), DoesNotExistError,
    ),
    "managecontact": (
        lambda c, w: c.contactslist_managecontact.create(id=w.list, data={"Email": w.email, "Action": "addforce"}), 201,
        lambda c, w: c.contactslist_managecontact.create(id=w.list, data={"Email": w.email}), ValidationError,
    ),
    "managecontactslists": (
        lambda c, w: c.contact_managecontactslists.create(
            id=w.contact, data={"ContactsLists": [{"ListID": w.list, "Action": "unsub"}]}
        ), 201,
        lambda c, w: c.contact_managecontactslists.create(
            id=w.contact, data={"ContactsLists": [{"ListID": "abc", "Action": "unsub"}]}
        ), ValidationError,
    ),
    "getcontactslists": (
        lambda c, w: c.contact_getcontactslists.get(id=w.contact), 200,
        lambda c, w: c.contact_getcontactslists.get(id=1), DoesNotExistError,
    ),
    "managemanycontacts of a list": (
        lambda c, w: c.contactslist_managemanycontacts.create(id=w.list, data={"Action": "addforce", "Contacts": ROWS}),
        201,
        lambda c, w: c.contactslist_managemanycontacts.create(id=1, data={"Action": "addforce", "Contacts": ROWS}),
        DoesNotExistError,
    ),
    "managemanycontacts of a list, poll": (
        lambda c, w: c.contactslist_managemanycontacts.get(id=w.list, action_id=w.bulk_job), 200,
        lambda c, w: c.contactslist_managemanycontacts.get(id=w.list, action_id=1), DoesNotExistError,
    ),
    "managemanycontacts of the account": (
        lambda c, w: c.contact_managemanycontacts.create(data={"Contacts": ROWS}), 201,
        lambda c, w: c.contact_managemanycontacts.create(data={"Contacts": "none"}), ValidationError,
    ),
    "managemanycontacts of the account, poll": (
        lambda c, w: c.contact_managemanycontacts.get(id=w.account_job), 200,
        lambda c, w: c.contact_managemanycontacts.get(id=w.bulk_job), DoesNotExistError,
    ),
    "CSVData": (
        lambda c, w: c.contactslist_csvdata.create(id=w.list, data="email\n"), 200,
        lambda c, w: c.contactslist_csvdata.create(id=1, data="email\n"), DoesNotExistError,
    ),
    "CSVError": (
        lambda c, w: c.batchjob_csverror.get(id=w.csv_job), 200,
        lambda c, w: c.batchjob_csverror.get(id=w.bulk_job), DoesNotExistError,
    ),
    "JSONError": (
        lambda c, w: file(c, w.bulk_job_path), 200,
        lambda c, w: file(c, w.bulk_job_path.replace(str(w.bulk_job), "1")), DoesNotExistError,
    ),
    "metadata": (
        lambda c, w: c.metadata.get(), 200,
        lambda c, w: c.nosuchresource.get(), ApiError,
    ),
}  # fmt: skip

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Endpoint 'liststatistics' is deprecated:DeprecationWarning"),
]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_success(client, world, operation):
    call, status, _, _ = OPERATIONS[operation]
    answer = call(client, world)
    assert answer.status_code == status
    if status in (200, 201) and answer.headers.get("content-type") == "application/json" and operation != "JSONError":
        body = answer.json()
        assert body.keys() == ({"ID"} if operation == "CSVData" else {"Count", "Data", "Total"})


@pytest.mark.parametrize("operation", OPERATIONS)
def test_error(client, world, operation):
    _, _, call, error = OPERATIONS[operation]
    with pytest.raises(error):
        call(client, world)


def test_wrong_credentials(sandbox):
    with (
        Client(auth=("sandbox-key", "wrong-secret"), api_url=sandbox.url) as client,
        pytest.raises(MailjetAuthError),
    ):
        client.contact.get()


def test_a_call_beyond_ten_thousand_contacts_is_cut_off(client, world):
    rows = [{"Email": f"p{n}@example.com"} for n in range(10_001)]
    with pytest.raises(CriticalApiError):
        client.contactslist_managemanycontacts.create(id=world.list, data={"Action": "addforce", "Contacts": rows})


def test_the_stream_of_the_client_reads_every_page(client, world):
    assert len(list(client.contact.stream(chunk_size=7, filters={"Sort": "ID"}))) == 58
