"""A name that is almost right is answered with the right one."""

from __future__ import annotations

import logging

import pytest

from mailing_api.suggestions import did_you_mean
from tests.target.conftest import LIST, people, schema, state


@pytest.mark.parametrize(
    ("wrong", "known", "question"),
    [
        (["lsit"], ["list", "route"], " Did you mean 'list'?"),
        (["READERS"], ["Readers"], " Did you mean 'Readers'?"),
        (["vists", "cty"], ["visits", "city"], " Did you mean 'visits' and 'city'?"),
        (["vists", "visit"], ["visits"], " Did you mean 'visits'?"),
        (["shoe_size"], ["visits", "city"], ""),
        (["x"], [], ""),
    ],
)
def test_the_nearest_name_is_asked_about(wrong, known, question):
    assert did_you_mean(wrong, known) == question


@pytest.mark.parametrize(
    ("config", "meant"),
    [
        ({"list": LIST.lower() + "s"}, LIST),
        ({"properties": ["vists"]}, "visits"),
        ({"mapping": {"city": "citty"}}, "city"),
        ({"mapping": {"vists": "city"}}, "visits"),
        ({"action_column": "citty"}, "city"),
        ({"streams": {"people": {"acton": "unsub"}}}, "action"),
        ({"mapping": {"email": "e_mial"}}, "email"),
        ({"mapping": {"email": "e_mial"}, "streams": {"people": {}}}, "email"),
    ],
)
def test_p9_an_error_asks_for_what_was_meant(mailjet, config, meant):
    result = mailjet.deliver([schema(), *people(range(2)), state(1)], **config)
    assert f"Did you mean {meant!r}?" in str(result.error)
    assert mailjet.received() == []


@pytest.mark.parametrize("named", [{}, {"streams": {"people": {}}}])
@pytest.mark.parametrize(
    ("column", "mapping", "question"),
    [
        ("E-mail", {}, "Did you mean 'E-mail'?"),
        ("primary_e_mail", {}, "Did you mean 'primary_e_mail'?"),
        ("mail", {"emial": "mail"}, "`mapping` has 'emial'. Did you mean 'email'?"),
        ("town", {}, ""),
    ],
)
def test_p9_a_column_that_may_hold_the_address_is_asked_about(mailjet, column, mapping, question, named):
    columns = schema(columns={"id": {"type": "integer"}, column: {"type": "string"}})
    result = mailjet.deliver([columns, state(1)], mapping=mapping, properties=None, **named)
    assert "`email`" in str(result.error) or "'email'" in str(result.error)
    assert question in str(result.error)
    assert question or "Did you mean" not in str(result.error)
    if question and not mapping:
        assert f'Then set `mapping` to {{"email": "{column}"}}.' in str(result.error)
        again = mailjet.deliver([columns, state(1)], mapping={"email": column}, properties=None, **named)
        assert again.error is None


def test_a_setting_of_almost_the_right_name_is_asked_about(mailjet, caplog):
    caplog.set_level(logging.WARNING)
    mailjet.deliver([schema(), *people(range(2)), state(1)], conset="respect")
    assert "are ignored: conset. Did you mean 'consent'?" in caplog.text


def test_of_very_many_names_only_the_first_are_shown(mailjet):
    columns = {"email": {}, **{f"c{at}": {} for at in range(3000)}}
    result = mailjet.deliver([schema(columns=columns, keys=[])], properties="all")
    assert "'c0', " in str(result.error)
    assert "and 2,980 more in `properties`" in str(result.error)
    result = mailjet.deliver([schema(columns=columns, keys=[])], properties=None)
    assert (result.error, "c99 and 2,900 more" in result.log) == (None, True)
