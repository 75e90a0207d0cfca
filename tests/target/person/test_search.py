"""What `--explain` and `--erase` find of one person is the same, whatever the spelling and the key."""

from __future__ import annotations

import re
import shutil

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mailing_api.errors import ConfigurationError
from tests.target.conftest import COLUMNS, person, schema, state
from tests.target.erase.erasing import asked_to_erase
from tests.target.explain.answers import answer

PUNYCODE = "bo@xn--bcher-kva.example"
SPELLINGS = ["bo@bücher.example", PUNYCODE, "Bo <BO@Bücher.Example>", " bo@BÜCHER.example ", "BO@XN--BCHER-KVA.example"]
OTHERS = ["ada@example.com", "old@example.com", "new@example.com", "a@example.com", "b@example.com", "none@example.com"]
KEYS = ["1", "[1]", "1.0", '"1"', '[{"of": 7}]', "4", "5", "6", "7", "8", "9", "[1, 2]", "1/2"]
STREAMS = ["", "\npeople", "\nclients", "\nothers"]


@pytest.fixture
def known(mailjet):
    """People with all kinds of keys, some of whose rows were rejected."""
    columns = COLUMNS | {"id": {"type": ["integer", "object", "string", "array"]}}
    del columns["_sdc_deleted_at"]  # else no key stands for several people

    def deliver(*rows):
        assert mailjet.deliver([schema(columns=columns), *rows, state(1)]).error is None

    deliver(
        person(1, email=SPELLINGS[0]),
        person({"of": 7}, email="ada@example.com"),
        person(4, email="old@example.com"),
        person(7, email="a@example.com"),
        person(7, email="b@example.com"),
    )
    deliver(person(4, email="new@example.com"))
    deliver(
        person(1, email=PUNYCODE, visits="many"),
        person("1", visits=f"as <{SPELLINGS[0].upper()}>"),
        person({"of": 7}, email="no address"),
        person(4, email="new@example.com", visits="many"),
        person(7, email="a@example.com", visits="many"),
        person(8, email=None, visits="many"),
        person(9, email="none@example.com", visits="many"),
    )
    deliver(person(9, email="not an address"), person(6, email=PUNYCODE, visits="often"))
    clients = [person(1, stream="clients", email="client@example.com"), person(4, stream="clients", email="none")]
    assert mailjet.deliver([schema("clients"), *clients, state(1)]).error is None
    return mailjet


def told_by_explain(account, text: str) -> tuple[int, int, int]:
    """Open rejects, records in rejects files, and outcomes."""
    said = answer(account, text)
    opened, _, others = said.partition("open rejects")[2].partition("last outcomes")[0].partition("other rejects")
    return (
        len(re.findall(r"\((?:rejects-|in the journal)", opened)),
        len(re.findall(r"\(rejects-", opened + others)),
        len(re.findall(r"Z?, stream '\w+': \w+", said.partition("last outcomes")[2])),
    )


def told_by_erase(account, text: str) -> tuple[int, int, int]:
    """The same of an erasure to which nobody says yes."""
    out, error = asked_to_erase(account, text, yes=False)
    assert error is None or isinstance(error, ConfigurationError)
    said = " ".join(out.split())

    def number(pattern: str) -> int:
        count = re.search(pattern, said)
        return int(count[1]) if count else 0

    return number(r"(\d+) open reject"), number(r"(\d+) records? in \d+ file"), number(r"the key in (\d+) outcome")


@pytest.mark.slow
@pytest.mark.parametrize("has_files", [True, False])
def test_explain_and_erase_find_the_same(known, monkeypatch, has_files):
    monkeypatch.setattr("target_mailing.erase.erase.is_confirmed", lambda _: False)
    monkeypatch.setattr("target_mailing.explain.answer.MOST", 100)
    monkeypatch.setattr("target_mailing.explain.explain.MOST", 100)
    if not has_files:  # as in a container that is gone
        shutil.rmtree(known.folder / "rejects")

    @given(st.sampled_from(SPELLINGS + OTHERS + KEYS), st.sampled_from(STREAMS))
    @example(PUNYCODE, "")
    @example('[{"of": 7}]', "\npeople")
    @example("7", "")
    @example("4", "")
    @settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def alike(text: str, stream: str) -> None:
        assert told_by_explain(known, text + stream) == told_by_erase(known, text + stream)

    alike()
    of_bo = {told_by_explain(known, one) for one in SPELLINGS}
    assert len(of_bo) == 1
    (opened, written, outcomes) = of_bo.pop()
    assert opened == 3  # by key, by another key with the address, and by the address in another column
    assert written == (3 if has_files else 0)
    assert outcomes == 4  # also that of the key that is only known by the address of its reject
