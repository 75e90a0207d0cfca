"""What is said of a stream's columns at its start, and by --check."""

from __future__ import annotations

import io
import json
import re

import pytest

from target_mailing.contacts.deletion import DELETED_AT
from target_mailing.input.column_report import column_report
from target_mailing.target import TargetMailing
from tests.target.conftest import Mailjet, people, schema, state
from tests.target.contacts.test_consent_words import CONSENT_NAMES, OPT_OUT_NAMES, USUAL_NAMES
from tests.target.postgrid.conftest import account, household, households
from tests.target.ses.conftest import _no_aws_of_this_machine, bare, ses  # noqa: F401 - fixtures

#: A CSV file as people have it.
COLUMNS = {
    name: {"type": ["string", "null"]} for name in ("id", "E-mail", "Town", "unsubscribed", "deleted_at", "notes")
}
RECORD = {
    "id": "1",
    "E-mail": "ada@example.com",
    "Town": "Leeds",
    "unsubscribed": "yes",
    "deleted_at": "",
    "notes": "x",
}
SETTINGS = {"mapping": {"email": "E-mail", "city": "Town"}, "properties": None}
LINE = "Columns sent: E-mail -> email, Town -> city; not sent: id (key), unsubscribed, deleted_at, notes"


def table(columns=COLUMNS, record=RECORD):
    return [schema(columns=columns), {"type": "RECORD", "stream": "people", "record": record}, state(1)]


def test_a_stream_says_once_at_its_start_what_is_sent(mailjet: Mailjet):
    other = schema(columns=COLUMNS | {"later": {}})
    result = mailjet.deliver([*table(), *table(), other, *table()], **SETTINGS)
    assert result.error is None
    assert result.log.count(f"Stream 'people': {LINE}\n") == 1
    assert result.log.count("Columns sent: ") == 2
    assert "ada" not in re.sub(r"[0-9a-f]{8}", "", result.log)  # hashes may be anything


def test_p5_columns_that_look_like_opt_outs_or_deletions_and_are_not_read_are_warned_of(mailjet: Mailjet):
    log = mailjet.deliver(table(), **SETTINGS).log
    assert "column 'unsubscribed' seems to say who may be contacted, but is ignored" in log
    assert '{"subscription_status": "unsubscribed"}' in log
    assert "column 'deleted_at' seems to mark deleted rows" in log
    assert '{"_sdc_deleted_at": "deleted_at"}' in log


@pytest.mark.slow
def test_p5_doing_what_the_warnings_say_obeys_the_columns_and_ends_the_warnings(mailjet: Mailjet):
    obeyed = {"subscription_status": "unsubscribed", "_sdc_deleted_at": "deleted_at"}
    result = mailjet.deliver(table(), mapping=SETTINGS["mapping"] | obeyed, properties=None)
    assert "but is ignored" not in result.log
    assert "unsubscribed -> subscription_status, deleted_at -> _sdc_deleted_at; not sent: id (key), notes" in result.log
    assert mailjet.statuses() == {"ada@example.com": "unsubscribed"}


def test_p5_a_column_that_only_becomes_a_property_with_all_others_is_warned_of(mailjet: Mailjet):
    mailjet.sandbox.mailjet.add_property("unsubscribed", "str")
    columns = {name: {"type": ["string", "null"]} for name in ("id", "email", "unsubscribed")}
    record = {"id": "1", "email": "ada@example.com", "unsubscribed": "yes"}
    assert "seems to say who" in mailjet.deliver(table(columns, record), properties="all").log
    chosen = mailjet.deliver(table(columns, record), properties=["unsubscribed"]).log
    assert "unsubscribed -> unsubscribed; not sent: id (key)" in chosen
    assert "seems to say who" not in chosen


GONE = [
    "gel\u00f6scht",
    "Geloescht_am",
    "supprim\u00e9",
    "eliminado",
    "cancellato",
    "usuni\u0119ty",
    "borrado",
    "verwijderd",
]


