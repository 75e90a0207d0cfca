"""Addresses: what is sent, what is compared, and what no mail server accepts."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailing_api.addresses import (
    check_address,
    fold_address,
    fold_addresses,
    is_reachable,
    odd_addresses,
    other_spelling,
    sent_address,
)

#: Characters without a visible form, of every kind.
HIDDEN = [
    "\u00ad",
    "\u034f",
    "\u061c",
    "\u115f",
    "\u180e",
    "\u200b",
    "\u200c",
    "\u200d",
    "\u200e",
    "\u200f",
    "\u202a",
    "\u202e",
    "\u2060",
    "\u2064",
    "\u2066",
    "\u206f",
    "\u2800",
    "\U00016fe4",
    "\U0001d159",
    "\u3164",
    "\ufe0f",
    "\ufeff",
    "\uffa0",
    "\ufff9",
    "\U000e0001",
    "\U000e0061",
    "\x00",
    "\x08",
    "\x1f",
    "\x7f",
    "\x80",
    "\x9f",
]
#: Other spellings of `ada@example.com`.
SPELLINGS = [
    " ada@example.com ",
    "\u00a0ada@example.com\u2003",
    "ADA@EXAMPLE.COM",
    "ada@example.com.",
    "ada @ example.com",
    "\uff41\uff44\uff41\uff20\uff45\uff58\uff41\uff4d\uff50\uff4c\uff45\uff0e\uff43\uff4f\uff4d",
    "ada@example\u3002com",
    "ada@example\uff61com",
    "\u24d0da@example.com",
    "ada@e\U0001d465ample.com",
    "<ada@example.com>",
    "(ada@example.com)",
    "[ada@example.com]",
    '"ada@example.com"',
    "'ada@example.com'",
    "'ada@example.com",
    "`ada@example.com`",
    "\u201cada@example.com\u201d",
    "\u201eada@example.com\u201c",
    "\u00abada@example.com\u00bb",
    "mailto:ada@example.com",
    "MAILTO:ada@example.com?subject=Hi",
    "Ada Lovelace <ada@example.com>",
    '"Lovelace, Ada" <ada@example.com>',
    "<mailto:ada@example.com>",
    '"ada"@example.com',
    "'Ada Lovelace <ada@example.com>'",
    "(Ada Lovelace <Ada <ada@example.com>>).",
    "Ada Lovelace <<ada@example.com>>",
    "ada@example.com..",
]


@pytest.mark.parametrize("hidden", HIDDEN, ids=lambda one: f"U+{ord(one):04X}")
def test_a_hidden_character_anywhere_makes_no_other_address(hidden):
    for place in range(len("ada@example.com") + 1):
        spelling = "ada@example.com"[:place] + hidden + "ada@example.com"[place:]
        assert sent_address(spelling) == "ada@example.com"
        assert fold_address(spelling) == "ada@example.com"


def test_every_format_character_is_hidden():
    for one in filter(lambda one: unicodedata.category(one) == "Cf", map(chr, range(0x110000))):
        assert fold_address(f"ad{one}a@exam{one}ple.com") == "ada@example.com", f"U+{ord(one):04X}"


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_other_spellings_of_a_mailbox_are_taken_as_it(spelling):
    assert sent_address(spelling).lower() == "ada@example.com"
    assert fold_address(spelling) == "ada@example.com"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada@m\u00fcnchen.example", "ada@xn--mnchen-3ya.example"),
        ("ada@M\u00dcNCHEN.example", "ada@XN--MNCHEN-3YA.example"),
        ("ada@mu\u0308nchen.example", "ada@m\u00fcnchen.example"),
        ("jose\u0301@example.com", "jos\u00e9@example.com"),
        ("\ufb01sh@example.com", "fish@example.com"),
        ("ada@\ufb01sh.example", "ada@fish.example"),
        ("\u0391\u03a3@example.com", "\u03b1\u03c2@example.com"),
        ("\u0391\u03a3@example.com", "\u03b1\u03c3@example.com"),
    ],
)
def test_unicode_has_several_forms_of_one_address(one, other):
    assert fold_address(one) == fold_address(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a.b@example.com", "ab@example.com"),
        ("ada+news@example.com", "ada@example.com"),
        ("stra\u00dfe@example.com", "strasse@example.com"),
        ("ada@stra\u00dfe.example", "ada@strasse.example"),
        ("\u0430da@example.com", "ada@example.com"),
        ("o'brien@example.com", "obrien@example.com"),
        ("a-b@example.com", "ab@example.com"),
    ],
)
def test_mailboxes_that_differ_stay_different(one, other):
    assert fold_address(one) != fold_address(other)


ordinary = st.from_regex(
    r"[A-Za-z0-9_+'-]{1,9}(\.[A-Za-z0-9&=]{1,9}){0,2}@([A-Za-z0-9]{1,9}\.){1,3}[A-Za-z]{2,5}", fullmatch=True
)


@pytest.mark.slow
@given(ordinary.filter(lambda one: not one.startswith("'")))
def test_an_ordinary_address_is_sent_as_given_and_compared_in_lower_case(address):
    local, _, domain = address.rpartition("@")
    assert sent_address(address) == f"{local}@{domain.lower()}"
    assert fold_address(address) == address.lower()


@given(st.lists(st.one_of(ordinary, st.text("aZ1.-_@\n", min_size=3), st.just("a@b.co\nc@d.co")), max_size=3))
def test_many_addresses_are_compared_as_each_of_them(addresses):
    assert fold_addresses(addresses) == [fold_address(one) for one in addresses]
    for one in {*addresses} - {*odd_addresses(addresses)}:
        local, _, domain = one.rpartition("@")
        assert sent_address(one) == f"{local}@{domain.lower()}"
        check_address(one, ascii_only=True)
        assert other_spelling(sent_address(one)) is None


def test_one_odd_address_among_many_is_found():
    many = [f"person.{number}@example.com" for number in range(300)]
    assert {*odd_addresses([*many, "o'brien@example.com", *many])} == {"o'brien@example.com"}
    assert not odd_addresses(many)
    assert fold_addresses([*many, "Ada@stra\u00dfe.example"])[-1] == fold_address("Ada@stra\u00dfe.example")


odd = st.text(st.one_of(st.sampled_from("ab@.<>\"'()\\ :" + "".join(HIDDEN)), st.characters(exclude_categories=["Cs"])))
around = st.builds(lambda a, b, c, d: f"{a}ada{b}@exa{c}mple.com{d}", odd, odd, odd, odd)


@given(st.one_of(odd, around))
def test_any_text_is_cleaned_once_and_compared_the_same_before_and_after(text):
    folded = fold_address(text)
    try:
        sent = sent_address(text)
    except ValueError:
        return
    assert sent_address(sent) == sent
    assert fold_address(sent) == folded
    assert fold_address(folded) == folded


@given(st.text())
def test_a_check_says_yes_or_no_to_any_text(text):
    try:
        check_address(text)
    except ValueError:
        return
    assert sent_address(text)


@pytest.mark.parametrize(
    "address",
    [
        "ada@example,com",
        "ada@example.com,",
        "ada@example.com;",
        "a;b@example.com",
        "a,b@example.com",
        "ada@example",
        "ada@localhost",
        "ada@example..com",
        "ada@.example.com",
        "ada@-example.com",
        ".ada@example.com",
        "ada.@example.com",
        "a..da@example.com",
        "a da@example.com",
        "ada@exam ple.com",
        "ada@[192.0.2.1]",
        "ada@192.0.2.1",
        "ada@exam_ple.com",
        '"a da"@example.com',
        "ada(home)@example.com",
        "a" * 65 + "@example.com",
        "ada@" + "a" * 64 + ".com",
        "ada@" + "a." * 130 + "com",
        "ad\ufffda@example.com",
        "ada@xn--abc.example",
        "ada\\@example.com",
        "a:b@example.com",
    ],
)
def test_what_no_mail_server_accepts_is_refused(address):
    with pytest.raises(ValueError, match=" "):
        check_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "ada@example.com",
        "Ada.Lovelace+news@mail.example.co.uk",
        "o'brien@example.ie",
        "a/b=c&d@example.com",
        "x@b.test",
        "ada@host.local",
        "ada@a.localhost",
        "ada@x.invalid",
        "1@2.museum",
        "ada@a--b.example",
        "ada@xn--mnchen-3ya.example",
        "ada@m\u00fcnchen.example",
        "jos\u00e9@example.com",
        "\u7528\u6237@\u4f8b\u5b50.\u5e7f\u544a",
        "-ada-@example.com",
        "a" * 64 + "@example.com",
    ],
)
def test_what_mail_servers_accept_is_accepted_whatever_the_name(address):
    check_address(address)


def test_letters_beyond_ascii_are_refused_where_they_are_not_taken():
    check_address("ada@m\u00fcnchen.example", ascii_only=True)
    with pytest.raises(ValueError, match="not supported"):
        check_address("jos\u00e9@example.com", ascii_only=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "nobody",
        "@",
        "ada@",
        "@example.com",
        "a@b@example.com",
        "n/a",
        "a" * 700 + "@example.com",
        "\ud800@example.com",
    ],
)
def test_what_has_not_the_shape_of_an_address_is_none(text):
    with pytest.raises(ValueError, match="e-mail address"):
        sent_address(text)
    assert fold_address(text) == text.lower()


@pytest.mark.parametrize(
    ("address", "reachable"),
    [
        ("ada@example.com", True),
        ("ada@example.test", True),
        ("erased-1@erased.invalid", False),
        ("gone@localhost", False),
        ("gone@a.localhost", False),
        ("gone@erased", False),
    ],
)
def test_an_erased_address_is_nobodys(address, reachable):
    assert is_reachable(address) is reachable


@pytest.mark.parametrize(
    ("address", "other"),
    [
        ("ada@m\u00fcnchen.example", "ada@xn--mnchen-3ya.example"),
        ("Ada@a.xn--mnchen-3ya.example", "Ada@a.m\u00fcnchen.example"),
        ("ada@example.com", None),
        ("xn--ada@example.com", None),
        ("\u7528@example.com", None),
        ("ada@xn--abc.example", None),
        ("0123456789abcdef", None),
    ],
)
def test_a_domain_beyond_ascii_has_two_forms(address, other):
    assert other_spelling(address) == other
    assert other is None or (other_spelling(other) == address and fold_address(other) == fold_address(address))


def test_letters_with_marks_have_two_forms():
    assert other_spelling("jos\u00e9@example.com") == "jose\u0301@example.com"
