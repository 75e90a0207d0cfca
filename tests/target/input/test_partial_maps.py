"""Rows that cannot be read as a whole, of streams with maps: what is known for sure of an opt-out is obeyed (P5)."""

from __future__ import annotations

import io
import json
import logging

import pytest
from singer_sdk.mapper import PluginMapper

from mailing_api.errors import ConfigurationError
from target_mailing.input.partial_maps import columns_of
from target_mailing.input.stream_maps import StreamMaps
from tests.target.conftest import Mailjet, schema, state

COLUMNS = {name: {} for name in ("id", "mail", "other", "gone", "full", "vip", "note", "country", "off", "contact")}

#: Expressions, of the column `own`, and the columns that they may read; None where it may be any.
EXPRESSIONS = {
    "mail": {"mail"},
    "mail.strip().lower()": {"mail"},
    "'unsubscribed' if gone else None": {"gone"},
    "mail if not vip else other": {"mail", "vip", "other"},
    "record['mail']": {"mail"},
    "record.get('mail')": {"mail"},
    "_['mail'] or _.get('other', note)": {"mail", "other", "note"},
    "self": {"own", "self"},
    "f'{mail}-{note}'": {"mail", "note"},
    "[one for one in record.values()][0]": None,
    "record['ma' + 'il']": None,
    "record.get(note)": None,
    "record.mail": None,
    "record": None,
    "'note' in record": None,
    "json.dumps(_)": None,
    "mail if note is None else other": {"mail", "note", "other"},
    "str(note) + mail": {"mail", "note", "str"},
    "'x@example.com'": set(),
    "(": None,
}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_the_columns_that_an_expression_may_read_are_told(expression):
    found, wanted = columns_of(expression, "own"), EXPRESSIONS[expression]
    if wanted is None:
        assert found is None
    else:
        assert (found or set()) - {"record", "_", "one"} == wanted


def maps_of(given, **config):
    config = {"stream_maps": {"people": given}, **config}
    maps = StreamMaps(PluginMapper(plugin_config=config, logger=logging.getLogger("tests")), config)
    maps.register("people", {"type": "object", "properties": COLUMNS}, [])
    return maps


@pytest.mark.parametrize("damaged", ["mail", "other", "vip", "note"])
@pytest.mark.parametrize("expression", [one for one in EXPRESSIONS if one != "("])
@pytest.mark.parametrize("more", [{}, {"__else__": None}, {"note": None}, {"__filter__": "other"}])
def test_p5_what_is_told_is_so_whatever_cannot_be_read_was(expression, damaged, more):
    row = {"mail": "a@example.com", "other": "b@example.com", "vip": False, "note": "x", "gone": True}
    maps = maps_of({"own": expression, "mail": "other", **more})
    left = {name: value for name, value in row.items() if name != damaged}
    (part,) = maps.in_part("people", left, frozenset({damaged}))
    may_be = []
    for value in (None, "", "z@example.com", 0, True, [], {"own": 1}):
        try:
            may_be += maps.transformed("people", {**row, damaged: value}, 1)
        except ConfigurationError:
            continue
    if part is None:
        assert set(map(type, may_be)) <= {type(None)}
    elif part.is_known:
        for made in may_be:
            assert made is not None
            assert {name: made[name] for name in part.columns} == part.columns
            assert {*made} <= {*part.columns} | part.damaged


# What comes of it

ADDRESSES = [f"p{number}@example.com" for number in range(8)]
OPTED_OUT = "rows that cannot be read may hold opt-outs or deletions, which were not applied"


def deliver(mailjet: Mailjet, rows, **config):
    """Rows as they stand in their lines; who is a member before, and what became of them."""
    mailjet.sandbox.mailjet.add_contacts([{"email": one, "list": mailjet.list_id} for one in ADDRESSES])
    each = [row if isinstance(row, bytes) else row.encode() for row in rows]
    lines = [b'{"type": "RECORD", "stream": "people", "record": %s}' % row for row in each]
    message, end = (json.dumps(one).encode() for one in (schema(columns=COLUMNS, keys=[]), state(1)))
    result = mailjet.deliver_from(io.BytesIO(b"\n".join([message, *lines, end, b""])), **config)
    assert (result.error, result.states) == (None, [1])
    now = mailjet.statuses()
    assert {*now} <= {*ADDRESSES}
    return result, [now.get(one, "gone") for one in ADDRESSES[: len(rows)]]


BY_MAPS = {"email": "mail.strip()", "subscription_status": "'unsubscribed' if gone else None", "name": "full.title()"}


