"""`--check`, and what is said of settings, where neither lists nor properties are Mailjet's."""

from __future__ import annotations

import pytest

from mailing_api.errors import ConfigurationError
from target_mailing.target import TargetMailing
from tests.target.postgrid.conftest import LIST


def check(postgrid, **config):
    TargetMailing(config=postgrid.settings(**config)).check()


def test_a_list_that_would_be_made_is_named_and_properties_need_no_definition(postgrid, capsys):
    check(postgrid, list="Nope", create_list=True, properties=["tier"])
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "check: passed, and nothing was written"
    assert told[4:] == ["credentials: accepted by PostGrid", "destination: PostGrid, list 'Nope' would be created"]
    check(postgrid, create_list=True)
    assert (
        f"destination: PostGrid, list {LIST!r} (postgrid:default:list:{postgrid.number})\n" in capsys.readouterr().out
    )
    assert [one["description"] for one in postgrid.sandbox.postgrid.lists().values()] == [LIST]


def test_p9_a_field_of_the_contact_is_no_property(postgrid):
    with pytest.raises(ConfigurationError, match=r"'name' in `properties` .* remove it from `properties`\.$"):
        check(postgrid, properties=["name"], create_properties=True)


def test_p9_an_action_that_is_not_possible_is_refused_without_advice_that_does_not_help(postgrid):
    with pytest.raises(ConfigurationError, match=r"`action` is 'addforce', .* addnoforce, remove, unsub\.$"):
        check(postgrid, action="addforce")
