"""A name that is almost right is answered with the right one."""

from __future__ import annotations

import logging

import pytest
from singer_sdk.exceptions import ConfigValidationError

from mailing_api.errors import ConfigurationError
from mailing_api.suggestions import did_you_mean, listed, misspelt
from tap_mailing.tap import TapMailing
from target_mailing.contacts.fields import Fields
from target_mailing.contacts.mapping import StreamMapping
from target_mailing.contacts.stream_columns import StreamColumns
from target_mailing.ses.contact import ANY_ATTRIBUTE
from target_mailing.settings.settings import StreamSettings
from target_mailing.target import TargetMailing
from tests.target.conftest import LIST, people, schema, state


@pytest.mark.parametrize(
    ("wrong", "known", "question"),
    [
        (["lsit"], ["list", "route"], " Did you mean 'list'?"),
        (["ada1@example.com"], ["ada2@example.com"], ""),  # P7: a list may be named after somebody's address
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
        ("email_opt_out", {}, ""),
    ],
)
def test_p9_a_column_that_may_hold_the_address_is_asked_about(mailjet, column, mapping, question, named):
    columns = schema(columns={"id": {"type": "integer"}, column: {"type": "string"}})
    result = mailjet.deliver([columns, state(1)], mapping=mapping, properties=None, **named)
    assert "`email`" in str(result.error) or "'email'" in str(result.error)
    assert question in str(result.error)
    assert question or "Did you mean" not in str(result.error)
    if question and not mapping:
        assert f'Then add {{"email": "{column}"}} to `mapping`.' in str(result.error)
        again = mailjet.deliver([columns, state(1)], mapping={"email": column}, properties=None, **named)
        assert again.error is None


@pytest.mark.parametrize(
    ("column", "mapped", "then"),
    [
        ("email", "mail", "Did you mean 'email'? Then remove `email` from `mapping`."),
        ("e_mail", "e-mail", 'Did you mean \'e_mail\'? Then correct `mapping` to {"email": "e_mail"}.'),
    ],
)
def test_p9_a_wrong_mapping_of_the_address_is_corrected_and_not_added(mailjet, column, mapped, then):
    columns = schema(columns={"id": {"type": "integer"}, column: {"type": "string"}})
    result = mailjet.deliver([columns, state(1)], mapping={"email": mapped}, properties=None)
    assert then in str(result.error)


def test_p9_an_address_in_a_column_of_any_name_is_to_be_mapped(mailjet):
    columns = schema(columns={"id": {"type": "integer"}, "courriel": {"type": "string"}})
    result = mailjet.deliver([columns, state(1)], properties=None)
    assert "If another of its columns holds them, name that column: `mapping: {email: ...}`." in str(result.error)
    assert mailjet.deliver([columns, state(1)], mapping={"email": "courriel"}, properties=None).error is None


@pytest.mark.parametrize(("delimiter", "shown"), [(";", "`;`"), ("\t", "a tab"), ("|", "`|`")])
@pytest.mark.parametrize("named", [{}, {"streams": {"people": {}}}])
def test_p9_a_file_that_was_read_with_another_delimiter_is_told_so_without_its_first_line(
    mailjet, delimiter, shown, named
):
    only = delimiter.join(["email", "ada@example.com", "name"])
    columns = schema(columns={only: {"type": "string"}, "_sdc_source_file": {"type": "string"}}, keys=())
    error = str(mailjet.deliver([columns, state(1)], properties=None, **named).error)
    assert f"The name of its only column has {shown} in it, as if a file had been read with another delimiter" in error
    assert "ada@" not in error


#: Misspelt settings of both plugins, and what is meant.
MISSPELT = {
    "max_rejectd": "max_rejected", "max-rejected": "max_rejected", "maxRejected": "max_rejected", "LIST": "list",
    "lists": "list", "lsit": "list", "conset": "consent", "acton": "action", "stream": "streams", "null": "nulls",
    "on_unkown_steam": "on_unknown_stream", "ses_region": "ses_regions", "flattening_enable": "flattening_enabled",
    "mailjet_apikey": "mailjet_api_key", "steam_maps": "stream_maps", "request_timout": "request_timeout",
    "startdate": "start_date", "look_back": "lookback",
    "change_detecton": "change_detection", "mpdx_tokens": "mpdx_token", "lisd": "list", "max_rekecded": "max_rejected",
}  # fmt: skip
#: What configurations hold for other programs, and what is near to nothing.
OTHERS = (
    "add_record_metadata", "batch_size_rows", "load_method", "batch_config", "default_target_schema",
    "dialect", "schema", "host", "user", "url", "api_key", "name", "state", "pages", "ses_s3_endpoint",
    "list_of_members",
)  # fmt: skip


