"""The end of a run is told in a sentence for people, with fields for machines."""

from __future__ import annotations

import json
import logging

import pytest
from singer_sdk.logging import StructuredFormatter

from target_mailing.contacts.effects import Effect
from target_mailing.delivery.checkpoints import Ledger
from target_mailing.delivery.outcomes import Outcomes
from target_mailing.delivery.summary import totals, totals_sentence
from target_mailing.rows.outcome import Outcome
from tests.target.conftest import COLUMNS, LIST, people, person, reader, readers, schema, state
from tests.target.delivery.test_reruns import deleted
from tests.target.postgrid.conftest import household, households, postgrid  # noqa: F401 - a fixture
from tests.target.ses.conftest import _no_aws_of_this_machine, bare, ses  # noqa: F401 - fixtures


def outcomes_of(ends):
    outcomes = Outcomes(Ledger())
    line = 0
    for outcome, code, count in ends:
        for _ in range(count):
            line += 1
            outcomes.at("").settle_all([([line], outcome, code)])
    return outcomes


@pytest.mark.parametrize(
    ("ends", "batches", "sentence"),
    [
        ([], {}, "0 rows"),
        ([(Outcome.DELIVERED, Effect.REMOVED, 1)], {"batches": 1}, "1 row: 1 delivered (removed)"),
        (  # whichever job ended first
            [(Outcome.DELIVERED, Effect.REMOVED, 1), (Outcome.DELIVERED, Effect.ADDED_OR_UPDATED, 1)],
            {},
            "2 rows: 2 delivered (1 added or updated, 1 removed)",
        ),
        (
            [
                (Outcome.REJECTED, "bad_address", 7),
                (Outcome.WITHHELD, "pending", 18),
                (Outcome.DELIVERED, Effect.REMOVED, 2),
                (Outcome.DELIVERED, Effect.ADDED_OR_UPDATED, 3),
                (Outcome.UNCHANGED, None, 165),
            ],
            {},
            (
                "195 rows: 165 unchanged, 5 delivered (3 added or updated, 2 removed), 18 withheld (pending), "
                "7 rejected (bad_address)"
            ),
        ),
        (
            [(Outcome.REJECTED, "wrong_type", 1), (Outcome.REJECTED, "bad_address", 2)],
            {},
            "3 rows: 3 rejected (2 bad_address, 1 wrong_type)",
        ),
        (
            [(Outcome.REJECTED, "wrong_type", 1), (Outcome.REJECTED, "bad_address", 1)],
            {},
            "2 rows: 2 rejected (1 bad_address, 1 wrong_type)",
        ),
        (
            [(Outcome.UNCHANGED, None, 60)],
            {"rows_held": 40, "rows_without_outcome": 3, "removals_held": 39},
            ("103 rows: 60 unchanged, 40 held back, 3 without an outcome; 39 removals held back by `max_removals`"),
        ),
        # Stream maps leave rows out without a code.
        (
            [(Outcome.SKIPPED, None, 2), (Outcome.SKIPPED, "no_address", 1)],
            {"resumed": 1, "adopted": 2, "resubmitted": 3},
            (
                "3 rows: 3 skipped (1 no_address); 1 batch of an earlier run resumed; "
                "2 jobs found after their replies were lost; 3 rows sent again"
            ),
        ),
    ],
)
def test_the_sentence_leaves_out_what_did_not_happen(ends, batches, sentence):
    assert totals_sentence(outcomes_of(ends), batches) == sentence


def test_the_fields_name_everything_always():
    assert totals(outcomes_of([]), {}) == {
        "rows": 0,
        **dict.fromkeys(("rejected", "withheld", "delivered", "unchanged", "superseded", "skipped"), 0),
        "effects": {},
        "reasons": {},
        "former_removed": 0,
        "absent_delivered": 0,
        "absent_withheld": 0,
        "absent_rejected": 0,
        "absent_unsubscribed": 0,
        "opt_outs_obeyed": 0,
        **dict.fromkeys(("batches", "resumed", "adopted", "resubmitted", "removals_held", "rows_held"), 0),
        "rows_without_outcome": 0,
    }


