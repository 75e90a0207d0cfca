"""Rows mapped by column: what is decided at once for many values is what each of them gives by itself."""

from __future__ import annotations

from itertools import chain, combinations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from mailing_api.errors import ConfigurationError
from target_mailing.contacts import bulk, values
from target_mailing.contacts.columns import Column, Rows
from target_mailing.contacts.consent_words import status_reader
from target_mailing.contacts.contact import MappedContact
from target_mailing.contacts.deletion import is_deleted
from target_mailing.contacts.fields import UNFIT, AnyName, Field, Fields, RowRejected, attempt, wrong_type
from target_mailing.contacts.mapping import StreamMapping
from target_mailing.contacts.properties_object import PropertiesObject
from target_mailing.contacts.row_address import ascii_address, clean_address, clean_addresses, not_addable
from target_mailing.contacts.stream_columns import StreamColumns
from target_mailing.mailjet.properties import FIELDS, NAME
from target_mailing.postgrid import contact as postgrid
from target_mailing.settings.settings import StreamSettings
from tests.api.test_addresses import HIDDEN

TEXTS = [
    "Ada", " Ada Lovelace  ", "Zo\u00eb", " \u5f20\u4f1f ", "", " ", "Ada\n", "\tAda", "a\x00b", "a\u00a0",
    "\u3000a", "\ud800",
    "\ufe0f", "\u2764\ufe0f", "\x7f", *(f"{one}a" for one in HIDDEN), *(f"a{one}b" for one in HIDDEN), *HIDDEN,
]  # fmt: skip
NUMBERS = [
    0, 1, -1, 7.0, -0.0, 0.5, 1e22, 1e-7, 2**63 - 1, -(2**63), 2**63, -(2**63) - 1, 10**400, float("nan"),
    float("inf"), True, False,
]  # fmt: skip
NUMBER_TEXTS = [
    "1",
    "1.0",
    " 7 ",
    "1.5",
    "1e3",
    "1E+3",
    "1.2e5",
    "12.",
    "007",
    "-0",
    "1e9999",
    "\u0663.5",
    "12.High Street",
    "12\n3.5",
]
FLAG_TEXTS = ["true", "False", " yes", "0", "0.0", "maybe"]
MOMENTS = [
    "2024-03-05T09:41:07Z", "2024-03-05 09:41:07", "2024-03-05T09:41:07.123456789+00:00", "2024-03-05T09:41:07.5",
    "2024-03-05", "2024-03-05T09:41", "2024-03-05t09:41:07z", "2024-03-05T09:41:07+02:00", "2024-03-05T09:41:07,5Z",
    "2024-02-30T09:41:07Z", "2024-03-05T24:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T24:00:00Z",
    "2024-03-05T09:41:07Z\n",
    "2024-03-05T09:41:07Z\n2024-03-05T09:41:07Z", "0001-01-01T00:00:00Z", "\u0662024-03-05T09:41:07Z", "1", "now",
]  # fmt: skip
NESTED = [[], {}, [1.0], {"a": 7.0}, {"a": "\ud800"}, "[]", "{", b"x"]
KINDS = [TEXTS, NUMBERS, NUMBER_TEXTS, FLAG_TEXTS, MOMENTS, NESTED]


USUAL_VALUES = {str: "Ada", int: 7, float: 0.5, bool: True}


def columns_with(value, usual=None):
    """Columns in which a value is alone, beside a null, and rare."""
    usual = USUAL_VALUES.get(type(value), "Ada") if usual is None else usual
    return [[value], [None, value], [*[usual] * 70, value]]


def drawn_from(*kinds):
    """Columns of one kind of values, and of all."""
    usual = st.sampled_from(kinds).flatmap(lambda kind: st.lists(st.sampled_from([*kind, None]), max_size=5))
    return st.one_of(usual, st.lists(st.sampled_from([*chain(*kinds), None]), max_size=5))


