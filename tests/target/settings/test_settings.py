"""Settings: durations, overrides of streams, defaults, and errors that name them."""

from __future__ import annotations

import io
from contextlib import closing
from pathlib import Path

import pytest

from mailing_api.errors import ConfigurationError
from target_mailing.delivery.router import Router
from target_mailing.interface.registry import PROVIDERS, SETTINGS, chosen
from target_mailing.journal.stores import JournalError, MemoryStore
from target_mailing.places import journal_store
from target_mailing.settings.settings import StreamSettings
from target_mailing.target import TargetMailing


def test_defaults_are_the_safe_ones():
    found = StreamSettings.resolve({}, "people")
    assert (found.action, found.consent, found.send, found.on_unknown_stream) == (
        "addnoforce", "respect", "changed", "fail",
    )  # fmt: skip
    assert (found.resend_window, found.job_timeout, found.job_abandon) == (604800.0, 21600.0, 172800.0)
    assert not found.named


def test_overrides_apply_to_matching_streams_and_exact_names_win():
    config = {
        "nulls": "skip",
        "streams": {"crm-*": {"nulls": "clear", "list": 7}, "crm-people": {"list": 8}},
    }
    people = StreamSettings.resolve(config, "crm-people")
    assert (people.nulls, people.lists, people.named) == ("clear", ["8"], True)
    assert StreamSettings.resolve(config, "crm-firms").lists == ["7"]
    assert StreamSettings.resolve(config, "other").named is False


def test_an_empty_text_in_an_override_is_no_setting():
    assert StreamSettings.resolve({"list": "News", "streams": {"*": {"list": ""}}}, "people").lists == ["News"]


@pytest.mark.parametrize("value", [90, "90", "PT1M30S"])
def test_durations_are_seconds_or_iso_8601(value):
    assert StreamSettings.resolve({"job_timeout": value}, None).job_timeout == 90.0


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"job_timeout": "soon"}, "job_timeout"),
        ({"job_timeout": "2024-01-01"}, "job_timeout"),
        ({"resend_window": -1}, "resend_window"),
        ({"nulls": "drop"}, "nulls"),
        ({"batch_rows": 0}, "batch_rows"),
        ({"mapping": "email=mail"}, "mapping"),
        (
            {"mapping": {"email": 5}},
            r'`mapping` is {"email":5}; it must be an object of column names, such as {"email"',
        ),
        ({"properties": [5]}, r"`properties` is \[5\]; it must be an array of column names, or `all`"),
        ({"list": {"id": True}}, r'`list` is {"id":true}; it must be an ID, a name or an address'),
        ({"poll_interval": 0}, "`poll_interval` is 0 seconds.*at least 0.01"),
        ({"poll_max_interval": 0.001}, "`poll_max_interval` is 0.001 seconds"),
        ({"streams": {"people": "remove"}}, r"`streams\.people` must be an object"),
        ({"streams": {"people": {"journal": "x"}}}, r"streams\.people.*journal"),
    ],
)
def test_p9_a_wrong_value_names_its_setting(config, named):
    with pytest.raises(ConfigurationError, match=named):
        StreamSettings.resolve(config, "people")


@pytest.mark.parametrize(("provider", "most"), [("mailjet", 10_000), ("ses", 1_000_000)])
def test_p9_a_batch_of_more_rows_than_the_provider_takes_is_refused(provider, most):
    one = next(one for one in PROVIDERS if one.name == provider)
    assert one.with_route(StreamSettings.resolve({"batch_rows": most}, "people")).batch_rows == most
    with pytest.raises(ConfigurationError, match=f"`batch_rows` .* it must be 1 to {most}"):
        one.with_route(StreamSettings.resolve({"batch_rows": most + 1}, "people"))


@pytest.mark.parametrize(
    ("provider", "route", "expected"),
    [
        ("ses", None, (100_000, 100_000_000)),
        ("ses", "import", (100_000, 100_000_000)),
        ("ses", "direct", (5000, 4_000_000)),
        ("mailjet", None, (5000, 4_000_000)),
        ("postgrid", "import", (5000, 4_000_000)),
    ],
)
def test_a_provider_has_its_own_defaults_of_batches_by_route_and_what_is_set_is_obeyed(provider, route, expected):
    one = next(one for one in PROVIDERS if one.name == provider)

    def batches(config, stream=None):
        found = one.with_route(StreamSettings.resolve({"route": route, **config}, stream))
        return found.batch_rows, found.batch_bytes

    assert batches({}) == batches({"batch_rows": None}) == expected
    assert batches({"batch_rows": 5000}) == (5000, expected[1])
    assert batches({"streams": {"people": {"batch_bytes": 9}}}, "people") == (expected[0], 9)


