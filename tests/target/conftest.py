"""A Mailjet account in the sandbox, and a way to pipe a Singer stream into the target."""

from __future__ import annotations

import contextlib
import io
import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mailing_sandbox.server import Sandbox
from target_mailing.journal.retried import Selection
from target_mailing.target import TargetMailing
from tests.history import check_history, files_of
from tests.postgresql import postgresql

LIST = "Spring readers"

PROPERTIES = {"city": "str", "visits": "int", "score": "float", "vip": "bool", "birthday": "datetime"}

COLUMNS = {
    "id": {"type": ["integer", "null"]},
    "email": {"type": ["string", "null"]},
    "name": {"type": ["string", "null"]},
    "city": {"type": ["string", "null"]},
    "visits": {"type": ["integer", "string", "null"]},
    "properties": {"type": ["object", "null"]},
    "subscription_status": {"type": ["string", "null"]},
    "_sdc_deleted_at": {"type": ["string", "null"], "format": "date-time"},
}


def schema(stream: str = "people", columns: dict[str, Any] | None = None, keys: Iterable[str] = ("id",)):
    properties = {**(COLUMNS if columns is None else columns)}  # a test may change them
    return {
        "type": "SCHEMA",
        "stream": stream,
        "schema": {"type": "object", "properties": properties},
        "key_properties": list(keys),
    }


def person(number: int, *, stream: str = "people", **columns: Any):
    record = {"id": number, "email": f"person{number}@example.com", "name": f"Person {number}", "city": "Lyon"}
    return {"type": "RECORD", "stream": stream, "record": record | columns}


def people(numbers: Iterable[int], **columns: Any):
    return [person(number, **columns) for number in numbers]


def reader(number: int, **columns: Any):
    """Somebody without a name, which no file can hold."""
    return person(number, name=None, **columns)


def readers(numbers: Iterable[int], **columns: Any):
    return [reader(number, **columns) for number in numbers]


def state(value: Any):
    """A STATE; one that is called by a number holds that, for the value is an object."""
    return {"type": "STATE", "value": value if isinstance(value, dict) else {"number": value}}


@dataclass
class Result:
    """What a run left: STATEs written, its outcomes, its error, its rejects."""

    states: list[Any]
    outcomes: dict[str, Any]
    error: BaseException | None
    rejects: list[dict[str, Any]]
    log: str

    def counts(self) -> dict[str, int]:
        names = ("delivered", "unchanged", "withheld", "superseded", "skipped", "rejected")
        return {name: self.outcomes[name] for name in names if self.outcomes[name]}


@dataclass
class Mailjet:
    """The account, and the target's settings for it."""

    sandbox: Sandbox
    folder: Path
    config: dict[str, Any] = field(default_factory=dict)

    @property
    def secret(self) -> bytes:
        return self.sandbox.secret_key.encode()

    @property
    def list_id(self) -> int:
        return self.ids[LIST]

    @property
    def ids(self) -> dict[str, int]:
        store = self.sandbox.mailjet._account.store
        return {row.name: row.id for row in store.lists.rows}

    def members(self, name: str = LIST) -> dict[str, dict[str, Any]]:
        return self.sandbox.mailjet.members(self.ids[name])

    def statuses(self, name: str = LIST) -> dict[str, str]:
        return {email: member["status"] for email, member in self.members(name).items()}

    def opt_out(self, email: str) -> None:
        self.sandbox.mailjet.add_contacts([{"email": email, "list": self.list_id, "unsubscribed": True}])

    def received(self) -> list[dict[str, Any]]:
        return self.sandbox.mailjet.received()

    def settings(self, **config: Any) -> dict[str, Any]:
        merged = self.config | config
        return {name: value for name, value in merged.items() if value is not None}

    def deliver(self, messages: Iterable[Any], **config: Any) -> Result:
        """Pipe messages (or a text) into the target, in this process."""
        text = messages if isinstance(messages, str) else self.text(messages)
        return self.deliver_from(io.StringIO(text), **config)

    @staticmethod
    def text(messages: Iterable[Any]) -> str:
        """Messages as lines."""
        return "".join(json.dumps(one) + "\n" for one in messages)

    def retry(self, *, codes=(), streams=(), runs=(), **config: Any) -> Result:
        """Send open rejects again, in this process."""
        return self.deliver_from(None, Selection(codes, streams, runs), **config)

    def deliver_from(self, source: Any, again: Selection | None = None, **config: Any) -> Result:
        """Let the target read from something, or send open rejects again."""
        out, log, error = io.StringIO(), io.StringIO(), None
        handler = _Capture(log)
        logger = logging.getLogger()
        before = logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        known = set(self.folder.glob("rejects/*"))
        histories = files_of(self.folder)
        try:
            with contextlib.redirect_stdout(out):
                target = TargetMailing(config=self.settings(**config))
                target._selection = again
                target.listen(source)
        except Exception as exc:  # noqa: BLE001 - the test looks at it
            error = exc
        finally:
            logger.removeHandler(handler)
            logger.setLevel(before)
        totals = handler.outcomes
        assert sum(totals.get("effects", {}).values()) == totals.get("delivered", 0), totals
        _check_streams(totals, handler.streams)
        check_history(self.folder, histories, totals)
        rejects = [
            json.loads(line)
            for path in sorted(set(self.folder.glob("rejects/*")) - known)
            for line in path.read_text().splitlines()
        ]
        return Result(
            states=[_called(json.loads(line)) for line in out.getvalue().splitlines()],
            outcomes=handler.outcomes,
            error=error,
            rejects=[one for one in rejects if one["type"] == "RECORD"],
            log=log.getvalue(),
        )