def test_a_run_says_the_sentence_and_a_structured_log_has_the_fields_beside_it(mailjet, caplog):
    caplog.set_level(logging.INFO)
    mailjet.deliver([schema(), *people(range(5)), person(5, email="nobody"), state(1)])
    (record,) = [one for one in caplog.records if hasattr(one, "outcomes")]
    assert record.getMessage() == "6 rows: 5 delivered (added or updated), 1 rejected (bad_address)"
    line = json.loads(StructuredFormatter().format(record))
    assert line["message"] == record.getMessage()
    fields = line["extra"]["outcomes"]
    assert (fields["rows"], fields["delivered"], fields["reasons"]) == (6, 5, {"bad_address": 1})
    assert fields["effects"] == {"added_or_updated": 5}
    assert "{" not in line["message"]


def test_what_was_done_is_told_apart(mailjet):
    mailjet.deliver([schema(), *people(range(4)), state(1)])
    opted_out = {"subscription_status": "unsubscribed"}
    rows = [person(0, **opted_out), deleted(1), deleted(2), person(3, email="moved@example.com"), person(4)]
    result = mailjet.deliver([schema(), *rows, state(2)])
    # A changed address is one row, though the old one is taken off for it.
    assert result.outcomes["effects"] == {"added_or_updated": 2, "removed": 2, "unsubscribed": 1}
    assert result.outcomes["former_removed"] == 1
    assert result.log.count("; 1 former address removed") == 1
    excluded = mailjet.deliver([schema(), person(5), state(3)], action="excludemarketing", route="csv")
    assert excluded.outcomes["effects"] == {"excluded": 1}


@pytest.mark.parametrize("route", ["json", "csv", "contact"])
def test_former_addresses_that_are_removed_are_counted(mailjet, route):
    mailjet.deliver([schema(), *readers(range(5)), state(1)], route=route)
    moved = [reader(number, email=f"moved{number}@example.com") for number in range(3)]
    mailjet.opt_out("person2@example.com")  # whose address stays
    result = mailjet.deliver([schema(), *moved, deleted(3), reader(4), state(2)], route=route)
    assert (result.outcomes["former_removed"], result.outcomes["rows"]) == (2, 5)
    assert "; 2 former addresses removed" in result.log
    again = mailjet.deliver([schema(), *moved, reader(4), state(3)], route=route)
    assert again.outcomes["former_removed"] == 0
    kept = mailjet.deliver([schema(), reader(4, email="new@example.com")], route=route, on_key_change="keep")
    assert kept.outcomes["former_removed"] == 0


@pytest.mark.parametrize("route", ["import", "direct"])
def test_so_are_those_at_ses(ses, route):  # noqa: F811
    ses.deliver([schema(), person(1), state(1)], route=route)
    result = ses.deliver([schema(), person(1, email="moved@example.com"), state(2)], route=route)
    assert result.outcomes["former_removed"] == 1
    assert ses.contacts().keys() == {"moved@example.com"}


def test_so_are_the_former_contacts_at_postgrid(postgrid):  # noqa: F811
    postgrid.deliver([households(), household(1), state(1)])
    result = postgrid.deliver([households(), household(1, address_line1="9 New Street"), state(2)])
    assert (result.counts(), result.outcomes["former_removed"]) == ({"delivered": 1}, 1)


def test_a_line_of_several_delivered_rows_has_the_effect_that_matters_most():
    outcomes = Outcomes(Ledger())
    outcomes.expect(1, 3)
    for effect in (Effect.REMOVED, Effect.ADDED_OR_UPDATED, Effect.LOOKED_UP):
        outcomes.at("").settle_alike([1], Outcome.DELIVERED, effect)
    assert outcomes.codes_of(Outcome.DELIVERED) == {Effect.ADDED_OR_UPDATED: 1}
    assert outcomes.codes == {}


def test_contact_by_contact_whom_the_account_did_not_have_is_told_as_added(mailjet):
    mailjet.sandbox.mailjet.add_contacts([{"email": "person1@example.com"}])
    lists = {"type": ["array", "null"]}
    rows = [*people((1, 2)), person(3, lists=[{"list": LIST, "action": "unsub"}])]
    result = mailjet.deliver([schema(columns=COLUMNS | {"lists": lists}), *rows, state(1)], route="contact")
    assert result.outcomes["effects"] == {"added_or_updated": 1, "added": 1, "unsubscribed": 1}
