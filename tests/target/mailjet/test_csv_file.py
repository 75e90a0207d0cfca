"""Mailjet's CSV files: what is written reads back the same, and error files of all shapes are understood."""

from __future__ import annotations

import csv
import io
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailing_api.addresses import fold_address
from target_mailing.contacts.contact import EncodedContact
from target_mailing.delivery.named_addresses import NamedAddresses
from target_mailing.mailjet import csv_file
from target_mailing.mailjet.csv_file import CsvErrors, columns_of, cut, errors_of, files, write

DATATYPES = {"city": "str", "visits": "int", "score": "float", "vip": "bool", "birthday": "datetime"}


def contact(email, name=None, **properties):
    """As the destination encodes it."""
    found = {"Email": email} | ({"Name": name} if name else {}) | ({"Properties": properties} if properties else {})
    return msgspec.json.encode(found, order="deterministic")


def row(number, encoded):
    address = f"person{number}@example.com"
    return EncodedContact(address, address, encoded)


def people(count, **properties):
    return [row(number, contact(f"person{number}@example.com", **properties)) for number in range(count)]


def cells(file):
    """As any reader of CSV sees a file."""
    return list(csv.reader(io.StringIO(file.content.decode(), newline="")))


# Writing

addresses = st.from_regex(r"""[a-z0-9.!#$%&'*+/=?^_`{|}~",é-]{1,20}@[a-z0-9-]{1,20}\.test""", fullmatch=True)
values = {
    "str": st.text(st.characters(codec="utf-8"), min_size=1),
    "int": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "bool": st.booleans(),
    "datetime": st.datetimes().map(lambda moment: f"{moment:%Y-%m-%dT%H:%M:%S}Z".rjust(20, "0")),
}


@st.composite
def batches(draw, texts=values["str"]):
    columns = draw(st.lists(st.sampled_from(sorted(DATATYPES)), unique=True))
    kinds = values | {"str": texts}
    properties = st.fixed_dictionaries({name: kinds[DATATYPES[name]] for name in columns})
    return draw(st.lists(st.tuples(addresses, properties), min_size=1, max_size=8))


def shown(value, datatype):
    if datatype == "bool":
        return "true" if value else "false"
    return value.replace("T", " ").removesuffix("Z") if datatype == "datetime" else str(value)


@pytest.mark.slow
@given(batches())
def test_any_contacts_read_back_the_same(batch):
    file = write([contact(email, **properties) for email, properties in batch], DATATYPES)
    columns = sorted(batch[0][1])
    found = cells(file)
    if "birthday" in columns:
        options = json.loads(file.options)
        assert options == {
            "DateTimeFormat": "yyyy-mm-dd hh:nn:ss", "TimezoneOffset": 0, "FieldNames": ["email", *columns],
        }  # fmt: skip
    else:
        assert file.options == ""
        assert found.pop(0) == ["email", *columns]
    assert found == [
        [email, *(shown(properties[name], DATATYPES[name]) for name in columns)] for email, properties in batch
    ]


def test_a_file_as_a_text():
    contacts = [
        contact("ada@inbox.test", city='Lyon, "the" city', visits=12, score=3.0, vip=True),
        contact("zoë@inbox.test", city=" Ō\nsaka", visits=-1, score=30.39, vip=False),
    ]
    file = write(contacts, DATATYPES)
    assert file.options == ""
    assert file.content.decode() == (
        "email,city,score,vip,visits\n"
        'ada@inbox.test,"Lyon, ""the"" city",3.0,true,12\n'
        'zoë@inbox.test," Ō\nsaka",30.39,false,-1\n'
    )


def test_datetimes_make_a_file_without_header():
    file = write([contact("ada@inbox.test", birthday="1990-02-03T04:05:06Z", city="Lyon")], DATATYPES)
    assert file.content == b"ada@inbox.test,1990-02-03 04:05:06,Lyon\n"
    assert json.loads(file.options)["FieldNames"] == ["email", "birthday", "city"]


def test_contacts_without_properties_are_a_file_of_addresses():
    assert write([contact("ada@inbox.test")], DATATYPES).content == b"email\nada@inbox.test\n"


# Which contacts a file may hold


def test_columns_are_sorted():
    assert columns_of(b'{"Email":"a@b.test","Properties":{"visits":1,"city":"Lyon"}}', DATATYPES) == ("city", "visits")
    assert columns_of(contact("a@b.test"), DATATYPES) == ()


@pytest.mark.parametrize(
    "encoded",
    [
        contact("a@b.test", name="Ada"),
        contact("a@b.test", city=None),
        contact("a@b.test", city=""),
        contact("a@b.test", city=" Lyon"),
        contact("a@b.test", city="Lyon\u00a0"),
        contact("a@b.test", city="Ly\non"),
        contact("a@b.test", city="Ly\u2028on"),
        contact("a@b.test", city="Ly\0on"),
        contact("a@b.test", score=1e16),
        contact("a@b.test", score=1e-7),
        contact("a@b.test", birthday="990-02-03T04:05:06Z"),
        contact("a@b.test", shoe_size=44),
        contact("a@b.test", odd="x"),
        contact("a@b.test", Email="x"),
        contact("a@b.test", **{"a,b": "x"}),
        contact('"a,b"@b.test'),
        contact("\ufeffa@b.test"),
    ],
)
def test_what_a_file_may_not_hold_is_told(encoded):
    assert columns_of(encoded, DATATYPES | {"odd": "collection", "Email": "str", "a,b": "str"}) is None


