"""Two runs to one list exclude each other however their settings spell it, and runs to two lists do not."""

from __future__ import annotations

import os
from contextlib import closing

import pytest

from mailing_api.storage.locks import lock_file
from mailing_sandbox.server import Sandbox
from target_mailing.delivery.router import Router
from target_mailing.interface.registry import chosen
from tests.target.conftest import LIST, Mailjet, people, schema, state
from tests.target.postgrid.conftest import household, households

KEYS = ("AKIAQNZGKIQY56JQ7WML", "ASIAQNZGKIQY5AAAAAAA", "AKIAY34FZKBOKMUTVV7A")
OLD_KEYS = ("AKIAIOSFODNN7EXAMPLE", "AKIAJOSFODNN7EXAMPLE")

#: Settings that may stand beside those of the run's provider.
OF_OTHERS = {
    "mailjet": {"ses_endpoint_url": "https://ses.example", "postgrid_base_url": "https://postgrid.example"},
    "postgrid": {"mailjet_base_url": "https://mailjet.example", "ses_aws_profile": "default", "mailjet_api_key": "m"},
    "ses": {
        "mailjet_api_key": "m",
        "postgrid_base_url": "https://postgrid.example",
        "ses_s3_endpoint_url": "https://s3",
    },
}

MAILJET = {"mailjet_api_key": "key", "mailjet_secret_key": "secret"}
POSTGRID = {"postgrid_api_key": "test_sk_key"}
SES = {"ses_regions": ["eu-west-1"], "ses_aws_access_key_id": KEYS[0], "ses_aws_secret_access_key": "secret"}
FROM_CHAIN = {"ses_aws_access_key_id": None, "ses_aws_secret_access_key": None}
PROFILE = f"[other]\naws_access_key_id = {KEYS[0]}\naws_secret_access_key = secret\n"

#: Provider, its settings, and others (with the environment) that mean the same account.
SAME = [
    ("mailjet", MAILJET, {"mailjet_api_key": None}, {"MJ_APIKEY_PUBLIC": "key"}),
    ("mailjet", MAILJET, {"mailjet_secret_key": None}, {"MJ_APIKEY_PRIVATE": "secret"}),
    ("mailjet", MAILJET, {"mailjet_account": "another label"}, {}),
    *(
        ("mailjet", MAILJET, {"mailjet_base_url": url}, {})
        for url in (
            "https://api.mailjet.com/",
            "HTTPS://API.Mailjet.COM",
            "https://api.mailjet.com:443",
            "https://api.mailjet.com.",
            "https://api.mailjet.com/v3/REST/",
        )
    ),
    ("postgrid", POSTGRID, {"postgrid_api_key": None}, {"POSTGRID_PRINT_MAIL_API_KEY": "test_sk_key"}),
    ("postgrid", POSTGRID, {"postgrid_api_key": "test_sk_other"}, {}),
    ("postgrid", POSTGRID, {}, {"POSTGRID_BASE_URL": "https://API.postgrid.com:443/print-mail/v1/"}),
    ("postgrid", POSTGRID, {"postgrid_account": "another label", "postgrid_live": False}, {}),
    *(
        ("postgrid", POSTGRID, {"postgrid_base_url": url}, {})
        for url in (
            "https://api.postgrid.com/",
            "https://API.postgrid.com:443",
            "https://api.postgrid.com/print-mail/v1",
        )
    ),
    ("ses", SES, FROM_CHAIN, {"AWS_ACCESS_KEY_ID": KEYS[0], "AWS_SECRET_ACCESS_KEY": "secret"}),
    ("ses", SES, {**FROM_CHAIN, "ses_aws_profile": "other"}, {}),
    ("ses", SES, FROM_CHAIN, {"AWS_PROFILE": "other"}),
    ("ses", SES, {"ses_aws_access_key_id": KEYS[1], "ses_aws_session_token": "token"}, {}),
    ("ses", SES, {"ses_account": "another label"}, {}),
    ("ses", SES, {}, {"AWS_ENDPOINT_URL_SESV2": "https://email.eu-west-1.amazonaws.com/"}),
    *(
        ("ses", SES, {"ses_endpoint_url": url}, {})
        for url in (
            "https://EMAIL.eu-west-1.amazonaws.com:443/",
            "https://email.eu-west-1.api.aws",
            "https://email-fips.eu-west-1.amazonaws.com",
            "https://vpce-1a-2b.email.eu-west-1.vpce.amazonaws.com",
        )
    ),
]
DIFFERENT = [
    ("mailjet", MAILJET, {"mailjet_api_key": "other"}, {}),
    ("mailjet", MAILJET, {"mailjet_api_key": None}, {"MJ_APIKEY_PUBLIC": "other"}),
    ("mailjet", MAILJET, {"mailjet_base_url": "https://api.us.mailjet.com"}, {}),
    ("mailjet", MAILJET, {"mailjet_base_url": "https://api.mailjet.com:8443"}, {}),
    ("postgrid", POSTGRID, {"postgrid_base_url": "https://postgrid.example"}, {}),
    ("postgrid", POSTGRID, {}, {"POSTGRID_BASE_URL": "https://postgrid.example"}),
    ("ses", SES, {"ses_aws_access_key_id": KEYS[2]}, {}),
    ("ses", SES, {"ses_regions": ["eu-central-1"]}, {}),
    ("ses", SES, {"ses_endpoint_url": "https://email.example"}, {}),
    ("ses", {**SES, "ses_aws_access_key_id": OLD_KEYS[0]}, {"ses_aws_access_key_id": OLD_KEYS[1]}, {}),
]