def told(result):
    """What can be compared: 1 and True differ, 0.0 and -0.0, too; NaN and NaN do not, nor the order of properties."""
    if isinstance(result, MappedContact):
        result = msgspec.structs.replace(result, properties=dict(sorted(result.properties.items())))
    if isinstance(result, RowRejected):
        return result.code, result.reason, result.column, result.hint
    return repr(result)


def alone(convert, value, source="c", *, is_required=False):
    """The result for one value."""
    if value is UNSET or (value is None and not is_required):
        return value
    try:
        return convert(value)
    except RowRejected as no:
        return no
    except UNFIT as exc:
        return wrong_type(f"column {source}", value, exc)


def compare(column, given_values):
    """Compare the results for all values with those for each."""
    rows = Rows([given_values], len(given_values))
    results = [rows.rejected.get(at, value) for at, value in enumerate(rows.read(column))]
    expected = [alone(column.convert, value, is_required=column.is_required) for value in given_values]
    assert [*map(told, results)] == [*map(told, expected)]


PAIRS = {
    **{name: Field(getattr(values, name), getattr(bulk, name)) for name in bulk.__all__},
    **{f"Mailjet's {name}": field for name, field in FIELDS.items()},
    "Mailjet's name": NAME,
    **{f"PostGrid's {name}": field for name, field in postgrid.fields(str).columns.items()},
    "PostGrid's metadata": postgrid.fields(str).properties["level"],
}
COLUMNS_IN_BULK = {
    (field.convert, field.convert_all): Column(0, "c", name, field.convert, field.convert_all)
    for name, field in PAIRS.items()
}.values()


@pytest.mark.parametrize("column", COLUMNS_IN_BULK, ids=lambda column: column.name)
def test_each_value_becomes_the_same_among_others(column):
    for value in chain(*KINDS):
        for given_values in columns_with(value):
            compare(column, given_values)
    for kind in KINDS:
        compare(column, kind)


@given(column=st.sampled_from([*COLUMNS_IN_BULK]), given_values=drawn_from(*KINDS))
def test_many_values_become_what_each_of_them_becomes(column, given_values):
    compare(column, given_values)


def test_a_rare_odd_value_costs_few_conversions_one_by_one():
    converted = []
    column = Column(0, "c", "c", lambda value: converted.append(value) or values.text(value), bulk.text)
    given_values = ["a\u200b", *map("Ada {}".format, range(900)), "a\u200b"]
    assert [*Rows([given_values], 902).read(column)][-1] == "a"
    assert len(converted) < 130
    assert converted.count("a\u200b") == 1


def test_a_number_of_thousands_of_digits_is_rejected_alone():
    rows = Rows([[7, 10**5000, 8]], 3)
    assert [*rows.read(Column(0, "c", "c", values.text, bulk.text))] == ["7", None, "8"]
    assert rows.rejected[1].code == "wrong_type"


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("text", ["Ada", " Zo\u00eb ", "", None]),
        ("text", [1, 2, None]),
        ("digits", ["+33 1", "", None]),
        ("whole", [1, 0, None]),
        ("decimal", [1, 0.5, -0.0, None]),
        ("flag", [True, False, None]),
        ("moment", ["2024-03-05T09:41:07Z", "2024-03-05 09:41:07.25+00:00", "", None]),
        ("json_value", ["Ada", " ", None]),
        ("json_value", [1, True, None]),
    ],
)
def test_usual_values_are_converted_at_once(name, column):
    assert getattr(bulk, name)(column) is not None


ADDRESSES = [
    "ada@example.com", "Ada@Example.COM", " ada@example.com", "ada@example.com\n", "o'brien@example.com",
    "ada@exa\u0308mple.com",
    "ada@xn--exmple-cua.com", "ada@XN--exmple-cua.com", "\u00e4da@example.com", "a.xn--b@example.com",
    "a--b@c-d.example.com",
    "<ada@example.com>", "a@b.c", "a@b..com", ".a@b.com", "a.@b.com", "a@b-.com", "a@-b.com", "a@b.com.", "a b@c.com",
    f"{'a' * 60}@b.com", f"{'a' * 59}@b.co", "a@b.com\nc@d.com", "", " ", "nobody", "\u200bada@example.com",
    "a@b.local",
    "ada@example.com; bob@example.com", "\ud800@b.com", "a_b@c_d.com",
]  # fmt: skip


