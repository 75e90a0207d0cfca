"""Keys and tokens: looked at when they are read, never tried in vain, and named by their settings when refused."""

from __future__ import annotations

from itertools import chain

import httpx
import pytest

from mailing_api.errors import AuthenticationError, ConfigurationError
from mailing_api.mailjet.client import MailjetClient
from mailing_api.mailjet.settings import MAILJET_SETTINGS
from mailing_api.mpdx.client import MpdxClient
from mailing_api.mpdx.settings import MPDX_SETTINGS
from mailing_api.postgrid.client import PostgridClient
from mailing_api.postgrid.settings import POSTGRID_SETTINGS
from mailing_api.ses.client import SesClient
from mailing_api.ses.settings import SES_SETTINGS
from mailing_api.settings import lookup, unsendable
from tests.api.clients import CLIENTS, HASTY

ALL = {setting.name: setting for setting in chain(MAILJET_SETTINGS, POSTGRID_SETTINGS, MPDX_SETTINGS, SES_SETTINGS)}
SECRETS = {name: setting for name, setting in ALL.items() if setting.secret}

#: A complete set of settings for each provider's client.
COMPLETE = {
    "mailjet": (MailjetClient, {"mailjet_api_key": "canary1", "mailjet_secret_key": "canary2"}),
    "postgrid": (PostgridClient, {"postgrid_api_key": "test_sk_canary"}),
    "mpdx": (MpdxClient, {"mpdx_token": "canary1"}),
    "ses": (
        SesClient,
        {
            "ses_regions": ["eu-west-1"],
            "ses_aws_access_key_id": "canary1",
            "ses_aws_secret_access_key": "canary2",
            "ses_aws_session_token": "canary3",
        },
    ),
}

PASTED = {
    "\n": "a line break", "\r\n": "a line break", "\r": "a line break", " ": "a space", "\t": "a tab",
    "\0": r"U\+0000", "\x7f": r"U\+007F",
    "\u00a0": r"U\+00A0", "\u200b": r"U\+200B", "\ufeff": r"U\+FEFF",
    "ä": r"U\+00E4", "\u201c": r"U\+201C", "\U0001f511": r"U\+1F511",
    "\ud800": r"U\+D800", "\u2028": r"U\+2028",
}  # fmt: skip


def test_every_secret_of_every_provider_is_a_credential():
    assert [name for name, setting in SECRETS.items() if not setting.credential] == []
    given = {name for _, config in COMPLETE.values() for name in config}
    assert set(SECRETS) - given == {"mpdx_access_token"}


@pytest.mark.parametrize("sign", PASTED)
@pytest.mark.parametrize("name", SECRETS)
def test_p9_a_secret_with_what_no_header_can_carry_is_named_when_it_is_read(name, sign):
    for place, value in (("begins with", f"{sign}canary"), ("ends with", f"canary{sign}"), ("holds", f"can{sign}ary")):
        with pytest.raises(ConfigurationError, match=rf"`{name}` {place} (the character )?{PASTED[sign]}") as raised:
            lookup(SECRETS[name], {name: value}, {})
        assert "canary" not in str(raised.value)
    with pytest.raises(ConfigurationError, match=f"`{name}`"):
        lookup(SECRETS[name], {name: sign * 3}, {})


@pytest.mark.parametrize("name", [name for name, setting in SECRETS.items() if setting.env])
def test_p9_a_secret_of_the_environment_names_its_variable(name):
    setting = SECRETS[name]
    with pytest.raises(ConfigurationError, match=rf"{setting.env} \(`{name}`\) ends with a line break"):
        lookup(setting, {}, {setting.env: "canary\n"})


@pytest.mark.slow
@pytest.mark.parametrize("provider", COMPLETE)
def test_p9_no_client_is_made_with_a_pasted_secret(provider):
    kind, config = COMPLETE[provider]
    for name in config.keys() & SECRETS.keys():
        with pytest.raises(ConfigurationError, match=f"`{name}` ends with a line break"):
            kind.from_settings({**config, name: f"{config[name]}\n"}, environ={})
    kind.from_settings(config, environ={}).close()


@pytest.mark.parametrize("provider", COMPLETE)
def test_the_rate_of_the_settings_is_that_of_the_client(provider):
    kind, config = COMPLETE[provider]
    client = kind.from_settings(config, environ={}, max_requests_per_second=7)
    (http,) = client._http.values() if provider == "ses" else [client._http]
    assert http.rate == 7
    client.close()


@pytest.mark.parametrize("value", ["a", "eyJhbGciOi.J9-_.x", "a/b+c==", "~!@#$%^&*()"])
def test_what_keys_are_made_of_is_sent(value):
    assert unsendable(value) == ""


REFUSALS = {
    "mailjet": (
        httpx.Response(401),
        ["`mailjet_api_key` (or the environment variable MJ_APIKEY_PUBLIC)", "`mailjet_secret_key`"],
    ),
    "postgrid": (httpx.Response(401), ["`postgrid_api_key` (or the environment variable POSTGRID_PRINT_MAIL_API_KEY)"]),
    "mpdx": (httpx.Response(401), ["`mpdx_token`"]),
    "ses": (
        httpx.Response(403, json={"__type": "UnrecognizedClientException"}),
        ["`ses_aws_access_key_id`", "`ses_aws_secret_access_key`"],
    ),
}


@pytest.mark.parametrize("provider", REFUSALS)
def test_p9_refused_credentials_name_their_settings(provider):
    refusal, named = REFUSALS[provider]
    kind, config = COMPLETE[provider]
    asked = []
    options = {"transport": httpx.MockTransport(lambda request: asked.append(request) or refusal), "retry": HASTY}
    client = kind.from_settings(config, environ={}, **options)
    call = {
        "mailjet": lambda: client.page("contact", {}),
        "postgrid": lambda: client.sample("contacts", 1),
        "mpdx": lambda: client.account_lists(),  # noqa: PLW0108 - the others have none
        "ses": lambda: client.describe("eu-west-1"),
    }[provider]
    with pytest.raises(AuthenticationError) as raised:
        call()
    for name in named:
        assert name in str(raised.value)
    assert "canary" not in str(raised.value)
    assert len(asked) == 1


@pytest.mark.parametrize("client", ["postgrid", "mpdx", "ses", "s3"])
def test_p9_a_request_that_http_cannot_carry_is_tried_once_and_names_the_credentials(client):
    tried = []
    label = {
        "postgrid": "postgrid_api_key",
        "mpdx": "mpdx_token",
        "ses": "ses_aws_access_key_id",
        "s3": "aws_access_key_id",
    }

    def broken(request):
        tried.append(request)
        raise httpx.LocalProtocolError("Illegal header value b'canary'")

    with pytest.raises(ConfigurationError, match=label[client]) as raised:
        CLIENTS[client]("https://provider.example", transport=httpx.MockTransport(broken))
    assert "canary" not in str(raised.value)
    assert len(tried) == 1
