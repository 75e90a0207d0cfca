"""The words of consent: read in any spelling, and never taken for consent where they are not known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_mailing.contacts.consent_columns import looks_like_consent, tells_opt_outs
from target_mailing.contacts.consent_words import asks_for_opt_out, choice_of, status_reader
from tests.target.conftest import COLUMNS, Mailjet, person, schema, state
from tests.target.ses.conftest import TOPICS, _no_aws_of_this_machine, bare, ses  # noqa: F401 - fixtures

YES = [
    True,
    1,
    1.0,
    "1",
    "1.0",
    "yes",
    "YES",
    "y",
    "true",
    "T",
    "on",
    "OPT_IN",
    "opt-in",
    "Opted in",
    "opt in",
    " yes\u200b",
    "WAHR",
    "Oui",
    "s\u00ed",
]
NO = [
    False,
    0,
    0.0,
    "0",
    "0.0",
    "no",
    "No",
    "n",
    "false",
    "F",
    "off",
    "OPT_OUT",
    "opt-out",
    "Opted out",
    "unsubscribed",
    "FALSCH",
    "Nein",
    "n\u00e3o",
]
BLANK = [None, "", " ", "\u00a0", "\u200b", "\ufeff "]
UNCLEAR = [
    "do not know",
    "not unsubscribed",
    "[]",
    "perhaps",
    2,
    -1,
    0.5,
    float("nan"),
    "10",
    "x",
    "?",
    "-",
    [],
    {},
    ["yes"],
    "yes/no",
    "not sure",
]

#: In a column that is called after opt-outs.
OPTED_OUT_THERE = [
    "yes please", "yes, by phone", "Yes - asked twice", "YES (2024)", "ja, telefonisch", "oui: par t\u00e9l\u00e9phone",
    "yes, no more mail", "s\u00ed, por correo", "x (phone)", "\u2714\ufe0f",
    "checked", "Checked", "ticked", "angekreuzt", "coch\u00e9",
    "Mar 5, 2024", "March 5th, 2024", "5 March 2024", "5. M\u00e4rz 2024", "Tue Mar 05 2024", "5-Mar-24", "05/MAR/2024",
    "Tue Mar 05 2024 10:00:00 GMT+0100 (Central European Time)", "Tue, 05 Mar 2024 10:00:00 +0000", "March 2024",
    "le 5 f\u00e9vrier 2024", "mardi 5 mars 2024 \u00e0 10h00", "5 de marzo de 2024", "5 agosto 2024",
    "5 de mar\u00e7o de 2024",
    "5 maart 2024", "5 marca 2024 r.", "5. okt. 2024", "1er ao\u00fbt 2024",
    "20240305", 20240305, "20240305.0", "45356", 45356, 45356.5, "45356.75", "20000", "80000",
    1709596800, "1709596800000",
    "05/03/2024", "3/5/2024, 10:00:00 AM", "5. 3. 2024", "2024/03/05", "03/2024", "2024-03", "31.12.24",
]  # fmt: skip
NO_VALUE_THERE = [
    "n/a", "N/A", "NA", "#N/A", "-", "--", "\u2014", "None", "null", "NULL", "(null)", "NaN", "nat", "\\N", "undefined",
    "0000-00-00", "0000-00-00 00:00:00", " 0000-00-00T00:00:00Z ", float("nan"),
]  # fmt: skip
STILL_UNCLEAR_THERE = [
    "active", "alive", "not deleted", "confirmed", "perhaps", "yesterday", "yes/no", "y / n", "Ja/Nein", "unchecked",
    "19999", 19999, 80001, "20241305", 20240230, 7, -45356, "00/00/0000", "00-Mar-0000", "Mar", "Mar 5",
    "marketing 5 2024",
    "resubscribed 5 March 2024", "not before March 2024", "()", "[]", "?", "1.5", "9" * 5, "Mar " + "0" * 5000,
]  # fmt: skip

UNSUBSCRIBED = [
    "unsubscribed", "Unsubscribed", "UNSUBSCRIBED", " unsubscribed ", "unsubscribed\u200b", "unsub", "Unsubscribe",
    "opted out",
    "Opted-Out", "OPT_OUT", "optout", "opt out", "not subscribed", "complained", "do not contact", *NO,
    "Unsubscribed (2026-01-05)", "UNSUBSCRIBED_BY_ADMIN",
    "opted out by phone", "Abgemeldet", "d\u00e9sabonn\u00e9", "dado de baja",
]  # fmt: skip
SUBSCRIBED = ["subscribed", "Subscribed", "SUBSCRIBED ", "opted in", "OPT_IN", "Opt-in", *YES]
HELD_BACK = {
    "excluded": ["Excluded", "bounced", "Hard bounce", "cleaned", "suppressed", "blacklisted"],
    "pending": ["Pending", "unconfirmed"],
}


@pytest.mark.parametrize(("values", "choice"), [(YES, True), (NO, False), (BLANK, None)])
def test_usual_words_and_numbers_for_yes_and_no_are_understood(values, choice):
    assert {repr(one): choice_of(one) for one in values} == {repr(one): choice for one in values}


@pytest.mark.parametrize("value", UNCLEAR, ids=repr)
def test_p5_an_unknown_word_is_no_consent(value):
    with pytest.raises(ValueError, match="neither"):
        choice_of(value)
    with pytest.raises(ValueError, match="not a known status"):
        status_reader("subscription_status")(value)


@pytest.mark.parametrize(
    "column", ["subscription_status", "status", "newsletter", "email_opt_in", "is_subscribed", "not_unsubscribed"]
)
def test_statuses_are_read_in_any_spelling(column):
    read = status_reader(column)
    assert {repr(one): read(one) for one in UNSUBSCRIBED} == {repr(one): "unsubscribed" for one in UNSUBSCRIBED}
    assert {repr(one): read(one) for one in SUBSCRIBED} == {repr(one): "subscribed" for one in SUBSCRIBED}
    assert {read(one) for one in BLANK} == {None}
    for status, words in HELD_BACK.items():
        assert {read(one) for one in words} == {status}


@pytest.mark.parametrize(
    "column",
    [
        "unsubscribed",
        "Opted Out",
        "email_opt_out",
        "do_not_email",
        "is_blacklisted",
        "unsubscribed_at",
        "HasOptedOutOfEmail",
    ],
)
def test_p5_yes_in_a_column_of_opt_outs_is_an_opt_out(column):
    read = status_reader(column)
    assert {read(one) for one in [True, 1, "yes", "Y", "t", "2026-01-01T00:00:00Z", "2026-01-01", "unsubscribed"]} == {
        "unsubscribed"
    }
    assert {read(one) for one in ["x", "ja", 1767225600, "1767225600", "01/31/2026", "5.1.2026 10:00"]} == {
        "unsubscribed"
    }
    assert {read(one) for one in [*BLANK, False, 0, "no", "F", "nein", "FALSCH", "never"]} == {None}
    for word in ("active", "confirmed", "in", "perhaps", "accepted", 7, "00/00/0000", "()"):
        with pytest.raises(ValueError, match="not a known status"):
            read(word)
    with pytest.raises(ValueError, match="not a known status"):
        read("perhaps")


@pytest.mark.parametrize("column", ["unsubscribed", "opt-out date", "Abmeldung", "D\u00e9sinscrit", "STOP"])
def test_p5_whatever_tells_of_an_opt_out_in_a_column_of_opt_outs_is_one(column):
    read = status_reader(column)
    assert {repr(one): read(one) for one in OPTED_OUT_THERE} == {repr(one): "unsubscribed" for one in OPTED_OUT_THERE}
    assert {repr(one): read(one) for one in NO_VALUE_THERE} == {repr(one): None for one in NO_VALUE_THERE}
    for value in STILL_UNCLEAR_THERE:
        with pytest.raises(ValueError, match="not a known status"):
            read(value)


def test_p5_in_other_columns_none_of_these_is_consent():
    read = status_reader("subscription_status")
    for value in (*OPTED_OUT_THERE, *NO_VALUE_THERE):
        with pytest.raises(ValueError, match="not a known status"):
            read(value)


consenting = {None, "subscribed", "unknown"}


@pytest.mark.slow
@given(st.text(), st.sampled_from(["subscription_status", "unsubscribed"]))
def test_p5_no_unknown_text_counts_as_consent(text, column):
    try:
        found = status_reader(column)(text)
    except ValueError:
        return
    assert found not in consenting or choice_like(text)


def choice_like(text):
    word = "".join(one for one in text.casefold() if one.isalnum())
    return len(word) < 12


@pytest.mark.parametrize(
    ("action", "asked"), [("unsub", True), ("Unsubscribe", True), ("OPT-OUT", True), ("addnoforce", False)]
)
def test_an_opt_out_by_action_is_one_in_any_spelling(action, asked):
    assert asks_for_opt_out(action) is asked


@pytest.mark.parametrize(
    "column", ["unsubscribed", "Opted Out", "E-mail consent", "status", "email_status", "newsletter", "do_not_mail"]
)
def test_columns_that_tell_of_consent_are_known_by_their_names(column):
    assert looks_like_consent(column)


@pytest.mark.parametrize(
    "column", ["id", "email", "name", "city", "order_status", "visits", "updated_at", "postal_code", "_sdc_batched_at"]
)
def test_other_columns_are_not(column):
    assert not looks_like_consent(column)


OPT_OUT_NAMES = [
    "Abmeldung", "abgemeldet", "ABGEMELDET AM", "Abbestellt", "Widerruf", "D\u00e9sinscrit", "De\u0301sinscrit",
    "desabonne",
    "d\u00e9sabonn\u00e9_le", "ne_pas_contacter", "desinscription", "baja", "Fecha de baja", "fecha_baja",
    "dado-de-baja",
    "desuscrito", "cancelado", "descadastrado", "disiscritto", "disiscrizione", "uitgeschreven", "afgemeld",
    "Afgemeld op",
    "avregistrerad", "avmeldt", "afmeldt", "wypisany", "Wypisana", "STOP", "Stopp", "sms_stop", "DNC", "is_dnc",
    "do_not_mail",
    "doNotMail", "OptOut", "unsubscribed?",
]  # fmt: skip
CONSENT_NAMES = [
    "Einwilligung", "einwilligung_am", "zustimmung", "Zustimmung?", "mail_erlaubt", "Werbung erlaubt", "wants_offers",
    "wantsNews", "consentement", "consentimiento", "consenso", "toestemming", "samtykke", "zgoda", "optin", "DSGVO",
    "nicht_abgemeldet", "nichtAbgemeldet", "non d\u00e9sinscrit",
]  # fmt: skip
USUAL_NAMES = [
    "city", "name", "first_name", "visits", "active?", "is_active", "stop_id", "bus_stop", "stops", "stopped_at",
    "start_stop",
    "baja_california", "trabaja", "prioridad_baja", "dncount", "model", "amount", "wanted", "swants", "zip",
    "country", "phone",
    "birthday", "notes", "company", "total", "Stra\u00dfe", "Ort", "Anrede", "ville", "pr\u00e9nom", "apellido",
    "ciudad",
    "nombre", "cognome", "indirizzo", "woonplaats", "postnummer", "miasto", "created_at", "source", "language",
    "mobile",
    "order_id", "erlaubt", "brodo", "pogoda", "nazwisko",
]  # fmt: skip


def test_p5_columns_named_after_opt_outs_are_known_in_common_languages():
    assert [one for one in OPT_OUT_NAMES if not (tells_opt_outs(one) and looks_like_consent(one))] == []


def test_p5_columns_named_after_consent_are_known_and_yes_is_no_opt_out_in_them():
    assert [one for one in CONSENT_NAMES if tells_opt_outs(one) or not looks_like_consent(one)] == []


def test_usual_columns_are_no_columns_of_consent():
    assert [one for one in USUAL_NAMES if tells_opt_outs(one) or looks_like_consent(one)] == []


# Every route

ANY = COLUMNS | {"subscription_status": {}, "op": {}}


def told(statuses, column="subscription_status"):
    rows = [person(at, name=None, **{column: one}) for at, one in enumerate(statuses)]
    return [schema(columns=ANY), *rows, state(1)]


WORDS = [*UNSUBSCRIBED, *BLANK, *(one for one in UNCLEAR if one == one)]  # noqa: PLR0124 - JSON has no NaN
AFTER = ["unsubscribed"] * len(UNSUBSCRIBED) + ["subscribed"] * (len(WORDS) - len(UNSUBSCRIBED))


@pytest.mark.parametrize("route", ["json", "csv", "contact"])
def test_p5_opt_outs_in_other_words_reach_mailjet(mailjet: Mailjet, route):
    emails = [f"person{at}@example.com" for at in range(len(WORDS))]
    mailjet.sandbox.mailjet.add_contacts([{"email": one, "list": mailjet.list_id} for one in emails])
    result = mailjet.deliver(told(WORDS), route=route, properties=None)
    assert (result.error, result.states) == (None, [1])
    assert result.outcomes["reasons"] == {"bad_subscription_status": len(UNCLEAR) - 1}
    assert mailjet.statuses() == dict(zip(emails, AFTER, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("route", ["import", "direct"])
def test_p5_opt_outs_in_other_words_reach_ses(ses, route):  # noqa: F811
    emails = [f"person{at}@example.com" for at in range(len(WORDS))]
    ses.add(*({"email": one} for one in emails))
    result = ses.deliver(told(WORDS), route=route, properties=None)
    assert result.outcomes["reasons"] == {"bad_subscription_status": len(UNCLEAR) - 1}
    found = {email: one["unsubscribed"] for email, one in ses.contacts().items()}
    assert found == {email: after == "unsubscribed" for email, after in zip(emails, AFTER, strict=True)}


@pytest.mark.parametrize("route", ["import", "direct"])
def test_p5_topics_are_declined_in_usual_words(ses, route):  # noqa: F811
    values = [*YES, *NO, *BLANK, *(one for one in UNCLEAR if one == one)]  # noqa: PLR0124
    columns = COLUMNS | {f"topic_{name}": {} for name in TOPICS}
    rows = [person(at, name=None, topic_News=one) for at, one in enumerate(values)]
    result = ses.deliver([schema(columns=columns), *rows, state(1)], route=route, properties=None)
    assert result.outcomes["reasons"] == {"wrong_type": len(UNCLEAR) - 1}
    wanted = [*[{"News": "OPT_IN"}] * len(YES), *[{"News": "OPT_OUT"}] * len(NO), *[{}] * len(BLANK)]
    found = {email: one["topics"] for email, one in ses.contacts().items()}
    assert found == {f"person{at}@example.com": one for at, one in enumerate(wanted)}


@pytest.mark.parametrize("action", ["unsub", "UNSUB", " Unsub ", "unsubscribe", "Unsubscribed", "opt-out"])
@pytest.mark.parametrize("route", ["json", "contact"])
def test_p5_an_action_column_may_spell_an_opt_out_as_it_likes(mailjet: Mailjet, action, route):
    mailjet.deliver(told([None]), route=route, properties=None)
    assert mailjet.deliver(told([action], "op"), action_column="op", route=route, properties=None).rejects == []
    assert mailjet.statuses() == {"person0@example.com": "unsubscribed"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrong",
    [{"visits": "many"}, {"visits": [1]}, {"city": {"a": 1}}, {"properties": "{"}, {"properties": {"shoe_size": 1}}],
)
def test_p5_nothing_else_that_is_wrong_with_a_row_loses_its_opt_out(mailjet: Mailjet, wrong):
    mailjet.deliver([schema(), person(1)])
    result = mailjet.deliver([schema(), person(1, subscription_status="Unsubscribed", **wrong), person(3), state(1)])
    assert (result.error, result.states) == (None, [1])
    assert mailjet.statuses() == {"person1@example.com": "unsubscribed", "person3@example.com": "subscribed"}
    assert mailjet.deliver([schema(), person(2, **wrong)]).counts() == {"rejected": 1}


@pytest.mark.parametrize("route", ["json", "csv", "contact"])
def test_p4_a_rejected_row_whose_opt_out_was_delivered_counts_once(mailjet: Mailjet, route):
    mailjet.deliver([schema(), person(1)], route=route)
    wrong = person(1, subscription_status="unsubscribed", visits="many")
    result = mailjet.deliver([schema(), wrong, state(1)], route=route)
    assert (result.counts(), result.states, len(result.rejects)) == ({"rejected": 1}, [1], 1)
    assert mailjet.statuses() == {"person1@example.com": "unsubscribed"}


def test_p5_a_flag_of_opt_outs_may_be_mapped_to_the_status(mailjet: Mailjet):
    columns = {"id": {}, "E-mail": {}, "unsubscribed": {}}
    flags = ["yes", "", "no", None, "2026-01-01", "?", "yes, by phone", 45356, "Mar 5, 2024", "n/a"]
    rows = [{"id": at, "E-mail": f"person{at}@example.com", "unsubscribed": one} for at, one in enumerate(flags)]
    messages = [schema(columns=columns), *({"type": "RECORD", "stream": "people", "record": one} for one in rows)]
    mapping = {"email": "E-mail", "subscription_status": "unsubscribed"}
    result = mailjet.deliver(messages, mapping=mapping, properties=None)
    assert result.outcomes["reasons"] == {"bad_subscription_status": 1}
    assert [mailjet.statuses().get(f"person{at}@example.com") for at in range(10)] == [
        "unsubscribed", "subscribed", "subscribed", "subscribed", "unsubscribed", None,
        "unsubscribed", "unsubscribed", "unsubscribed", "subscribed",
    ]  # fmt: skip
