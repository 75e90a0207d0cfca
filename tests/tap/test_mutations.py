"""Whatever stands at any place of an answer or a given file: right output or a clear error, and no bookmark moves."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as drawn
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.plugin_base import _ConfigInput

from mailing_api.errors import MailingError
from mailing_api.http.retry import RetryPolicy
from mailing_sandbox.server import Sandbox
from tap_mailing.tap import TapMailing
from tests.searching import examples
from tests.tap.mutations import VALUES, paths, replaced

BOOKMARK = "2024-06-01T00:00:00.000000Z"
#: One of many places, a value to stand there, and whether in the first item of arrays only.
CHANGES = st.tuples(st.integers(0, 1_000_000), st.sampled_from(sorted(VALUES)), st.booleans())
ONCE = RetryPolicy(throttle_base=0, fault_base=0, throttle_tries=1, fault_tries=1)

_IDS = re.compile(r"/(?:[0-9a-f]{8}-[0-9a-f-]{27}|[a-z_]+_[A-Za-z0-9]{8,}|\d+|[^/]*(?:@|%40)[^/]*)(?=/|$)")


def route(path):
    return _IDS.sub("/{id}", path)


class Replay(httpx.BaseTransport):
    """Answers as before, or as the sandbox does what was not asked before; `change` may change a document."""

    def __init__(self):
        self.answers = {}
        self.change = None
        self.asked = set()
        self._network = httpx.HTTPTransport()

    def handle_request(self, request):
        self.asked.add(route(request.url.path))
        key = (request.method, request.url.path, tuple(sorted(request.url.params.multi_items())), request.read())
        if key not in self.answers:
            answer = self._network.handle_request(request)
            self.answers[key] = (answer.status_code, answer.read(), answer.headers.get("content-type", ""))
        status, content, kind = self.answers[key]
        if self.change is not None and status == 200 and "json" in kind:
            content = self.change(route(request.url.path), content)
        return httpx.Response(status, content=content, headers={"Content-Type": kind})

    def documents(self):
        for (_, path, _, _), (status, content, kind) in self.answers.items():
            if status == 200 and "json" in kind:
                yield route(path), json.loads(content)

    def close(self):
        """Stay open for the next run."""

    def end(self):
        self._network.close()


class Recorded:
    """Settings and recorded answers of each provider, the streams' keys for bookmarks, and every place of an answer."""

    def __init__(self, replays, keys, places):
        self.replays = replays
        self.keys = keys
        self.places = places


class Files:
    """What users give, and every place in it."""

    def __init__(self, documents, places):
        self.documents = documents
        self.places = places


@pytest.fixture(scope="module")
def recorded(tap_functions):
    """One run of each provider."""
    with pytest.MonkeyPatch.context() as patch, Sandbox(contacts=12, seed=1) as sandbox:
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        sandbox.switches.change({"mpdx_rate_limit": 0})
        everything = tap_functions.settings_of_all(sandbox)
        replays, keys, places = {}, {}, []
        for provider in ("mailjet", "mpdx", "postgrid", "ses"):
            config = {name: value for name, value in everything.items() if name.startswith((provider, "max_"))}
            catalog = tap_functions.catalog(config=config)
            found = {one["stream"]: one.get("replication_key") for one in catalog["streams"]}
            replay = replays[provider] = (config, Replay())
            keys |= found
            for state in (None, beginning(found)):
                run = tap_functions.run(config, *found, state=state, transport=replay[1])
                assert run.error is None
            documents = list(replay[1].documents())
            for stream in found:
                replay[1].asked.clear()
                tap_functions.run(config, stream, transport=replay[1])
                mine = [(path, document) for path, document in documents if path in replay[1].asked]
                places += sorted({(stream, path, place) for path, document in mine for place in paths(document)})
        yield Recorded(replays, keys, places)
        for _, replay in replays.values():
            replay.end()


def beginning(keys):
    """A STATE with a bookmark for each stream that has a key."""
    bookmarks = {
        stream: {"replication_key": key, "replication_key_value": BOOKMARK} for stream, key in keys.items() if key
    }
    return {"bookmarks": bookmarks}


