"""What no log line holds, whatever the handler: secrets in any form, addresses, control characters, details."""

from __future__ import annotations

import base64
import io
import json
import logging
import sys
import threading
from urllib.parse import quote, quote_plus

import pytest

from mailing_api.aws.session import AwsSession
from mailing_api.mpdx.session import MpdxSession
from mailing_api.process import log_filter, secret_values
from mailing_api.process.log_filter import LogFilter, guard_logs
from mailing_api.process.secret_values import SECRETS, SecretValues, remember_secrets
from mailing_api.settings import Setting
from tap_mailing.tap import TapMailing
from target_mailing.target import TargetMailing


@pytest.fixture
def secrets(monkeypatch):
    found = SecretValues()
    monkeypatch.setattr(log_filter, "SECRETS", found)
    monkeypatch.setattr(secret_values, "SECRETS", found)
    return found


def shown(name, level, text, *args, **options):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(LogFilter())
    logger = logging.Logger(name, logging.DEBUG)  # noqa: LOG001
    logger.addHandler(handler)
    logger.log(level, text, *args, **options)
    return stream.getvalue()


# Addresses, control characters, libraries


@pytest.mark.parametrize(
    "text",
    ["GET /contact/ada@example.com", "'ada@example.com'", "/ada%40example.com?x", "stream 'ada@example.com' came"],
)
@pytest.mark.parametrize("name", ["target-mailing.intake", "tap-mailing", "botocore"])
def test_p7_no_log_line_shows_an_address(name, text):
    assert "<address>" in shown(name, logging.WARNING, "%s", text)
    assert "ada" not in shown(name, logging.WARNING, "%s", text).replace("<address>", "")


def test_p7_control_characters_are_shown_as_such_and_no_line_can_be_forged():
    assert shown("tap-mailing", logging.INFO, "a\x1b[31m\rb\nERROR c") == "a\\x1b[31m\\x0db\\x0aERROR c\n"
    assert shown("tap-mailing", logging.INFO, "a\u202eb\u200bc\ufeff\u2028") == "a\\u202eb\\u200bc\\ufeff\\u2028\n"
    assert shown("tap-mailing", logging.INFO, '  File "x"\n    y()\n') == '  File "x"\n    y()\n\n'


def test_p7_libraries_tell_no_details_and_no_tracebacks():
    assert shown("httpcore.http11", logging.DEBUG, "headers") == ""
    assert shown("botocore.hooks", logging.INFO, "event") == ""
    assert shown("singer_sdk.mapper", logging.DEBUG, "Filter result: %s", "Ada") == ""
    assert shown("singer_sdk.mapper", logging.INFO, "told") == "told\n"
    try:
        int("ada@example.com")
    except ValueError:
        assert shown("botocore", logging.ERROR, "failed", exc_info=True) == "failed\n"
        own = shown("target-mailing", logging.ERROR, "failed", exc_info=True)
    assert "ValueError: invalid literal for int() with base 10: '<address>'" in own
    told = shown("target-mailing", logging.WARNING, "ada@example.com", stack_info=True)  # this line is in it
    assert ("Stack (most recent call last)" in told, "ada@" in told) == (True, False)


class Point:
    def to_dict(self):
        return {"value": 1}

    def __str__(self):
        return json.dumps(self.to_dict())


def test_a_metric_stays_what_structured_formats_read():
    record = logging.makeLogRecord({"name": "singer_sdk.metrics", "levelno": logging.INFO, "msg": "METRIC: %s"})
    record.args = (point := Point(),)
    assert LogFilter().filter(record)
    assert (record.msg, record.args) == ("METRIC: %s", (point,))


# Secrets

