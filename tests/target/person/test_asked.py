"""The person in question: read from a file or from the terminal, and from nowhere else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailing_api.errors import ConfigurationError
from mailing_api.process.asking import TERMINAL
from target_mailing.input.row_key import RowKey
from target_mailing.person.asked import Asked, ask
from tests.target.command.typed import at_a_terminal
from tests.target.conftest import person, schema, state

PARTS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1).filter(str.strip) | st.integers()


@given(key=st.lists(PARTS, min_size=1, max_size=6))
def test_a_json_array_is_the_key(key):
    (hashed,) = RowKey(["c"] * len(key), 0, lambda keys: [*keys], is_address=False).of([tuple(key)])
    assert hashed in Asked(json.dumps(key)).keys


@given(key=st.lists(PARTS.filter(lambda part: "/" not in str(part)), min_size=1, max_size=4))
def test_a_key_is_found_as_the_log_writes_it(key):
    row_key = RowKey(["c"] * len(key), 0, lambda keys: [*keys], is_address=False)
    assert row_key.of([tuple(key)])[0] in Asked(row_key.text(tuple(key))).keys


@given(text=st.text())
def test_any_text_may_be_asked_for(text):
    asked = Asked(text)
    assert all(isinstance(key, bytes) for key in asked.keys)
    assert (asked.email is None) == (asked.address is None)
    assert len(asked.keys) < 100
    asked.spellings([])
    assert all(isinstance(one, str) for one in asked.texts)


@pytest.mark.parametrize("text", ["1e400", "9" * 5000, "[1e400]", "-0.0", "[NaN]", "[[1]]", "[true]", "[]"])
def test_any_number_may_be_asked_for(text):
    assert Asked(text).keys
    assert len(Asked(text).texts) <= 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "found nothing"),
        (b"\n \n", "found nothing"),
        (b"canary\npeople\nmore", "found 3 lines"),
        (b"canary\xff", "not UTF-8"),
        (b"canary" * 2000, "more than 8192 bytes"),
    ],
)
def test_p7_a_file_that_names_nobody_is_told_without_its_content(tmp_path, content, said):
    path = tmp_path / "person"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=said) as found:
        ask(str(path))
    assert "canary" not in str(found.value)
    assert str(path) not in str(found.value)


def test_a_file_may_have_a_byte_order_mark_blank_lines_and_a_stream(tmp_path):
    path = tmp_path / "person"
    path.write_bytes("\ufeff\r\n ada@example.com \r\n\r\n people\r\n".encode())
    assert ask(str(path)) == Asked("ada@example.com", "people")


@pytest.mark.parametrize("name", ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"])
def test_standard_input_is_refused(name):
    with pytest.raises(ConfigurationError, match="does not read standard input"):
        ask(name)


@pytest.mark.parametrize("name", ["canary@example.com", "canary\0", "c" * 5000, "/"])
def test_p7_an_address_in_place_of_a_file_is_not_quoted(name):
    with pytest.raises(ConfigurationError, match="an argument is visible to other users") as found:
        ask(name)
    assert "canary" not in str(found.value)


def test_without_a_terminal_a_file_is_needed(monkeypatch):
    def no_terminal(*_):
        raise OSError(6, "No such device or address")

    monkeypatch.setattr("mailing_api.process.asking.os.open", no_terminal)
    with pytest.raises(ConfigurationError, match="there is none"):
        ask(TERMINAL)


def asked_at_a_terminal(mailjet, *typed):
    """As `at_a_terminal`; something else is in standard input."""
    return at_a_terminal(mailjet, typed, "--explain", given="canary@example.com\n")


@pytest.mark.slow
@pytest.mark.parametrize("typed", [["person1@example.com"], ["1", ""], ["1", "people"]])
def test_the_terminal_asks_and_standard_input_is_not_read(mailjet, typed):
    mailjet.deliver([schema(), person(1), state(1)])
    out, err, code = asked_at_a_terminal(mailjet, *typed)
    assert code == 0, err
    assert "last action     addnoforce; put there by stream 'people'" in out
    assert "canary" not in out + err


@pytest.mark.slow
def test_nothing_typed_is_an_error(mailjet):
    out, err, code = asked_at_a_terminal(mailjet, "")
    assert (out, code) == ("", 1)
    assert "Option --explain found nothing." in err