def test_the_journal_is_kept_per_account_and_list_in_the_project_else_in_the_state_folder(tmp_path):
    meltano = {"MELTANO_PROJECT_ROOT": str(tmp_path)}
    one = journal_store({"list": "News"}, "mailjet-default", meltano)
    other = journal_store({"list": "Offers"}, "mailjet-default", meltano)
    assert one.path.parent == tmp_path / ".meltano" / "target-mailing"
    assert one.path != other.path
    assert journal_store({}, "mailjet-default", {"XDG_STATE_HOME": "/s"}).path.parent == Path("/s/target-mailing")
    assert journal_store({"journal": "/tmp/j"}, "x", meltano).path == Path("/tmp/j")
    assert isinstance(journal_store({"journal": "off"}, "x", meltano), MemoryStore)


def test_a_journal_in_postgresql_has_a_schema_per_account_and_list_and_shows_no_password():
    url = "postgresql://loader:canary@db.test/state?password=canary"
    one = journal_store({"journal": url, "list": "News"}, "mailjet-default")
    other = journal_store({"journal": url, "list": "Offers"}, "mailjet-default")
    assert one.name != other.name
    assert "canary" not in one.name
    assert one.name.startswith("PostgreSQL db.test/state, schema target_mailing_mailjet_default_list_news_")


@pytest.mark.parametrize("journal", ["mysql://u@h/d", "postgresql://u:p@h:port/d", "postgresql://u:p@h:1,i:2/d"])
def test_p9_a_journal_url_that_cannot_be_used_names_the_setting_and_shows_no_password(journal):
    with pytest.raises(JournalError, match="Setting `journal`") as no:
        journal_store({"journal": journal, "list": 1}, "mailjet-default")
    assert "u:p" not in str(no.value)


def test_every_setting_has_words_for_people():
    for setting in SETTINGS:
        assert setting.title, setting.name
        assert setting.description.endswith("."), setting.name


NOT_WHOLE = {
    "mailjet": ({"mailjet_api_key": "k", "mailjet_secret_key": "s"}, "list"),
    "mailjet, for nobody": ({"mailjet_api_key": "k", "mailjet_secret_key": "s", "streams": {"people": {}}}, "list"),
    "mailjet, by an empty variable": ({"mailjet_api_key": "k", "mailjet_secret_key": "s", "list": ""}, "list"),
    "postgrid": ({"postgrid_api_key": "test_sk_x"}, "list"),
    "postgrid, by import": ({"postgrid_api_key": "test_sk_x", "route": "import"}, "list"),
    "postgrid, replaced": (
        {"postgrid_api_key": "test_sk_x", "list": "L", "postgrid_replace": True},
        "postgrid_replace",
    ),
    "ses": ({"ses_regions": ["eu-west-1"], "list": "L", "route": "import"}, "route"),
    "ses, route": ({"ses_regions": ["eu-west-1"], "list": "L", "route": "json"}, "route"),
}


@pytest.mark.parametrize("case", NOT_WHOLE)
def test_p9_nothing_is_made_while_the_settings_are_not_whole(tmp_path, monkeypatch, case):
    config, named = NOT_WHOLE[case]
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("MELTANO_PROJECT_ROOT", raising=False)
    with pytest.raises(ConfigurationError, match=rf"`{named}"):
        TargetMailing(config=config).listen(io.StringIO(""))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["list", "scope", "action", "action_column", "consent"])
def test_p9_an_empty_variable_that_went_before_a_value_is_named(monkeypatch, name):
    config = {"mailjet_api_key": "k", "mailjet_secret_key": "s", "list": "L", name: ""}
    assert TargetMailing(config=config).config.get(name) != ""
    monkeypatch.setenv(f"TARGET_MAILING_{name.upper()}", "")
    with pytest.raises(ConfigurationError, match=f"`{name}` is empty, since .* TARGET_MAILING_{name.upper()} is"):
        TargetMailing(config=config)
    assert TargetMailing(config={"mailjet_api_key": "k"}, parse_env_config=True).config.get(name) != ""


def test_settings_are_whole_where_each_stream_has_its_own():
    config = {"mailjet_api_key": "k", "mailjet_secret_key": "s", "streams": {"x": {}, "people": {"list": "L"}}}
    with closing(Router(chosen(config), config, user_agent="tests")) as router:
        router.check(config)


def test_null_means_unset_wherever_it_is_given():
    nulls = dict.fromkeys(["list", "stream_maps", "stream_map_config", "faker_config", "flattening_enabled", "streams"])
    assert nulls.keys() & {name for name, value in TargetMailing(config=nulls).config.items() if value is None} == set()
    assert "stream_maps" not in TargetMailing(config=nulls).config


def test_p9_of_several_providers_that_are_set_one_has_to_be_named():
    config = {"mailjet_api_key": "k", "mailjet_secret_key": "s", "postgrid_api_key": "p"}
    with pytest.raises(ConfigurationError, match=r"in `destination` \(mailjet, postgrid\)"):
        chosen(config)
    assert chosen(config | {"destination": "postgrid"}).name == "postgrid"