@pytest.mark.slow
@given(batches(texts=st.text(st.characters(codec="utf-8"), max_size=12)))
def test_a_row_in_a_file_is_one_line_without_empty_cells(batch):
    for email, properties in batch:
        encoded = contact(email, **properties)
        if columns_of(encoded, DATATYPES) is None:
            continue
        file = write([encoded], DATATYPES)
        lines = file.content.decode().splitlines()
        assert len(lines) == (1 if file.options else 2)
        assert "" not in cells(file)[-1]
        assert cells(file)[-1][0] == email


def test_rows_are_grouped_by_their_columns_and_the_others_are_told():
    plain, cities, visits = people(5), people(3, city="Lyon"), people(2, city="Lyon", visits=3)
    named = [row(1, contact("a@b.test", name="Ada"))]
    everybody = [*named, *visits, *plain, *cities]
    made, others = files(everybody, DATATYPES, least=1)
    assert (made, others) == ([[1, 2], [3, 4, 5, 6, 7], [8, 9, 10]], [0])
    made, others = files(everybody, DATATYPES, least=3)
    assert (made, others) == ([[3, 4, 5, 6, 7], [8, 9, 10]], [0, 1, 2])


def test_files_are_cut_at_a_size_that_is_known_to_work(monkeypatch):
    rows = people(10)
    monkeypatch.setattr(csv_file, "_MAX_BYTES", 3 * len(rows[0].content))
    made = cut(rows, range(10))
    assert [len(part) for part in made] == [3, 3, 3, 1]
    assert [one for part in made for one in part] == [*range(10)]
    monkeypatch.setattr(csv_file, "_MAX_BYTES", 1)
    assert [len(part) for part in cut(rows, range(10))] == [1] * 10


@pytest.mark.slow
@given(batches())
def test_a_line_is_never_longer_than_its_contact_as_json(batch):
    for email, properties in batch:
        encoded = contact(email, **properties)
        if columns_of(encoded, DATATYPES) is not None:
            line = write([encoded], DATATYPES).content.decode().splitlines()[-1]
            assert len(line.encode()) <= len(encoded)


# The error file


def addressed(*emails):
    return NamedAddresses(emails)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("email,city,error\n", {}),
        ("email,city,error\nada@inbox.test,Lyon, ###Value could not be converted###city\n",
         {"ada@inbox.test": "Value could not be converted (city)"}),
        ("ada@inbox.test,Lyon, ###Value could not be converted###city",
         {"ada@inbox.test": "Value could not be converted (city)"}),
        ('email,age,error\n"noor@inbox.test", ###Too few columns at line\nlee@inbox.test,3, ###Twice###email',
         {"noor@inbox.test": "Too few columns at line", "lee@inbox.test": "Twice (email)"}),
        ("\ufeffADA@Inbox.test,1, ###Wrong email format###email\r\n", {"ada@inbox.test": "Wrong email format (email)"}),
        ('a@b.test,"Lyon, ###not me"," ###Value ""x, y"" is bad###city"\n', {"a@b.test": 'Value "x, y" is bad (city)'}),
        ("a@b.test,x, ###Value could not be converted, sorry###city\n",
         {"a@b.test": "Value could not be converted, sorry (city)"}),
        ('a@b.test,"Lyon ""L""\n", ###Stopped by a critical error\n', {}),
        ('"""a,b""@c.test", ###x\n', {'"a,b"@c.test': "x"}),
        ("a@b.test,1\nc@d.test,2, ###x\n", {"c@d.test": "x"}),
        ("<html><body>Bad gateway</body></html>", {}),
        ('{"ErrorMessage": "Source object not found"}', {}),
        ("a@b.test, ###first\na@b.test, ###second\n", {"a@b.test": "first"}),
    ],
)  # fmt: skip
def test_an_error_file_is_read_by_its_last_reason(text, expected):
    addresses = addressed("ada@inbox.test", "noor@inbox.test", "lee@inbox.test", "a@b.test", '"a,b"@c.test', "c@d.test")
    assert errors_of(text.encode(), addresses).named == expected


def test_lines_that_are_no_row_of_the_batch_are_counted():
    text = "email,error\na@b.test, ###Wrong\nsomebody, ###Wrong\n"
    assert errors_of(text.encode(), addressed("a@b.test", "c@d.test")) == CsvErrors({"a@b.test": "Wrong"}, 1)


@pytest.mark.slow
@given(st.binary())
def test_no_error_file_is_too_odd(content):
    errors_of(content, addressed("a@b.test"))


@pytest.mark.slow
@given(batches(texts=st.text(st.characters(codec="utf-8"), max_size=12)), st.booleans())
def test_rows_as_they_were_written_are_found_in_the_error_file(batch, has_header):
    kept = [(email, values) for email, values in batch if columns_of(contact(email, **values), DATATYPES) is not None]
    lines = ["email,error"] if has_header else []
    for email, properties in kept:
        line = write([contact(email, **properties)], DATATYPES).content.decode().splitlines()[-1]
        lines.append(f"{line}, ###Value could not be converted###city")
    found = errors_of("\n".join(lines).encode(), addressed(*(email for email, _ in kept)))
    assert found.named == {fold_address(email): "Value could not be converted (city)" for email, _ in kept}