@pytest.mark.slow
@pytest.mark.machine
@settings(max_examples=examples(40, 1500), suppress_health_check=list(HealthCheck))
@drawn(change=CHANGES, has_state=st.booleans())
def test_p6_p9_any_value_at_any_place_of_an_answer_is_read_or_reported(recorded, tap, caplog, change, has_state):
    number, name, first = change
    stream, path, place = recorded.places[number % len(recorded.places)]
    has_state = has_state and recorded.keys[stream] is not None
    caplog.clear()
    caplog.set_level(logging.INFO)
    config, replay = recorded.replays[stream.partition("_")[0]]
    replay.change = lambda asked, content: (
        json.dumps(replaced(json.loads(content), place, name, first=first)).encode() if asked == path else content
    )
    state = beginning({stream: recorded.keys[stream]}) if has_state else None
    run = tap.run(config, stream, state=state, transport=replay, retry=ONCE)
    replay.change = None
    assert "This is a bug" not in caplog.text
    if name != "other object":  # its keys are names of fields, which messages show
        assert "canary" not in caplog.text
    (schema,) = [one for one in run.messages if one["type"] == "SCHEMA"] or [{"schema": {}, "key_properties": []}]
    check = Draft202012Validator(schema["schema"])
    for record in run.records(stream):
        check.validate(record)
        assert all(record[key] not in (None, "") for key in schema["key_properties"])
    states = [one["value"] for one in run.messages if one["type"] == "STATE"]
    moments = [one["bookmarks"].get(stream, {}).get("replication_key_value") for one in states]
    if run.error is not None:
        assert set(moments) <= {BOOKMARK if has_state else None}
    else:
        latest = datetime.now(UTC) + timedelta(seconds=1)
        assert all(datetime.fromisoformat(one) <= latest for one in moments if one)
        assert not has_state or all(one >= BOOKMARK for one in moments)


FILES = {
    "state": {
        "bookmarks": {
            "mailjet_import_jobs": {
                "replication_key": "created_at",
                "replication_key_value": BOOKMARK,
                "undated_jobs": [3],
                "partitions": [{"context": {"a": 1}, "progress_markers": {}}],
                "progress_markers": {"replication_key": "created_at"},
            },
            "mailjet_contacts": {"snapshots": {"default": "abc"}},
        },
        "currently_syncing": "mailjet_contacts",
    }
}


@pytest.fixture(scope="module")
def files(tap_functions):
    """A catalog and a STATE."""
    catalog = tap_functions.catalog(config={"mailjet_api_key": "x"})
    kept = [one for one in catalog["streams"] if one["stream"] in ("mailjet_contacts", "mailjet_import_jobs")]
    for one in kept:
        one["schema"]["properties"] = dict(list(one["schema"]["properties"].items())[:4])
        one["metadata"] = one["metadata"][:4]
    found = {**FILES, "catalog": {"streams": kept}}
    return Files(found, [(option, place) for option, document in found.items() for place in sorted(paths(document))])


@pytest.mark.slow
@pytest.mark.machine
@settings(max_examples=examples(60, 1500), suppress_health_check=list(HealthCheck))
@drawn(change=CHANGES)
def test_p9_any_value_at_any_place_of_a_given_file_is_understood_or_reported(files, fake, caplog, change):
    number, name, first = change
    option, place = files.places[number % len(files.places)]
    given = {**files.documents, option: replaced(files.documents[option], place, name, first=first)}
    caplog.clear()
    mailjet = fake(contact=[{"ID": 1, "Email": "a@inbox.test"}], batchjob=[{"ID": 1, "Status": "Completed"}])

    class Tap(TapMailing):
        name = "tap-mailing"

        def __init__(self, **options):
            super().__init__(transport=mailjet.transport, retry=ONCE, **options)

    config = {"mailjet_api_key": "x", "mailjet_secret_key": "y"}
    output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with contextlib.redirect_stdout(output), contextlib.suppress(MailingError, ConfigValidationError):
        Tap.invoke(
            config=_ConfigInput(config=config, parse_env=False),
            **{one: io.StringIO(json.dumps(document)) for one, document in given.items()},
        )
    assert "This is a bug" not in caplog.text
    output.seek(0)
    assert all(json.loads(line) for line in output)
