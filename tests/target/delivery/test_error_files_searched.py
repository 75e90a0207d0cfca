"""Jobs with odd addresses and error files of odd shapes: nobody good is rejected, and nobody refused is delivered."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from mailing_sandbox.server import Sandbox
from tests.searching import examples
from tests.target.conftest import LIST, Mailjet, person, schema, state

pytestmark = pytest.mark.machine

#: What a local part may have without quotes.
ATOMS = "!#$%&'*+-/=?^_`{|}~ao"
local_parts = st.text(st.sampled_from(ATOMS), min_size=1, max_size=5).filter(lambda text: text[0] not in "'`{")
shapes = st.sampled_from(["list", "nested", "text", "missing", "empty"])
#: Shrinking takes a run for each step.
PHASES = [Phase.explicit, Phase.generate]
WORDS = "Contact could not be imported"


@st.composite
def files(draw, refused, others):
    """An error file that tells of the refused, with whatever else stands in it."""
    entries = []
    for one in refused:
        bystander = draw(st.sampled_from([*others, "somebody@else.test"]))
        entries.append(
            draw(
                st.sampled_from(
                    [
                        {"Email": one, "Error": WORDS},
                        {"Email": one, "Properties": {"city": bystander}, "Error": WORDS},
                        {
                            "Contact": {"Email": one, "Name": bystander},
                            "Errors": [f"{WORDS}, like that of {bystander}"],
                        },
                        {"Email": one, "DuplicateOf": bystander, "Message": WORDS},
                        {"Error": f'{WORDS}: "{one}".'},
                        f"{one}: {WORDS} as {bystander}",
                        [one, f"{WORDS} as {bystander}"],
                    ]
                )
            )
        )
    echo = [{"Email": one} for one in (*refused, *others)]
    return draw(
        st.sampled_from(
            [
                json.dumps(entries),
                json.dumps({"Contacts": entries, "Total": len(entries)}),
                json.dumps({"Errors": entries}),
                json.dumps({"Error": WORDS, "Contacts": echo}),
                json.dumps(echo),
                "\n".join(one if isinstance(one, str) else json.dumps(one) for one in entries),
                WORDS,
                "[" * 2000,
            ]
        )
    )


def deliver(folder, emails, refused, route, *, shape="list", content=None):
    with Sandbox(job_seconds=0, switches={"error_file": shape}) as sandbox:
        sandbox.mailjet.add_list(LIST)
        sandbox.mailjet.add_property("city")
        sandbox.mailjet.refuse(refused)
        if content is not None:
            sandbox.faults.add(kind="status", status=200, content=content, path="*JSONError*", times=None)
        config = {
            "mailjet_api_key": sandbox.api_key, "mailjet_secret_key": sandbox.secret_key,
            "mailjet_base_url": sandbox.url, "list": LIST, "properties": ["city"], "route": route,
            "journal": str(folder / "journal.sqlite"), "poll_interval": 0.01, "poll_max_interval": 0.02,
            "max_rejected": "100%",
        }  # fmt: skip
        mailjet = Mailjet(sandbox, folder, config)
        rows = [person(number, email=email, name=None) for number, email in enumerate(emails)]
        result = mailjet.deliver([schema(), *rows, state({"n": 1})])
        assert result.error is None
        assert result.states == [{"n": 1}]
        assert {reject["record"]["email"] for reject in result.rejects} == set(refused)
        assert set(mailjet.statuses()) == set(emails) - set(refused)
        # Twice what finding each of them by halves takes.
        assert sum(sandbox.counters.calls.values()) <= 20 + 24 * max(1, len(refused)) + 3 * len(emails)


batches = st.lists(local_parts.map("{}@example.com".format), min_size=2, max_size=8, unique=True)


@pytest.mark.slow
@pytest.mark.parametrize("route", ["json", "csv"])
@settings(max_examples=examples(4, 60), phases=PHASES)
@given(batches, shapes, st.data())
def test_p4_only_those_are_rejected_that_mailjet_refused_whatever_their_characters(route, emails, shape, data):
    refused = data.draw(st.lists(st.sampled_from(emails), max_size=2, unique=True))
    with tempfile.TemporaryDirectory() as folder:
        deliver(Path(folder), emails, refused, route, shape=shape)


@pytest.mark.slow
@settings(max_examples=examples(8, 120), phases=PHASES)
@given(batches, st.data())
def test_p4_only_those_are_rejected_that_mailjet_refused_whatever_its_error_file_holds(emails, data):
    refused = data.draw(st.lists(st.sampled_from(emails), min_size=1, max_size=2, unique=True))
    content = data.draw(files(refused, [one for one in emails if one not in refused]))
    with tempfile.TemporaryDirectory() as folder:
        deliver(Path(folder), emails, refused, "json", content=content)