@pytest.mark.parametrize("clean", [clean_address, ascii_address])
def test_each_address_is_cleaned_the_same_among_others(clean):
    column = Column(0, "c", "c", clean, clean_addresses, is_required=True)
    for address in [*ADDRESSES, None, 7, []]:
        for given_values in columns_with(address, "bob@example.com"):
            compare(column, given_values)
    compare(column, ADDRESSES)
    assert clean_addresses([" ada@example.com", "Ada@Example.COM "]) == ["ada@example.com", "Ada@example.com"]


def test_an_address_that_no_server_accepts_is_named_by_its_position():
    emails = ["ada@example.com", "a@b", "bob@example.com", "o'brien@example.com"]
    assert {at: no.code for at, no in not_addable(emails).items()} == {1: "bad_address"}


# Whole rows

LISTS = Field(lambda value: value.split() or None, for_removals=True)


def choice(value):
    if value == "never":
        raise RowRejected("unknown_list", f"{value} is no list")
    return values.flag(value)


ALL = Fields(
    columns={"name": NAME, "first_name": NAME, "lists": LISTS, "choice": Field(choice)},
    properties={"city": FIELDS["str"], "visits": FIELDS["int"], "score": FIELDS["float"], "since": FIELDS["datetime"]},
    defines_properties=True,
)
PROPERTIES = ["city", "visits", "score", "since"]
MARKS = [None, "", "no", False, 0, "2026-03-05", "2026-03-05T09:41:07Z", "perhaps", float("nan"), 7]
STATUSES = ["subscribed", "unsubscribed", " Opt-Out", "maybe", "", None, True, 0, "pending", []]
ACTIONS = ["addnoforce", " ADDFORCE ", "", None, 7]
OBJECTS = [
    None, {}, {"city": " Lyon "}, {"City": "Lyon", "visits": "3"}, {"city": None}, {"shoe": 1}, '{"visits": 4}',
    "{", [],
    {"visits": "many"}, "",
]  # fmt: skip
COLUMNS = {
    "email": [*ADDRESSES, None, 7], "_sdc_deleted_at": MARKS, "subscription_status": STATUSES, "op": ACTIONS,
    "properties": OBJECTS, "name": [*TEXTS, *NUMBERS, None], "first_name": ["Ada", "", None, []], "lists": ["a b",
    "", None],
    "choice": ["yes", "never", "perhaps", None], "city": [*TEXTS, None, UNSET], "visits": [*NUMBERS, "3", None,
    UNSET],
    "score": [*NUMBERS, "0.5", None, UNSET], "since": [*MOMENTS, None, UNSET],
}  # fmt: skip
USUAL = {
    "email": "ada@example.com", "_sdc_deleted_at": None, "subscription_status": "subscribed", "op": None,
    "properties": None,
    "name": "Ada", "first_name": None, "lists": None, "choice": None, "city": "Lyon", "visits": 3, "score": 0.5,
    "since": "2024-03-05T09:41:07Z",
}  # fmt: skip