def test_p5_an_opt_out_that_stream_maps_make_is_obeyed_where_nothing_that_it_needs_is_damaged(mailjet):
    rows = [
        '{"mail": " p0@example.com", "gone": true, "full": "x", "note": NaN}',
        '{"mail": "p1@example.com", "gone": true, "full": 1e999}',
        '{"mail": "p2@example.com", "gone": NaN, "full": "x"}',
        '{"mail": "\\ud800p3@example.com", "gone": true, "full": "x"}',
        '{"mail": "p4@example.com", "gone": false, "full": "x", "note": NaN}',
        '{"mail": null, "gone": true, "full": "x", "note": NaN}',
    ]
    result, statuses = deliver(mailjet, rows, stream_maps={"people": BY_MAPS}, properties=None)
    assert statuses == ["unsubscribed", "unsubscribed", "subscribed", "subscribed", "subscribed", "subscribed"]
    assert (result.outcomes["reasons"], result.outcomes["opt_outs_obeyed"]) == ({"unreadable": 6}, 2)
    assert result.log.count(OPTED_OUT) == 1


@pytest.mark.parametrize(
    ("row", "is_told"),
    [
        ('{"mail": NaN, "gone": "subscribed"}', True),
        ('{"mail": "p0@example.com", "gone": NaN}', True),
        ('{"mail": "p0@example.com", "off": NaN}', True),
        ("[1]", True),
        ('{"mail": "p0@example.com", "gone": "subscribed", "note": NaN}', False),
    ],
)
def test_it_is_told_once_where_nobody_can_know_whether_a_row_is_an_opt_out(mailjet, row, is_told):
    mapping = {"email": "mail", "subscription_status": "gone", "_sdc_deleted_at": "off"}
    result, statuses = deliver(mailjet, [row, row], mapping=mapping, properties=None)
    assert statuses == ["subscribed"] * 2
    assert result.log.count(OPTED_OUT) == is_told


@pytest.mark.parametrize(
    ("maps", "row", "wanted"),
    [
        # Whose row it is depends on what cannot be read.
        ({"email": "mail if not vip else other"}, '"vip": NaN', "subscribed"),
        ({"email": "mail if note is None else other"}, '"note": NaN', "subscribed"),
        ({"email": "[one for one in record.values()][0]"}, '"note": NaN', "subscribed"),
        ({"email": "record.get('mail', note)"}, '"note": NaN', "subscribed"),
        ({"email": "mail", "subscription_status": "gone"}, '"note": NaN', "unsubscribed"),
        ({"email": "mail", "other": "self"}, '"other": NaN', "unsubscribed"),
        # Whether it comes at all does.
        ({"email": "mail", "__filter__": "country == 'DE'"}, '"country": NaN', "subscribed"),
        ({"email": "mail", "__filter__": "country == 'DE'"}, '"country": "DE", "note": NaN', "unsubscribed"),
        ({"email": "mail", "__filter__": "country == 'DE'"}, '"country": "FR", "note": NaN', "skipped"),
        # An expression fails for a value that can be read.
        ({"email": "mail", "full": "full.title()"}, '"full": 5, "note": NaN', "subscribed"),
        ({"email": "mail", "__else__": None, "subscription_status": "gone"}, '"note": NaN', "unsubscribed"),
        ({"email": "mail", "_sdc_deleted_at": "off"}, '"off": "2026-01-01", "note": NaN', "gone"),
        ({"email": "mail", "_sdc_deleted_at": "off"}, '"off": NaN', "unsubscribed"),
    ],
)
def test_p5_what_stream_maps_make_of_the_rest_counts_only_where_it_is_sure(mailjet, maps, row, wanted):
    maps = {"subscription_status": "gone"} | maps if wanted != "gone" else maps
    record = f'{{"mail": "p0@example.com", "other": "p7@example.com", "gone": "unsubscribed", {row}}}'
    result, statuses = deliver(mailjet, [record], stream_maps={"people": maps}, properties=None)
    assert mailjet.statuses()["p7@example.com"] == "subscribed"
    counts = {"gone": {"delivered": 1}, "skipped": {"skipped": 1}}.get(wanted, {"rejected": 1})
    assert (statuses, result.counts()) == (["subscribed" if wanted == "skipped" else wanted], counts)
    assert result.outcomes["opt_outs_obeyed"] == (wanted == "unsubscribed")


#: Spellings of a column's name that cannot be read.
NO_NAMES = [b"vi\xffp", b"vi\\ud800p", b"vi\x01p", b"vi\\xffp", b"\xed\xa0\x80vip"]


