"""The entries of `streams` and `stream_maps` are checked before anything is sent."""

from __future__ import annotations

import pytest

from tests.target.conftest import person, schema, state

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            {"streams": {"crm": {"people": {"action": "unsub"}}}},
            r"`streams.crm` cannot contain 'people'. .*'crm.people' write `crm\?people`",
        ),
        ({"streams": {"a": {"b": {"people": {"list": "x"}}}}}, "'a.b.people' write `a.b.people`"),
        ({"streams": {"crm": None}}, r"`streams.crm` is empty, and stream 'crm.people' has no entry"),
        ({"streams": {"crm": {}}}, r"`streams.crm` is empty, and stream 'crm.people' has no entry"),
        ({"streams": {"other": {"acton": "unsub"}}}, r"`streams.other` cannot contain 'acton'"),
        ({"streams": {"other": {"batch_rows": 0}}}, "`batch_rows`"),
        ({"streams": {"other": 5}}, r"`streams.other` must be an object"),
        ({"stream_maps": {"__else__": "__NULL_STREAM__"}}, r"`stream_maps.__else__` must be null or `__NULL__`"),
        ({"stream_maps": {"crm": {"people": {"city": "name"}}}}, r"write `crm\?people`"),
        ({"job_timeout": "P99999999999999Y"}, "`job_timeout`"),
        ({"job_timeout": 1e30}, "`job_timeout`"),
    ],
)  # fmt: skip
def test_p9_a_wrong_entry_is_named_and_nothing_is_sent(mailjet, config, said):
    import re

    from target_mailing.target import TargetMailing

    try:
        TargetMailing(config=mailjet.settings(**config))
    except Exception as exc:  # noqa: BLE001
        error = " ".join([str(exc), *getattr(exc, "errors", ())])
    else:
        result = mailjet.deliver([schema("crm.people"), person(1, stream="crm.people"), state(1)], **config)
        assert result.states == []
        error = str(result.error)
    assert re.search(said, error), error
    assert mailjet.received() == []


def test_an_entry_whose_question_marks_stand_for_dots_fits(mailjet):
    rows = [schema("crm.people"), person(1, stream="crm.people"), state(1)]
    result = mailjet.deliver(rows, streams={"crm?people": {"action": "unsub"}})
    assert (result.error, result.states) == (None, [1])


def test_a_name_of_digits_is_told_to_be_an_id(mailjet):
    mailjet.sandbox.mailjet.add_list("2025")
    result = mailjet.deliver([schema(), person(1), state(1)], list="2025")
    assert "no list with the ID 2025. A number is always an ID" in str(result.error)
    assert result.states == []