def mapped_alone(row, nulls):  # noqa: C901 - one value after the other
    """The contact of a row: the rules, one after the other."""
    clears = nulls == "clear"
    row = {
        name: None if value is UNSET and not (clears and name in PROPERTIES) else value for name, value in row.items()
    }

    def checked(convert, column, **options):
        result = alone(convert, row[column], column, **options)
        if isinstance(result, RowRejected):
            raise result
        return result

    def status_of(value):
        try:
            return status_reader("subscription_status")(value)
        except ValueError as no:
            reason = f"column subscription_status: {value!r} is {no}"
            raise RowRejected("bad_subscription_status", reason) from None

    def action_of(value):
        if not isinstance(value, str):
            raise RowRejected("unknown_action", f"column op: {value!r} is not an action")
        return value.strip().lower() or None

    def readable(convert, column):
        result = alone(convert, row[column], is_required=True)
        return None if isinstance(result, RowRejected) else result

    if is_deleted("_sdc_deleted_at", row["_sdc_deleted_at"]):
        email = readable(clean_address, "email")
        status = None if row["subscription_status"] is None else readable(status_of, "subscription_status")
        lists = checked(LISTS.convert, "lists")
        lists = {} if lists is None else {"lists": lists}
        return MappedContact(email, lists, {}, "unsubscribed" if status == "unsubscribed" else None, None, deleted=True)
    email = checked(clean_address, "email", is_required=True)
    status, action = checked(status_of, "subscription_status"), checked(action_of, "op")
    columns = {name: checked(ALL.columns[name].convert, name) for name in ("name", "first_name", "lists", "choice")}
    columns = {name: value for name, value in columns.items() if value is not None}
    properties = checked(PropertiesObject("properties", ALL, clear_nulls=clears), "properties") or {}
    for name in PROPERTIES:
        value = checked(ALL.properties[name].convert, name)
        if value is not UNSET and (clears or value is not None):
            properties[name] = value
    return MappedContact(email, columns, properties, status, action, deleted=False)


def compare_rows(rows, nulls):
    """Compare the contacts of all rows with those of each."""
    options = StreamSettings.resolve({"properties": PROPERTIES, "action_column": "op", "nulls": nulls}, None)
    mapping = StreamMapping(StreamColumns("people", dict.fromkeys(COLUMNS, ())), ALL, options)
    contacts = mapping.contacts(
        [(*(absent if row[name] is UNSET else row[name] for name, absent in mapping.needed), 7) for row in rows]
    )
    expected = [attempt(mapped_alone, row, nulls) for row in rows]
    assert [*map(told, contacts)] == [*map(told, expected)]
    own = [id(one.properties) for one in contacts if isinstance(one, MappedContact)]
    assert len(own) == len({*own})


ODD_VALUES = [(name, value) for name, options in COLUMNS.items() for value in options]
DELETED = USUAL | {"_sdc_deleted_at": "2026-03-05", "email": None}


@pytest.mark.parametrize("nulls", ["skip", "clear"])
def test_each_row_is_mapped_the_same_among_others(nulls):
    for name, value in ODD_VALUES:
        odd = USUAL | {name: value}
        compare_rows([odd], nulls)
        compare_rows([USUAL, odd, DELETED, odd, DELETED | {name: value}, USUAL], nulls)
    compare_rows([], nulls)


def test_the_first_column_that_does_not_fit_decides():
    rejected = [
        (name, value)
        for name, value in ODD_VALUES
        if isinstance(attempt(mapped_alone, USUAL | {name: value}, "skip"), RowRejected)
    ]
    for (name, value), (other, worse) in combinations(dict(rejected).items(), 2):
        compare_rows([USUAL, USUAL | {name: value, other: worse}], "skip")


@given(
    rows=st.lists(st.lists(st.sampled_from(ODD_VALUES), max_size=4).map(lambda odd: USUAL | dict(odd)), max_size=5),
    nulls=st.sampled_from(["skip", "clear"]),
)
def test_many_rows_are_mapped_as_each_of_them(rows, nulls):
    compare_rows(rows, nulls)


def test_objects_with_few_members_in_common_take_no_more_places_than_members():
    field = PropertiesObject(
        "properties", msgspec.structs.replace(ALL, properties=AnyName(NAME)), clear_nulls=True
    ).field
    assert field.convert_all([{"city": "Lyon"}, {"town": "Lyon"}]) == [{"city": "Lyon"}, {"town": "Lyon"}]
    assert field.convert_all([{f"city_{number}": "Lyon"} for number in range(9)]) is None


def test_p9_an_error_about_a_missing_column_gives_an_example_that_suits_it():
    columns, settings = StreamColumns("people", {"id": ()}), StreamSettings.resolve({}, None)
    for name, example in (("email", "email_address"), ("address_country", "country")):
        fields = Fields(columns={name: Field(str)}, properties={}, required=(name,))
        with pytest.raises(ConfigurationError, match=f'"{name}": "{example}"'):
            StreamMapping(columns, fields, settings)