@pytest.fixture(autouse=True)
def _place(monkeypatch, tmp_path):
    for name in (
        "MELTANO_PROJECT_ROOT", "MJ_APIKEY_PUBLIC", "MJ_APIKEY_PRIVATE", "POSTGRID_PRINT_MAIL_API_KEY",
        "POSTGRID_BASE_URL", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
        "AWS_ENDPOINT_URL",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    (tmp_path / "credentials").write_text(PROFILE)


def tenant(provider, config):
    config = {name: value for name, value in config.items() if value is not None} | {"destination": provider}
    with closing(Router(chosen(config), config, user_agent="test")) as router:
        return router._account.tenant


@pytest.mark.slow
@pytest.mark.parametrize("is_same", [True, False])
def test_an_account_is_told_by_endpoint_and_credentials_in_effect(monkeypatch, is_same):
    known = {}
    for provider, config, changes, environ in SAME if is_same else DIFFERENT:
        before = known.setdefault(str(config), tenant(provider, config))
        with monkeypatch.context() as patch:
            for name, value in environ.items():
                patch.setenv(name, value)
            found = tenant(provider, {**config, **changes})
            assert (found == before) is is_same, (provider, changes, environ)
            assert tenant(provider, OF_OTHERS[provider] | config | changes) == found
        assert not any(secret in found for secret in ("key", "secret", *KEYS, *OLD_KEYS)), found


def check_excluded(account, tmp_path, same, others, rows=None):
    """Once a list is held, runs with those settings are refused, and no others."""

    account.config |= {"journal": "off", "poll_interval": 0.015, "poll_max_interval": 0.03}

    def deliver(**config):
        return account.deliver([*(rows or [schema(), *people(range(1))]), state(1)], **config).error

    assert deliver() is None
    (lock,) = (tmp_path / "xdg/target-mailing/lists").iterdir()
    held = os.open(lock, os.O_RDWR)
    try:
        assert lock_file(held)
        for config in same:
            assert "another run (process " in str(deliver(**config)), config
        for config in others:
            assert deliver(**config) is None, config
    finally:
        os.close(held)


def test_a_list_of_mailjet_is_held_whatever_the_settings_call_it(mailjet, monkeypatch, tmp_path):
    mailjet.sandbox.mailjet.add_list("Elsewhere")
    monkeypatch.setenv("MJ_APIKEY_PUBLIC", mailjet.sandbox.api_key)
    port = mailjet.sandbox.url.rpartition(":")[2]
    mailjet.config["mailjet_base_url"] = f"http://localhost:{port}"
    same = [
        {"mailjet_api_key": None, "ses_endpoint_url": "https://ses.example"},
        {"mailjet_base_url": f"HTTP://LOCALHOST:{port}/v3/", "mailjet_account": "other", "list": str(mailjet.list_id)},
        {"route": "contact"},
        {"scope": "account", "list": ["Elsewhere", LIST]},
    ]
    others = [{"list": "Elsewhere"}, {"scope": "account", "list": None}]
    check_excluded(mailjet, tmp_path, same, others)


def test_a_list_of_postgrid_is_held_by_its_id(tmp_path):
    with Sandbox(job_seconds=0.02) as sandbox:
        for live in (False, True):
            sandbox.postgrid.add_list(LIST, live=live)
        sandbox.postgrid.add_list("Elsewhere")
        sandbox.postgrid.add_key("test_sk_other")
        config = {
            "postgrid_api_key": sandbox.postgrid.test_key,
            "postgrid_base_url": sandbox.url,
            "list": LIST,
            "max_rejected": "100%",
            "max_requests_per_second": 1000,
        }
        same = [
            {"postgrid_base_url": f"{sandbox.url}/print-mail/v1/", "mailjet_base_url": "https://mailjet.example"},
            {"postgrid_api_key": "test_sk_other", "postgrid_account": "other"},
        ]
        others = [{"list": "Elsewhere"}, {"postgrid_api_key": sandbox.postgrid.live_key, "postgrid_live": True}]
        rows = [households(), household(1)]
        check_excluded(Mailjet(sandbox, tmp_path, config), tmp_path, same, others, rows)


def test_a_list_of_ses_is_held_whatever_the_credentials_come_from(monkeypatch, tmp_path):
    with Sandbox(job_seconds=0.02) as sandbox:
        sandbox.ses.add_list("Readers", {}, region="eu-west-1")
        for key in KEYS[::2]:
            sandbox.ses.add_key(key, "secret")
        sandbox.ses.add_key(KEYS[1], "secret", "token", seconds=900)
        config = {**SES, "ses_endpoint_url": sandbox.url, "ses_requests_per_second": 1e6, "list": "Readers"}
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS[0])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        same = [
            {**FROM_CHAIN, "mailjet_api_key": "m", "destination": "ses"},
            {"ses_aws_access_key_id": KEYS[1], "ses_aws_session_token": "token", "ses_endpoint_url": f"{sandbox.url}/"},
        ]
        others = [{"ses_aws_access_key_id": KEYS[2]}, {"ses_target": "suppression_list", "list": None}]
        check_excluded(Mailjet(sandbox, tmp_path, config), tmp_path, same, others)