#: A value of each type, as environment variables hold it.
VALUES = {"string": "canary", "number": "1", "integer": "1", "boolean": "true", "array": "[]", "object": "{}"}


def fitting(plugin, name):
    schema = plugin.config_jsonschema
    plugin.append_builtin_config(schema)
    setting = schema["properties"][name]
    return setting["enum"][0] if "enum" in setting else VALUES[setting["type"][0]]


def settings_of(plugin):
    found = plugin.config_jsonschema
    plugin.append_builtin_config(found)
    return list(found["properties"])


@pytest.mark.parametrize("plugin", [TapMailing, TargetMailing])
def test_p9_a_setting_that_is_misspelt_by_a_letter_or_two_is_an_error_wherever_it_is_given(plugin, monkeypatch):
    known = settings_of(plugin)
    told = {wrong: meant for wrong, meant in MISSPELT.items() if meant in known}
    with pytest.raises(ConfigValidationError) as raised:
        plugin(config=dict.fromkeys(told, "canary"), validate_config=True)
    assert sorted(raised.value.errors) == sorted(
        f"Unknown setting `{wrong}`; did you mean `{meant}`? Correct the name, or remove it."
        for wrong, meant in told.items()
    )
    for wrong, meant in told.items():
        if "-" not in wrong:
            variable, right = (f"{plugin._env_var_prefix}{name.upper()}" for name in (wrong, meant))
            if variable == right:
                continue
            monkeypatch.setenv(variable, fitting(plugin, meant))
            with pytest.raises(
                ConfigurationError, match=f"^Unknown environment variable {variable}; did you mean {right}"
            ):
                plugin(parse_env_config=True)
            monkeypatch.delenv(variable)


@pytest.mark.parametrize("plugin", [TapMailing, TargetMailing])
def test_a_setting_of_another_plugin_or_program_is_a_warning(plugin, caplog):
    known, both = settings_of(plugin), {*settings_of(TapMailing), *settings_of(TargetMailing)}
    others = sorted({*OTHERS, *both} - {*known})
    assert {name: misspelt(name, known) for name in others} == dict.fromkeys(others)
    for name in known:
        assert misspelt(name, [one for one in known if one != name]) is None  # nobody can take one for another
    plugin(config=dict.fromkeys(OTHERS, "canary"))
    assert "are ignored: " in caplog.text
    assert "canary" not in caplog.text


def test_a_setting_of_almost_the_right_name_is_asked_about(mailjet, caplog):
    caplog.set_level(logging.WARNING)
    result = mailjet.deliver([schema(), *people(range(2)), state(1)], requests_per_second=5)
    assert "are ignored: requests_per_second. Did you mean 'ses_requests_per_second'?" in caplog.text
    assert result.error is None


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("subscripton_status", "subscription_status"), ("subscriptionstatus", "subscription_status"),
        ("sdc_deleted_at", "_sdc_deleted_at"), ("_sdc_deletd_at", "_sdc_deleted_at"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("properties", [{}, ANY_ATTRIBUTE], ids=["defined", "any"])
def test_p5_a_misspelt_name_of_consent_in_a_mapping_is_an_error_wherever_properties_need_no_definition(
    name, meant, properties
):
    fields = Fields(columns={}, properties=properties, defines_properties=isinstance(properties, dict))

    def mapping(columns, given):
        return StreamMapping(
            StreamColumns("people", dict.fromkeys(columns, ())),
            fields,
            StreamSettings.resolve({"mapping": given}, None),
        )

    with pytest.raises(ConfigurationError, match=f"`mapping` has {name!r}, .*Did you mean {meant!r}"):
        mapping(["email", "gone"], {name: "gone"})
    mapping(["email", "gone", meant], {meant: "gone"})
    if not fields.defines_properties:  # it is a property beside the column that is meant
        mapping(["email", "gone", meant], {name: "gone"})


def test_of_very_many_names_only_the_first_are_shown(mailjet):
    columns = {"email": {}, **{f"c{at}": {} for at in range(3000)}}
    result = mailjet.deliver([schema(columns=columns, keys=[])], properties="all")
    assert "'c0', " in str(result.error)
    assert "and 2,980 more in `properties`" in str(result.error)
    result = mailjet.deliver([schema(columns=columns, keys=[])], properties=None)
    assert (result.error, "c99 and 2,900 more" in result.log) == (None, True)
    assert listed(["a", "b"], most=2) == "a, b"