KEY = "c4naryK3y/with+odd=chars"
FORMS = {
    "as it is": KEY,
    "in lower case": KEY.lower(),
    "in a URL": quote(KEY, safe=""),
    "in a form": quote_plus(KEY),
    "in JSON": json.dumps({"key": KEY}),
    "in Python": repr({"key": KEY}),
    "as Basic authentication": base64.b64encode(f"user:{KEY}".encode()).decode(),
    "as Basic authentication, as user": base64.b64encode(f"{KEY}:other".encode()).decode(),
    "in base64": base64.b64encode(KEY.encode()).decode(),
    "in base64 of URLs": base64.urlsafe_b64encode(b"0" + KEY.encode()).decode(),
    "in hexadecimals": KEY.encode().hex(),
}
ODD = {
    "quotes": "can'ary\"q",
    "a break": "canary1\ncanary2",
    "letters": "canaryäß€",
    "a surrogate": "canarycanary\ud800",
}


@pytest.mark.parametrize("form", FORMS)
def test_p7_a_key_is_hidden_in_any_form(secrets, form):
    secrets.add(KEY)
    left = shown("target-mailing", logging.INFO, "before %s after", FORMS[form])
    assert "<secret>" in left
    assert left.startswith("before ")
    assert left.endswith(" after\n")
    assert len(left) <= len("before <secret> after\n") + 12  # what stands around it


@pytest.mark.parametrize("odd", ODD)
def test_p7_a_key_of_odd_characters_is_hidden(secrets, odd):
    secrets.add(ODD[odd])
    for text in (ODD[odd], repr(ODD[odd]), json.dumps(ODD[odd]), f"x{ODD[odd]}y"):
        assert "canary" not in shown("target-mailing", logging.INFO, "%s", text)


DATABASES = [
    "postgresql://u:CANARYpw1@h/db",
    "postgresql://u:pre@CANARYpw2@h/db",
    "postgresql://u:pre/CANARYpw3@h/db",
    "postgresql://u:pre?CANARYpw4#x@h:5432/db",
    "postgresql://u:pre%40CANARYpw5@h/db",
    "postgresql://h/db?user=u&password=CANARYpw6",
    "postgresql://h/db?sslpassword=CANARYpw7&x=y",
    "host=h user=u password=CANARYpw8 dbname=db",
    "host=h password='CANARY pw9'",
    "u:CANARYpw0@h/db",
    "jdbc:postgresql://h/db?user=u&password=CANARYpwA",
]


@pytest.mark.parametrize("url", DATABASES)
def test_p7_the_password_of_a_database_is_hidden_whole_and_in_pieces(secrets, url):
    journal = Setting(name="journal", title="", description="", secret=True)
    places = Setting(name="change_detection", title="", description="", type="object", secret=True)
    for config in ({"journal": url}, {"change_detection": {"url": url}}):
        remember_secrets(config, [journal, places], {}, secrets)
        for text in (url, url.partition("@")[2] or url, "CANARY" + url.rpartition("CANARY")[2]):
            assert "CANARY" not in shown("target-mailing", logging.ERROR, "failed: %s", text)


def test_p7_a_place_without_a_password_stays_readable(secrets):
    journal = Setting(name="journal", title="", description="", secret=True)
    remember_secrets({"journal": "/var/lib/journal.sqlite"}, [journal], {}, secrets)
    assert shown("target-mailing", logging.INFO, "Journal: /var/lib/journal.sqlite") == (
        "Journal: /var/lib/journal.sqlite\n"
    )


def test_p7_secrets_of_settings_environment_and_misspelt_settings_are_remembered(secrets):
    settings = [
        Setting(name="api_key", title="", description="", secret=True, credential=True, env="OFFICIAL_KEY"),
        Setting(name="base_url", title="", description=""),
    ]
    config = {"api_key": "CANARYkey1", "secretkey": ["CANARYkey2"], "base_url": "https://u:CANARYkey3@h/"}
    environ = {
        "OFFICIAL_KEY": "CANARYkey4", "AWS_SECRET_ACCESS_KEY": "CANARYkey5", "PGPASSWORD": "CANARYkey6",
        "HTTPS_PROXY": "http://me:CANARYkey7@proxy:3128", "all_proxy": "me:CANARYkey8@proxy",
    }  # fmt: skip
    remember_secrets(config, settings, environ, secrets)
    for number in range(1, 9):
        assert shown("tap-mailing", logging.INFO, "<%s>", f"CANARYkey{number}") == "<<secret>>\n"


