"""Export tickets and the files they are good for, byte by byte."""

from __future__ import annotations

import csv
import io
import json
import uuid

import pytest

NEWSLETTER = {"newsletter": "address", "status": "active"}
HEADER = (
    "Contact Name,Greeting,Envelope Greeting,Mailing Street Address,Mailing City,Mailing State,Mailing Postal Code,"
    "Mailing Country,Address Block\n"
)
EXAMPLE = (
    HEADER
    + """"Albright, Tom & Nina",Tom and Nina,Tom & Nina Albright,"12 Harbor Rd
Apt 4",Portland,ME,04101,"","Tom & Nina Albright
12 Harbor Rd
Apt 4
Portland ME  04101"
"Bauer, Lena",Lena,Lena Bauer,Hauptstr. 5,Berlin,,10115,Germany,"Lena Bauer
Hauptstr. 5
10115 Berlin
GERMANY"
Castillo Community Church,Castillo Community Church,Castillo Community Church,,,,,,"Castillo Community Church
   "
"""
)


@pytest.fixture
def example(make):
    couple = [{"first_name": "Tom"}, {"first_name": "Nina", "last_name": "Albright"}]
    harbor = {
        "street": " 12 Harbor Rd\r\nApt 4\n", "city": "Portland", "state": "ME", "postal_code": "04101",
        "country": "United States",
    }  # fmt: skip
    german = {"street": "Hauptstr. 5", "city": "Berlin", "postal_code": "10115", "country": "Germany"}
    return make(
        {"name": "Castillo Community Church"},
        {"name": "Bauer, Lena", "people": [{"first_name": "Lena"}], "addresses": [german]},
        {"name": "Albright, Tom & Nina", "people": couple, "addresses": [harbor]},
    )


def test_the_mailing_file_is_exact_to_the_byte(api, example, sandbox):
    answer = api.csv()
    assert answer.content == EXAMPLE.encode()
    assert answer.headers["Content-Type"] == "text/csv"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="contacts-2')
    rows = list(csv.reader(io.StringIO(answer.text, newline="")))
    assert [len(row) for row in rows] == [9] * 4
    assert rows[1][3] == "12 Harbor Rd\nApt 4"


def test_an_export_of_nobody_is_its_header(api, home):
    assert api.csv({"newsletter": "email"}).text == HEADER


def test_a_ticket_is_made_and_echoed(api, home):
    answer = api.export({"account_list_id": home, **NEWSLETTER}, export_at="2020-01-01T00:00:00Z")
    assert answer.status_code == 201
    data = answer.json()["data"]
    attributes = data["attributes"]
    assert data["type"] == "export_logs"
    assert attributes["type"] == "Contacts Mailing"
    assert attributes["params"] == {"filter": {"account_list_id": home, **NEWSLETTER}}
    assert attributes["export_at"] == attributes["created_at"] != "2020-01-01T00:00:00Z"
    assert data["relationships"]["user"]["data"]["type"] == "users"
    text = json.dumps(NEWSLETTER)
    assert api.export(text).json()["data"]["attributes"]["params"] == {"filter": text}
    assert api.export(path="contacts/exports").json()["data"]["attributes"]["type"] == "Contacts"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"data": {"type": "contacts"}}, 409),
        ({"data": {"attributes": {}}}, 409),
        ({}, 409),
        ({"data": {"type": "export_logs", "attributes": {"id": "1"}}}, 409),
        ({"data": {"type": "export_logs", "attributes": {"user_id": "1"}}}, 409),
        ({"data": {"type": "export_logs", "id": "mine"}}, 201),
    ],
)
def test_a_ticket_wants_its_type_and_no_keys(api, body, status):
    headers = {"Authorization": f"Bearer {api.token}"}
    assert api.client.post("contacts/exports/mailing", json=body, headers=headers).status_code == status
    assert api.client.post("contacts/exports/mailing", content=b"{", headers=headers).status_code == 400


@pytest.mark.parametrize("first", ["{}.csv", "{}"])
def test_a_ticket_is_good_for_one_download_in_any_form(api, example, mpdx, first):
    ticket = api.export().json()["data"]["id"]
    assert api.get(f"contacts/exports/mailing/{first.format(ticket)}").status_code == 200
    for path in ("mailing/{}.csv", "mailing/{}", "{}.csv"):
        again = api.get(f"contacts/exports/{path.format(ticket)}")
        assert again.status_code == 403
        assert ticket in again.json()["errors"][0]["detail"]
        assert "export_logs" in again.json()["errors"][0]["detail"]
    assert [(log["used"], len(log["formats"])) for log in mpdx.exports()] == [(True, 1)]
    assert api.csv().status_code == 200