def test_p5_columns_in_other_languages_are_warned_of_and_usual_ones_are_not():
    names = [*OPT_OUT_NAMES, *CONSENT_NAMES, *GONE, *USUAL_NAMES, "borrador"]
    found = column_report("people", names, [("email", "email")], keys=[], all_properties=False).warnings
    assert [[one for one in names if repr(one) in warning] for warning in found] == [
        OPT_OUT_NAMES + CONSENT_NAMES,
        GONE,
    ]


def test_a_providers_own_stream_has_its_status_read_and_needs_no_warning():
    columns = ["provider", "id", "email", "subscription_status", "unsubscribed_at"]
    sent = [("email", "email"), ("subscription_status", "subscription_status")]
    assert column_report("x_contacts", columns, sent, keys=["id"], all_properties=True).warnings == []


def test_p5_of_several_columns_of_consent_the_one_that_is_called_after_opt_outs_is_suggested():
    columns = ["consentement", "newsletter", "OptOut", "unsub_date", "email"]
    (warning,) = column_report("x", columns, [("email", "email")], keys=[], all_properties=False).warnings
    assert all(repr(one) in warning for one in columns[:4])
    assert '{"subscription_status": "OptOut"}' in warning


@pytest.mark.parametrize("all_properties", [False, True])
@pytest.mark.parametrize("status", ["subscription_status", "Optout"])
def test_p5_beside_a_column_of_consent_that_is_read_no_other_is_advised_in_its_place(status, all_properties):
    columns = ["email", "subscription_status", "Optout", "newsletter", "newsletter_removed_at", "_sdc_deleted_at"]
    sent = [("email", "email"), (status, "subscription_status"), ("_sdc_deleted_at", "_sdc_deleted_at")]
    if all_properties:
        sent += [(one, f"my_{one}") for one in columns if one not in dict(sent)]
    (warning,) = column_report("people", columns, sent, keys=[], all_properties=all_properties).warnings
    other = "Optout" if status == "subscription_status" else "subscription_status"
    assert f"columns '{other}', 'newsletter', 'newsletter_removed_at' are" in warning
    assert f"since '{status}' " in warning
    assert "combine them by a stream map" in warning
    assert "`mapping`" not in warning


def test_p5_one_column_of_consent_beside_the_one_that_is_read():
    sent = [("email", "email"), ("subscription_status", "subscription_status")]
    columns = ["email", "subscription_status", "newsletter"]
    (warning,) = column_report("people", columns, sent, keys=[], all_properties=False).warnings
    assert (
        "column 'newsletter' is not read, since 'subscription_status' is. If both say who may be contacted, comb"
        in warning
    )


@pytest.mark.parametrize("mark", ["_sdc_deleted_at", "gone"])
def test_p5_beside_a_deletion_mark_that_is_read_another_is_no_warning(mark):
    columns = ["email", "_sdc_deleted_at", "gone", "deleted_at"]
    report = column_report("people", columns, [("email", "email"), (mark, DELETED_AT)], keys=[], all_properties=False)
    assert report.warnings == []
    assert f"deleted_at (not read, since '{mark}' is)" in report.line


def test_p7_a_file_without_header_shows_nobodys_data():
    columns = ["1", "ada@example.com", "Ada\nLovelace", "a" * 70, "city"]
    report = column_report("people", columns, [("city", "city")], keys=[], all_properties=False)
    assert report.line.endswith("city -> city; not sent: 1, column 2, column 3, column 4")


@pytest.mark.slow
def test_every_destination_says_it(ses, tmp_path):  # noqa: F811
    result = ses.deliver(table(), mapping={"email": "E-mail"}, properties=["Town"])
    assert "E-mail -> email, Town -> Town; not sent: id (key), unsubscribed, deleted_at, notes" in result.log
    with account(tmp_path) as postgrid:
        log = postgrid.deliver([households(), household(1)]).log
    assert "address_line1 -> address_line1" in log
    assert "not sent: id (key)" in log


