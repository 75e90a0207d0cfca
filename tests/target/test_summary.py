"""The end of a run is told in a sentence for people, with fields for machines."""

from __future__ import annotations

import json
import logging

import pytest
from singer_sdk.logging import StructuredFormatter

from target_mailing.checkpoint import Ledger
from target_mailing.outcomes import Outcome, Outcomes
from target_mailing.summary import totals, totals_sentence
from tests.target.conftest import people, person, schema, state


def outcomes_of(ends):
    outcomes = Outcomes(Ledger())
    line = 0
    for outcome, code, count in ends:
        for _ in range(count):
            line += 1
            outcomes.settle([line], outcome, code)
    return outcomes


@pytest.mark.parametrize(
    ("ends", "batches", "sentence"),
    [
        ([], {}, "0 rows"),
        ([(Outcome.DELIVERED, None, 1)], {"batches": 1}, "1 row: 1 delivered"),
        (
            [
                (Outcome.REJECTED, "bad_address", 7),
                (Outcome.WITHHELD, "pending", 18),
                (Outcome.DELIVERED, None, 5),
                (Outcome.UNCHANGED, None, 165),
            ],
            {},
            "195 rows: 165 unchanged, 5 delivered, 18 withheld (pending), 7 rejected (bad_address)",
        ),
        (
            [(Outcome.REJECTED, "wrong_type", 1), (Outcome.REJECTED, "bad_address", 2)],
            {},
            "3 rows: 3 rejected (2 bad_address, 1 wrong_type)",
        ),
        # Stream maps leave rows out without a code.
        (
            [(Outcome.SKIPPED, None, 2), (Outcome.SKIPPED, "no_address", 1)],
            {"resumed": 1, "adopted": 2, "resubmitted": 3},
            (
                "3 rows: 3 skipped (1 no_address); 1 batch of an earlier run followed; 2 jobs found again; "
                "3 rows sent again"
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
        "reasons": {},
        **dict.fromkeys(("batches", "resumed", "adopted", "resubmitted"), 0),
    }


def test_a_run_says_the_sentence_and_a_structured_log_has_the_fields_beside_it(mailjet, caplog):
    caplog.set_level(logging.INFO)
    mailjet.deliver([schema(), *people(range(5)), person(5, email="nobody"), state(1)])
    (record,) = [one for one in caplog.records if hasattr(one, "outcomes")]
    assert record.getMessage() == "6 rows: 5 delivered, 1 rejected (bad_address)"
    line = json.loads(StructuredFormatter().format(record))
    assert line["message"] == record.getMessage()
    fields = line["extra"]["outcomes"]
    assert (fields["rows"], fields["delivered"], fields["reasons"]) == (6, 5, {"bad_address": 1})
    assert "{" not in line["message"]