def _check_streams(totals: dict[str, Any], streams: list[dict[str, Any]]) -> None:
    """Check that the rows of all streams add up to those of the run, where one line counts at no two places."""
    names = ("rows", "delivered", "unchanged", "withheld", "superseded", "skipped", "rejected")
    sums = {name: sum(one[name] for one in streams) for name in names}
    expected = {name: totals.get(name, 0) for name in names}
    assert sums == expected or (sums["rows"] > expected["rows"] and len(streams) > 1), (totals, streams)


class _Capture(logging.StreamHandler):
    """Keeps what is logged, and the fields of the totals."""

    def __init__(self, log: io.StringIO) -> None:
        super().__init__(log)
        self.outcomes: dict[str, Any] = {}
        self.streams: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.outcomes = getattr(record, "outcomes", self.outcomes)
        self.streams = getattr(record, "streams", self.streams)
        super().emit(record)


def _called(value: dict[str, Any]) -> Any:
    return value["number"] if value.keys() == {"number"} else value


def imports(mailjet: Mailjet) -> list[dict[str, Any]]:
    """The jobs of CSV files."""
    return [job for job in mailjet.sandbox.mailjet.jobs() if job["route"] == "csv"]


def files(mailjet: Mailjet) -> list[str]:
    """The files uploaded."""
    return [content.decode() for content in mailjet.sandbox.mailjet._account.jobs.uploads.values()]


@pytest.fixture(autouse=True)
def listed_within(monkeypatch):
    """No job is listed later than this (seconds), so that nobody waits a minute for one."""
    monkeypatch.setattr("target_mailing.delivery.doubts.LISTED_WITHIN", 0.15)


@pytest.fixture(scope="session")
def postgresql_url():
    with postgresql() as url:
        yield url


@pytest.fixture
def mailjet(tmp_path):
    with Sandbox(job_seconds=0.02) as sandbox:
        sandbox.mailjet.add_list(LIST)
        for name, datatype in PROPERTIES.items():
            sandbox.mailjet.add_property(name, datatype)
        config = {
            "mailjet_api_key": sandbox.api_key,
            "mailjet_secret_key": sandbox.secret_key,
            "mailjet_base_url": sandbox.url,
            "mailjet_property_delay": 0.05,
            "list": LIST,
            "properties": ["city", "visits"],
            "journal": str(tmp_path / "journal.sqlite"),
            "poll_interval": 0.015,
            "poll_max_interval": 0.03,
            "max_rejected": "100%",
        }
        yield Mailjet(sandbox, tmp_path, config)


@pytest.fixture
def by_csv(mailjet):
    """The same account, by the CSV route."""
    mailjet.config["route"] = "csv"
    return mailjet
