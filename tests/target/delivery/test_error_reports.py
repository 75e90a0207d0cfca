"""Error files of any form: the rows of a batch that they name, and no other; in doubt nobody."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailing_api.addresses import fold_address
from target_mailing.delivery.error_reports import refused_rows
from target_mailing.delivery.named_addresses import NamedAddresses

ADA, BOB = "ada@example.com", "bob@example.com"
WORDS = "Property type does not match definition"
#: Characters at which texts are cut, or that a local part may have.
ODD = [*"!#$%&'*+-/=?^_`{|}~.,;:<>()[]\\\"", "é"]


def named(content, *emails, **options):
    text = content if isinstance(content, str) else json.dumps(content)
    return refused_rows(text.encode(), NamedAddresses(emails or (ADA, BOB, "cleo@example.com")), **options)


FORMS = {
    "a list": lambda one: json.dumps([{"Email": one, "Error": WORDS}]),
    "nested": lambda one: json.dumps({"Contacts": [{"Contact": {"Email": one}, "Errors": [WORDS]}]}),
    "by address": lambda one: json.dumps({one: WORDS}),
    "arrays": lambda one: json.dumps([[one, WORDS]]),
    "a sentence": lambda one: json.dumps([{"Error": f'Invalid email address "{one}", reason: "{WORDS}"'}]),
    "text": lambda one: f"{one}: {WORDS}\n",
    "the end of a sentence": lambda one: f"{WORDS}: {one}.\n",
    "csv": lambda one: 'email,error\n"{}",{}\n'.format(one.replace('"', '""'), WORDS),
    "lines of JSON": lambda one: json.dumps({"emailAddress": one, "error": WORDS}) + "\n",
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("form", FORMS)
def test_of_two_addresses_of_which_one_holds_the_other_the_one_that_stands_there_is_named(form, odd):
    for refused in (f"o{odd}{ADA}", ADA.replace("@", f"{odd}x@"), f"{odd}{ADA}"):
        if fold_address(refused) == ADA:  # quotes around an address are no part of it
            continue
        emails = (refused, ADA, BOB)
        found = named(FORMS[form](refused), *emails).keys()
        assert found <= {fold_address(refused)}
        assert named(FORMS[form](ADA), *emails).keys() <= {ADA}
        if form not in {"a sentence", "text", "the end of a sentence"} and refused[0] != odd:
            assert found == {fold_address(refused)}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "refused", [ADA, "o'hara@example.com", "a+b@example.com", "x/y=z@example.com", "ADA@Example.com"]
)
def test_every_form_names_its_row_with_the_providers_words(form, refused):
    found = named(FORMS[form](refused), refused, BOB)
    assert found.keys() == {refused.lower()}
    assert WORDS in found[refused.lower()]


@pytest.mark.parametrize(
    "content",
    [
        [{"Email": ADA, "Properties": {"referrer": BOB}, "Error": WORDS}],
        [{"Email": ADA, "Properties": [{"Name": "referrer", "Value": BOB}], "Error": WORDS}],
        [{"Email": ADA, "referrer": BOB, "Error": WORDS}],
        [{"referrer": BOB, "Email": ADA, "Error": WORDS}],
        [{"Email": ADA, "Error": f"{WORDS}: duplicate of {BOB}"}],
        [{"Contact": {"Email": ADA, "Properties": {"referrer": BOB}}, "Errors": [f"{WORDS} {BOB}"]}],
        [{"Email": ADA, "Error": {"DuplicateOf": BOB, "Message": WORDS}}],
        [{"Email": ADA, "Error": WORDS}, {"Email": BOB, "Error": ""}],
        [{"Email": ADA, "Status": WORDS}, {"Email": BOB, "Status": "Imported"}],
        [{"Email": ADA, "DuplicateOf": BOB, "Message": WORDS}],
        {"Errors": [{"Email": ADA, "Message": f"{WORDS} like {BOB}"}], "Requested": 3},
        {ADA: WORDS, BOB: "", "cleo@example.com": "ok"},
        [[ADA, f"{WORDS} like that of {BOB}"]],
        f"email;referrer;error\n{ADA};{BOB};{WORDS}\n",
        f"referrer,email,error\n{BOB},{ADA},{WORDS}\n",
        f"{ADA}|{BOB}|{WORDS}\n",
        f"{ADA}: {WORDS} as of {BOB}\n",
    ],
)  # fmt: skip
def test_only_a_rows_own_entry_is_its_reason_and_others_in_it_are_text(content):
    found = named(content, properties=["referrer"])
    assert found.keys() == {ADA}
    assert WORDS in found[ADA]


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "{}", "null", "<html>", "[" * 10_000,
        [{"Email": "somebody@else.test", "referrer": BOB, "Error": WORDS}],
        [{"referrer": BOB, "Error": WORDS}],
        [{"Properties": {"x": BOB}, "Error": WORDS}],
        [{"Error": f"duplicate of {BOB}"}],
        [{"A": ADA, "B": BOB, "Error": WORDS}],
        {"Error": WORDS, "Contacts": [{"Email": ADA}, {"Email": BOB}]},
        [{"Email": ADA}, {"Email": BOB}, {"Email": "cleo@example.com"}],
        [ADA, BOB, "cleo@example.com"],
        {"Error": f"{WORDS}: see {ADA} and {BOB}"},
        f"{WORDS}: see {ADA} and {BOB}",
        f"{WORDS}: x{ADA}",
        f"{WORDS}: {ADA}.de",
    ],
)  # fmt: skip
def test_in_doubt_nobody_is_named(content):
    assert named(content, properties=["referrer"]) == {}


def test_a_file_whose_length_is_known_may_name_everybody():
    assert named([{"Email": ADA}, {"Email": BOB}], ADA, BOB, is_counted=True).keys() == {ADA, BOB}


LOCAL = st.text(st.sampled_from([*string.ascii_lowercase[:3], *ODD]), min_size=1, max_size=6)


@pytest.mark.slow
@given(st.lists(LOCAL.map("{}@example.com".format), min_size=2, max_size=8, unique=True), st.data())
def test_whole_values_name_exactly_the_rows_refused_whatever_their_characters(emails, data):
    refused = data.draw(st.lists(st.sampled_from(emails), unique=True))
    entries = [{"Email": one, "Error": f"{WORDS}; like {data.draw(st.sampled_from(emails))}"} for one in refused]
    assert named(entries, *emails).keys() == {fold_address(one) for one in refused}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from([ADA, BOB, f"of {ADA}, {BOB}"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["Email", "Error", "Properties", "Status", "x", ADA]), inner, max_size=4)
    ),
    max_leaves=20,
)


@pytest.mark.slow
@given(json_values | st.binary().map(lambda content: content.decode("latin-1")))
def test_no_file_is_too_odd(content):
    assert named(content).keys() <= {ADA, BOB, "cleo@example.com"}


@pytest.mark.parametrize(
    "content",
    [
        {"error": "3 rows failed", "account": ADA},
        {"message": "failed", "notify_email": ADA},
        {"message": "failed", "created_by": ADA},
        {"message": "failed", "owner_email": ADA},
        {"message": "could not parse the file", "user": {"email": ADA}},
        {"errors": ["line 3"], "support_email": ADA},
        {"errors": ["line 3"], "admin": {"Email": ADA}},
        {"Error": f"Limit reached after {ADA}"},
        {"Error": f"Row 5 (previous row {ADA}) is malformed"},
        {"Error": f"Expected sender {ADA}"},
        {"Error": f"stranger@example.com refused; {ADA} waits"},
        {"Error": f"x;y@example.com;{ADA}: one of them was refused"},
        f"Contact your account manager {ADA} for help",
        f"Import by {ADA} failed",
        f"See {ADA}",
        f"stranger@example.com: refused, see {ADA}",
        f"refused: stranger@example.com;{ADA}",
        f"email,owner,error\nstranger@example.com,{ADA},refused\n",
        f"email;see also\nstranger@example.com;{ADA}\n",
    ],
)
def test_p4_somebody_who_is_only_mentioned_is_not_named(content):
    assert named(content) == {}


@pytest.mark.parametrize("line", [f"3,{ADA},Invalid {ADA}", f"{ADA},see {BOB}", f"3,{ADA},refused", f"x,{ADA},{ADA}"])
def test_a_line_without_header_names_whom_its_cells_are_about(line):
    assert named(f"{line}\n").keys() == {ADA}


@pytest.mark.parametrize("name", ["valid", "imported", "Success", "succeeded", "updated", "created", "processed"])
@pytest.mark.parametrize("row", [ADA, {"Email": ADA}])
@pytest.mark.parametrize("failed", ["failed", "invalid", "errors", "rejected"])
def test_p4_whoever_a_file_lists_as_done_is_not_named(name, row, failed):
    assert named({name: [row], failed: [{"Email": BOB, "Error": WORDS}]}) == {BOB: WORDS}
    assert named({name: [row], failed: [BOB]}).keys() <= {BOB}
    assert named({name: [row]}) == {}


@pytest.mark.parametrize("delimiter", [";", ",", "|", "\t"])
@pytest.mark.parametrize("form", ["{0}{1}see {2}", '"{0}"{1}"see {2}"', "{0}{1}duplicate of {2}", "{0}{1}{2}"])
def test_p4_where_a_delimiter_may_be_part_of_an_address_no_neighbour_is_named(delimiter, form):
    line = form.format(ADA, delimiter, BOB)
    for header in ("", f"email{delimiter}error\r\n", f"\ufeffEmail{delimiter}Error\r\n"):
        found = named(f"{header}{line}\r\n", ADA, BOB, f"x{delimiter}y@example.com")
        assert found.keys() <= {ADA}