def checked(mailjet, capsys, text, **config):
    TargetMailing(config=mailjet.settings(**config)).check(io.StringIO(text))
    return capsys.readouterr().out


def test_check_with_a_stream_says_the_same_and_makes_nothing(mailjet: Mailjet, capsys, caplog):
    text = "".join(json.dumps(one) + "\n" for one in table())
    out = checked(mailjet, capsys, text, **SETTINGS, create_properties=True)
    assert out.splitlines()[-1] == f"Stream 'people': {LINE}"
    assert "but is ignored" in caplog.text
    assert all(call.startswith("GET ") for call in mailjet.sandbox.counters.calls)
    more = checked(mailjet, capsys, text, mapping={"email": "E-mail"}, properties=["notes"], create_properties=True)
    assert "notes -> notes" in more
    assert mailjet.members() == {}


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_check_says_that_its_input_is_empty(mailjet: Mailjet, capsys, text):
    assert checked(mailjet, capsys, text).splitlines()[-1] == "The input is empty, so no columns were checked"


def test_check_follows_stream_maps(mailjet: Mailjet, capsys):
    text = "".join(json.dumps(one) + "\n" for one in table())
    maps = {"people": {"email": "record['E-mail']", "E-mail": None}}
    assert "email -> email" in checked(mailjet, capsys, text, properties=None, stream_maps=maps)


@pytest.mark.parametrize(("config", "named"), [({"mapping": {"email": "mail"}}, "'mail'"), ({}, "no column `email`")])
def test_p9_check_with_a_stream_refuses_what_a_run_refuses(mailjet: Mailjet, capsys, config, named):
    text = "".join(json.dumps(one) + "\n" for one in table())
    settings = {"properties": None, "streams": {"people": {}}} | config
    with pytest.raises(Exception, match=named):
        checked(mailjet, capsys, text, **settings)


def test_check_passes_records_over_whatever_they_hold(mailjet: Mailjet, capsys):
    text = (
        json.dumps(schema()) + "\n" + "".join(json.dumps(one) + "\n" for one in people(range(3))) + "no SCHEMA at all\n"
    )
    with pytest.raises(Exception, match="Line 5"):
        checked(mailjet, capsys, text)
    assert "email -> email" in checked(mailjet, capsys, text.rpartition("no SCHEMA")[0])


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ('{"type": "RECORD", "stream"', "Line 6"),
        ('{"type": "STATE"}', "Line 6.*without a value"),
        ('{"type": "RECORD", "stream": "others", "record": {}}', "Line 6.*'others', but no SCHEMA"),
        ('{"type": "BATCH", "stream": "people"}', "Line 6.*'BATCH'"),
    ],
)
def test_p9_check_reads_the_input_to_its_end(mailjet: Mailjet, capsys, line, named):
    half = '{"type": "RECORD", "stream": "people", "record": {"id": 1, "email": NaN}}'
    good = "".join(json.dumps(one) + "\n" for one in [schema(), *people([1]), state(1)]) + f"\n{half}\n"
    out = checked(mailjet, capsys, good)
    assert "check: passed" in out
    assert "1 record of the input cannot be read, and would be rejected: line 5" in out
    with pytest.raises(Exception, match=named):
        checked(mailjet, capsys, f"{good}{line}\n")
    assert "check: failed: Line 6" in capsys.readouterr().out


def test_a_key_column_or_a_structure_named_by_somebodys_data_is_called_by_its_position(mailjet: Mailjet):
    columns = {name: {"type": ["string", "null"]} for name in ("id", "email")} | {"eve@example.com": {"type": "object"}}
    described = schema(columns=columns) | {"key_properties": ["id", "bob@example.com"]}
    log = mailjet.deliver([described, state(1)], properties="all").log
    assert "key column 'column 2' is not in the SCHEMA" in log
    assert "`properties: all` omits 'column 3', since" in log
    assert "@example" not in log