def test_a_download_that_breaks_has_used_the_ticket_too(api, example, sandbox):
    import httpx

    ticket = api.export().json()["data"]["id"]
    sandbox.faults.add(kind="cut_body", path="/api/v2/contacts/exports/mailing/*")
    with pytest.raises(httpx.RemoteProtocolError):
        api.get(f"contacts/exports/mailing/{ticket}.csv")
    assert api.get(f"contacts/exports/mailing/{ticket}.csv").status_code == 403


def test_a_ticket_belongs_to_its_user(api, mpdx, home, sign_in):
    other = sign_in(mpdx.token(mpdx.add_user()))
    ticket = api.export().json()["data"]["id"]
    assert other.get(f"contacts/exports/mailing/{ticket}.csv").status_code == 403
    assert api.get(f"contacts/exports/mailing/{ticket}.csv", {"Authorization": ""}).status_code == 401
    assert api.get(f"contacts/exports/mailing/{ticket}.csv").status_code == 200
    assert api.get(f"contacts/exports/mailing/{uuid.uuid4()}.csv").status_code == 404
    assert api.get(f"contacts/exports/mailing/{ticket}.ods").status_code == 404


def test_the_filter_is_applied_to_what_is_there_at_the_download(api, make, mpdx):
    make({"name": "In", "send_newsletter": "Physical"}, {"name": "Out", "send_newsletter": "Email"})
    ticket = api.export(NEWSLETTER).json()["data"]["id"]
    make({"name": "New", "send_newsletter": "Both"}, {"name": "Hid", "send_newsletter": "Both", "status": "Never Ask"})
    text = api.get(f"contacts/exports/mailing/{ticket}.csv").text
    assert [line.partition(",")[0] for line in text.splitlines() if line.startswith(("In,", "New,", "Out", "Hid"))] == [
        "In",
        "New",
    ]


def names(answer):
    assert answer.status_code == 200
    return [row[0] for row in csv.reader(io.StringIO(answer.text, newline=""))][1:]


def test_filters_of_exports(api, make, mpdx, sandbox):
    first, second = make("One", "Two")
    assert names(api.csv()) == ["One", "Two"]
    assert names(api.csv({"ids": first})) == ["One"]
    assert names(api.csv({"ids": first, "reverse_ids": "true"})) == ["One"]
    assert names(api.csv({"ids": [first]})) == ["One"]
    assert names(api.csv({"tags": ["x"], "any_tags": True})) == ["One", "Two"]
    assert names(api.csv(json.dumps({"ids": second}))) == ["Two"]
    assert api.csv("no JSON").status_code == 500
    assert api.csv({"account_list_id": str(uuid.uuid4())}).status_code == 404
    sandbox.switches.change({"mpdx_array_ids": "ignored", "mpdx_string_filter": "error"})
    assert names(api.csv({"ids": [first]})) == ["One", "Two"]
    assert api.csv(json.dumps({"ids": second})).status_code == 500


def test_which_address_is_used(api, make):
    old = {"street": "Old", "historic": True, "primary_mailing_address": True}
    make(
        {"name": "A", "addresses": [old, {"street": "First"}, {"street": "Main", "primary_mailing_address": True}]},
        {"name": "B", "addresses": [old, {"street": "First"}]},
        {"name": "C", "addresses": [old]},
    )
    rows = list(csv.reader(io.StringIO(api.csv().text, newline="")))[1:]
    assert [row[3] for row in rows] == ["Main", "First", ""]