def test_a_secret_that_is_a_word_spoils_no_text(secrets):
    for secret in ("wrong", "x", "postgres", "hunter2", "Secret"):
        secrets.add(secret)
    shown_as = "wrong x: PostgreSQL <secret> <secret> <secret> xhunter2"
    assert shown("tap-mailing", logging.INFO, "wrong x: PostgreSQL postgres hunter2 Secret xhunter2") == f"{shown_as}\n"


@pytest.mark.parametrize(
    "text",
    [
        "GET https://b.s3.amazonaws.com/k?X-Amz-Credential=CANARY%2F2026&X-Amz-Signature=CANARY&X-Amz-Security-Token=CANARY",
        "Authorization: Bearer CANARY.CANARY-x_y",
        "{'authorization': 'Basic Q0FOQVJZQ0FOQVJZ='}",
    ],
)
def test_p7_what_opens_a_door_is_hidden_though_nobody_knows_it(secrets, text):
    left = shown("tap-mailing", logging.INFO, "%s", text)
    assert "CANARY" not in left
    assert "Q0FO" not in left
    assert secrets.hide("plain") == "plain"


# Handlers that come later


@pytest.fixture
def guarded(monkeypatch):
    factory = logging.getLogRecordFactory()
    for module, name in ((sys, "excepthook"), (threading, "excepthook")):
        monkeypatch.setattr(module, name, getattr(module, name))
    handlers = {handler: list(handler.filters) for handler in [*logging.getLogger().handlers, logging.lastResort]}
    guard_logs()
    yield
    logging.setLogRecordFactory(factory)
    for handler, filters in handlers.items():
        handler.filters[:] = filters


@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize("name", ["target-mailing", "httpcore.http11", "sqlalchemy.engine"])
def test_p7_a_handler_that_is_added_later_shows_no_secret_either(secrets, name):
    secrets.add("CANARYkey")
    stream = io.StringIO()
    logger = logging.getLogger(name)
    handler = logging.StreamHandler(stream)
    level, logger.level = logger.level, logging.DEBUG
    logger.addHandler(handler)
    try:
        logger.debug("debug CANARYkey of ada@example.com")
        logger.warning("told %s", {"key": "CANARYkey"})
        try:
            raise ValueError("CANARYkey")  # noqa: TRY301
        except ValueError:
            logger.exception("failed")
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    assert "CANARY" not in stream.getvalue()
    assert "ada@" not in stream.getvalue()
    assert "told {'key': '<secret>'}" in stream.getvalue()


@pytest.mark.usefixtures("guarded")
def test_p7_an_error_that_nobody_caught_is_told_without_its_text(caplog):
    with caplog.at_level(logging.DEBUG):
        thread = threading.Thread(target=int, args=("Ada Lovelace",))
        thread.start()
        thread.join()
    assert "Unexpected ValueError" in caplog.text
    assert "Ada" not in caplog.text


def test_p7_what_is_got_on_the_way_is_remembered_too():
    session = MpdxSession(None, lambda: "CANARYtoken1")
    session.ensure()
    assert SECRETS.hide("<CANARYtoken1>") == "<<secret>>"
    keys = {"access_key_id": "AKIDX", "secret_access_key": "CANARYsecret2", "session_token": "CANARYtoken3"}
    AwsSession(**keys, region="eu-west-1").credentials()
    assert SECRETS.hide("<CANARYsecret2> <CANARYtoken3>") == "<<secret>> <<secret>>"


@pytest.mark.parametrize("plugin", [TapMailing, TargetMailing])
def test_p7_plugins_remember_the_secrets_of_their_settings(plugin):
    plugin(config={"mailjet_api_key": f"CANARY4{plugin.name}", "mailjet_secret_key": f"CANARY5{plugin.name}"})
    assert SECRETS.hide(f"<CANARY4{plugin.name}> <CANARY5{plugin.name}>") == "<<secret>> <<secret>>"