@pytest.mark.parametrize(
    "maps",
    [
        {"_sdc_deleted_at": "'2026-01-01T00:00:00Z' if not record.get('vip') else None"},
        {"subscription_status": "'subscribed' if record.get('vip') else 'unsubscribed'"},
        {"subscription_status": "'unsubscribed'", "__filter__": "record.get('vip') != 'yes'"},
        {"__filter__": "record.get('vip') == 'yes'"},
        {"subscription_status": "gone"},
    ],
)
def test_p5_maps_make_nothing_of_a_row_with_a_name_that_cannot_be_read(mailjet, maps):
    rows = [
        b'{"mail": "p%d@example.com", "gone": "unsubscribed", "note": NaN, "%s": "yes"}' % it
        for it in enumerate(NO_NAMES)
    ]
    rows += [row.replace(b"NaN", b"1").replace(b"p%d" % at, b"p%d" % (at + 5)) for at, row in enumerate(rows[:2])]
    result, statuses = deliver(mailjet, rows, stream_maps={"people": {"email": "mail", **maps}}, properties=None)
    assert (statuses, result.counts()) == (["subscribed"] * 7, {"rejected": 7})
    assert result.log.count(OPTED_OUT) == 1


def test_p5_without_maps_such_a_row_may_opt_out_and_never_be_removed_or_added(mailjet):
    row = b'{"mail": "p%d@example.com", "vi\xffp": 1, %s}'
    rest = [b'"gone": "unsubscribed"', b'"gone": "subscribed"', b'"off": "2026-01-01"', b'"note": 1', b'"gone": NaN']
    rows = [row % it for it in enumerate(rest)] + [row % (9, b'"gone": "subscribed"')]
    mapping = {"email": "mail", "subscription_status": "gone", "_sdc_deleted_at": "off"}
    result, statuses = deliver(mailjet, rows, mapping=mapping, properties=None)
    assert statuses[:5] == ["unsubscribed", *["subscribed"] * 4]
    assert (result.counts(), result.outcomes["opt_outs_obeyed"]) == ({"rejected": 6}, 1)
    assert result.log.count(OPTED_OUT) == 1
    # What is delivered again is not taken for the whole row.
    assert {*result.rejects[0]["record"]} >= {"_unreadable"}
    assert not {*result.rejects[0]["record"]} & {"mail", "gone", "off"}


@pytest.mark.parametrize("column", [None, "vip"])
def test_p5_the_setting_says_nothing_of_such_a_row_if_its_own_action_may_be_missing(mailjet, column):
    rows = [b'{"mail": "p0@example.com", "vi\xffp": "addnoforce"}']
    settings = {} if column is None else {"action_column": column}
    result, statuses = deliver(mailjet, rows, mapping={"email": "mail"}, action="unsub", properties=None, **settings)
    assert (statuses, result.counts()) == (["subscribed" if column else "unsubscribed"], {"rejected": 1})


def test_p5_so_does_what_flattening_makes_of_it(mailjet):
    rows = [
        '{"contact": {"email": "p0@example.com"}, "note": NaN, "full": {"a": 1}}',
        '{"contact": {"email": "p1@example.com"}, "full": {"a": Infinity}}',
        '{"contact": {"email": "p2@example.com", "age": NaN}, "note": 1}',
    ]
    config = {"flattening_enabled": True, "flattening_max_depth": 1, "action": "unsub", "properties": None}
    columns = {**COLUMNS, "contact": {"type": "object", "properties": {"email": {}, "age": {}, "state": {}}}}
    messages = [json.dumps(schema(columns=columns, keys=[]))]
    mailjet.sandbox.mailjet.add_contacts([{"email": one, "list": mailjet.list_id} for one in ADDRESSES])
    messages += [f'{{"type": "RECORD", "stream": "people", "record": {row}}}' for row in rows]
    mapping = {"email": "contact__email", "subscription_status": "contact__state"}
    result = mailjet.deliver("\n".join(messages) + "\n", mapping=mapping, **config)
    assert (result.error, result.counts(), result.outcomes["opt_outs_obeyed"]) == (None, {"rejected": 3}, 2)
    assert [mailjet.statuses()[one] for one in ADDRESSES[:3]] == ["unsubscribed", "unsubscribed", "subscribed"]
    assert result.log.count(OPTED_OUT) == 1


def test_p5_each_of_several_maps_of_a_row_has_its_own(mailjet):
    maps = {
        "people": {"email": "mail", "subscription_status": "gone"},
        "others": {"__source__": "people", "email": "other", "subscription_status": "gone"},
        "third": {"__source__": "people", "email": "full", "subscription_status": "gone"},
        "none": {"__source__": "people", "email": "mail", "__filter__": "False"},
    }
    row = '{"mail": "p0@example.com", "other": "p1@example.com", "full": NaN, "gone": "unsubscribed"}'
    result, _ = deliver(mailjet, [row, "[1]"], stream_maps=maps, properties=None)
    assert [mailjet.statuses()[one] for one in ADDRESSES[:3]] == ["unsubscribed", "unsubscribed", "subscribed"]
    assert (result.counts(), result.outcomes["opt_outs_obeyed"]) == ({"rejected": 2}, 1)