@pytest.mark.parametrize(
    ("country", "lines"),
    [
        ("United States", ["C R  P"]),
        ("Atlantis", ["C R  P"]),
        ("Canada", ["C R  P", "CANADA"]),
        ("China", ["C, R  P", "CHINA"]),
        ("Brazil", ["P C-R", "BRAZIL"]),
        ("Mexico", ["P C, R", "MEXICO"]),
        ("Italy", ["P C R", "ITALY"]),
        ("France", ["P C", "FRANCE"]),
        ("Netherlands", ["P  C", "NETHERLANDS"]),
        ("United Kingdom", ["C  P", "UNITED KINGDOM"]),
        ("Ireland", ["C, R", "P", "IRELAND"]),
        ("Hong Kong", ["C", "HONG KONG"]),
        ("United Arab Emirates", ["P", "C", "UNITED ARAB EMIRATES"]),
        ("Japan", ["C, R", "P", "JAPAN"]),
        ("Hungary", ["C", "P", "HUNGARY"]),
        ("Latvia", ["C, LV-P", "LATVIA"]),
        ("Lithuania", ["LT-P C", "LITHUANIA"]),
        ("Slovenia", ["SI-P C", "SLOVENIA"]),
        ("Czech Republic", ["P R", "C", "CZECH REPUBLIC"]),
    ],
)
def test_the_address_block_follows_the_country_it_goes_to(api, make, country, lines):
    make(
        {"name": "N", "addresses": [{"street": "S", "city": "C", "state": "R", "postal_code": "P", "country": country}]}
    )
    (row,) = list(csv.reader(io.StringIO(api.csv().text, newline="")))[1:]
    assert row[8].split("\n") == ["N", "S", *lines]


def test_an_unknown_country_cell_is_bare_and_a_domestic_one_is_quoted(api, mpdx):
    canada = mpdx.add_account_list("Up north", "Canada")
    mpdx.add_contacts(
        [
            {"account_list": canada, "name": "A", "addresses": [{"city": "Toronto", "country": "Canada"}]},
            {"account_list": canada, "name": "B", "addresses": [{"city": "Toronto"}]},
            {"account_list": canada, "name": 'C "Q"', "addresses": [{"city": "", "country": "United States"}]},
        ]
    )
    text = api.csv().text
    assert 'A,A,A,,Toronto,,,"",' in text
    assert "B,B,B,,Toronto,,,," in text
    assert '"C ""Q""","C ""Q""","C ""Q""",,"",,,United States,"C ""Q""' in text


def test_a_column_may_be_added(api, example, sandbox):
    sandbox.switches.change({"mpdx_csv_columns": "more"})
    rows = list(csv.reader(io.StringIO(api.csv().text, newline="")))
    assert rows[0][-1] == "Mailing Region"
    assert {len(row) for row in rows} == {10}


def test_the_advanced_file(api, make):
    couple = [
        {
            "first_name": "Tom", "last_name": "Albright",
            "emails": ["tom@example.com", {"email": "old@example.com", "historic": True}, "tom2@example.com"],
        },
        {"first_name": "Nina", "phones": ["555-0142"]},
    ]  # fmt: skip
    dead = [{"first_name": "Dora", "deceased": True}, {"first_name": "Will", "last_name": "Doyle"}]
    make(
        {"name": "Albright, Tom and Nina", "people": couple, "tags": ["a", "b"], "pledge_frequency": "12"},
        {"name": "Doyle, Dora and Will", "people": dead},
        {"name": "Gone", "people": [{"first_name": "Gus", "deceased": True}]},
    )
    ticket = api.export(path="contacts/exports").json()["data"]["id"]
    text = api.get(f"contacts/exports/{ticket}.csv").text
    assert text.startswith('"Contact Name","First Name",')
    assert text.endswith("\n\n")
    first, second = csv.DictReader(io.StringIO(text, newline=""))
    assert (first["First Name"], first["Spouse First Name"], first["Tags"]) == ("Tom", "Nina", "a, b")
    assert (first["Primary Email"], first["Other Email"]) == ("tom@example.com", "tom2@example.com")
    assert (first["Spouse Phone"], first["Commitment Frequency"]) == ("555-0142", "Annual")
    assert (second["First Name"], second["Commitment Frequency"]) == ("Will", "Monthly")
    assert "Gone" not in text
    spanish = api.get("contacts/exports.csv", {"Accept-Language": "es"}).text
    assert spanish.startswith('"Nombre del contacto"')
    assert len(next(csv.reader(io.StringIO(spanish)))) == 26


def test_a_ticket_made_by_get_is_used_already(api, home, mpdx):
    made = api.get("contacts/exports/mailing", **{"filter[newsletter]": "address"}).json()["data"]
    assert made["attributes"]["params"] == {"filter": {"newsletter": "address"}}
    assert api.get(f"contacts/exports/mailing/{made['id']}.csv").status_code == 403
    assert names(api.get("contacts/exports/mailing.csv")) == []
    assert len(mpdx.exports()) == 2
