"""Whether a value mentions an address, in whatever spelling, and not only a longer one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailing_api.addresses import fold_address
from target_mailing.person.mentions import Mentions

BO = Mentions({"bo@example.com"}, [])

MENTIONED = [
    "bo@example.com", " BO@Example.com ", "Bo <bo@example.com>", "mailto:bo@example.com", "call bo@example.com!",
    "*bo@example.com*", "dash bo@example.com\u2013x", "https://x.example/?e=bo@example.com&y=1",
    "name=bo@example.com;x", "see #bo@example.com", "enc%bo%40example.com", "bo%40example.com", "bo&#64;example.com",
    "x " * 900 + "bo@example.com please", "'bo@example.com' is wrong", "bo@example.com's",
    "al@example.com,bo@example.com",
    "bo\uff20example.com", "b\u200bo@example.com", "bo@example.com.", "...bo@example.com",
    "an address: bo@example.com\n",
    "to \u5bc4\u4fe1bo@example.com\u3055\u3093",
    {"deep": [{"mail": "to bo@example.com"}]}, {"bo@example.com": 1},
]  # fmt: skip
OTHERS = [
    "jumbo@example.com", "x.bo@example.com", "x-bo@example.com", "x+bo@example.com", "o'bo@example.com",
    "a/bo@example.com", "x|bo@example.com", "see jumbo@example.com", "see o'bo@example.com now", "bo@example.com.au",
    "to bo@example.com.au", "to bo@example.community", "to bo@example.com-pany.org", "bo example.com", "@", 7, None,
    ["x@example.com"], "bo@sub.example.com",
]  # fmt: skip


@pytest.mark.parametrize("value", MENTIONED)
def test_an_address_is_found_wherever_it_stands(value):
    assert BO.among(value)
    assert BO.among({"note": value, "other": 1})


@pytest.mark.parametrize("value", OTHERS)
def test_a_longer_address_is_another_one(value):
    assert not BO.among(value)


@pytest.mark.parametrize("address", ["o'brien@example.com", "a/b@example.com", "x|y@example.com", '"q u"@example.com'])
def test_an_address_with_special_characters_is_only_itself(address):
    own = Mentions({address}, [])
    assert own.among(address)
    assert own.among(f"to {address}, please")
    short = address.strip('"').replace("'", "|").replace("/", "|").replace(" ", "|").rpartition("|")[2].replace('"', "")
    assert not Mentions({short}, []).among(address)


@pytest.mark.parametrize("spelled", ["bo@b\u00fccher.example", "BO@xn--bcher-kva.example"])
def test_both_forms_of_a_domain_are_found(spelled):
    own = Mentions({fold_address("bo@b\u00fccher.example")}, [])
    assert own.among(spelled)
    assert own.among(f"ask {spelled}!")


@given(before=st.text(st.characters(exclude_characters="@")), after=st.text(st.characters(exclude_characters="@")))
def test_what_is_found_in_any_string_does_not_depend_on_what_stands_far_away(before, after):
    text = f"{before} bo@example.com {after}"
    assert BO.among(text)
    assert BO.in_bytes(json.dumps({"note": "BO@example.com"}).encode())


@given(
    value=st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_any_value_may_be_searched(value):
    BO.among(value)
    assert not BO.is_address(value)


@pytest.mark.parametrize("known", ["bo@ex\u00e4mple.com", "bo@xn--exmple-cua.com"])
@pytest.mark.parametrize("domain", ["ex\u00e4mple.com", "xn--exmple-cua.com", "exa\u0308mple.com"])
def test_both_forms_of_a_domain_are_found_whichever_is_known(known, domain):
    own = Mentions({fold_address(known)}, [])
    assert own.among(f"to BO@{domain}!")
    assert not own.among(f"to jumbo@{domain}!")


def test_an_address_whose_domain_is_none_is_found_as_it_is():
    assert Mentions({"bo@\u00fc..com"}, []).among("bo@\u00fc..com")
