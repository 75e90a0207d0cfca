"""People who are on one side, on the other, or on both, and how their sides differ."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from tests.target.conftest import COLUMNS, schema, state
from tests.target.plan.worlds import DELETED, World
from tests.target.ses.conftest import TOPICS

#: What is put there for somebody -> what is to be found: how they differ, and the reason.
CASES = {
    "alike": None,
    "spelled otherwise": None,
    "missing": ("missing", ""),
    "different": ("different", ""),
    "opted out on both sides": None,
    "opted out here": ("different", ""),
    "opted out there": ("opted_out", "unsubscribed"),
    "extra": ("extra", "unnamed"),
    "extra who opted out": ("extra", "opted_out"),
    "deleted": None,
    "deleted and there": ("extra", "removed"),
    "deleted and opted out": None,
    "rejected and there": None,
    "rejected": None,
    "repeated": ("different", ""),
    "moved": None,
    "moved and there": ("extra", "moved"),
}
OF_MAILJET = {
    "excluded there": ("opted_out", "excluded"),
    "complained": ("suppressed", "spam_complaint"),
    "complained, and opted out there": ("opted_out", "unsubscribed"),
    "extra who complained": ("extra", "unnamed"),
}
OF_SES = {"suppressed": ("suppressed", "BOUNCE")}
#: The cases in which a delivery, or a mirror, would change somebody.
COUNTED = ("missing", "different", "extra")

_HELD = {
    "alike", "spelled otherwise", "different", "opted out on both sides", "opted out here", "opted out there", "extra",
    "extra who opted out", "deleted and there", "deleted and opted out", "rejected and there", "repeated",
    "moved and there", "excluded there", "suppressed", "complained", "complained, and opted out there",
    "extra who complained",
}  # fmt: skip
_OPTED_OUT = {
    "opted out on both sides", "opted out there", "extra who opted out", "deleted and opted out",
    "complained, and opted out there",
}  # fmt: skip


def email(number: int) -> str:
    """The address of somebody."""
    return f"someone{number}@example.com"


def rows(number: int, case: str, *, on_ses: bool) -> Iterator[dict[str, Any]]:
    """The rows of somebody, in order."""
    row: dict[str, Any] = {"id": number, "email": email(number), **_values(on_ses)}
    if case == "spelled otherwise":
        row["email"] = email(number).replace("someone", "SomeOne")
    elif case in {"opted out on both sides", "opted out here"}:
        row["subscription_status"] = "unsubscribed"
    elif case in {"deleted", "deleted and there", "deleted and opted out"}:
        row |= DELETED
    elif case in {"rejected", "rejected and there"}:
        row["id"] = None
    elif case == "repeated":
        yield row
        row = {**row, **_values(on_ses, changed=True)}
    elif case in {"moved", "moved and there"}:
        yield row
        row = {**row, "email": f"new{number}@example.com"}
    if not case.startswith("extra"):
        yield row


def _values(on_ses: bool, *, changed: bool = False) -> dict[str, Any]:
    if on_ses:
        return {"topic_News": "OPT_OUT" if changed else "OPT_IN"}
    return {"city": "Oslo" if changed else "Lyon", "visits": 7}


def messages(cases: Iterable[str], *, on_ses: bool) -> list[dict[str, Any]]:
    """The input."""
    columns = COLUMNS | {f"topic_{name}": {"type": ["string", "null"]} for name in TOPICS if on_ses}
    columns = columns | {"id": {"type": "integer"}}
    people = [
        {"type": "RECORD", "stream": "people", "record": row}
        for number, case in enumerate(cases)
        for row in rows(number, case, on_ses=on_ses)
    ]
    return [schema(columns=columns), *people, state(1)]


def put(here: World, cases: Iterable[str], *, on_ses: bool) -> None:
    """Put everybody on the list who is to be there."""
    for number, case in enumerate(cases):
        if case.startswith("moved"):
            _put(here, f"new{number}@example.com", case, on_ses=on_ses)
        if case in _HELD:
            _put(here, email(number), case, on_ses=on_ses)


def _put(here: World, address: str, case: str, *, on_ses: bool) -> None:
    changed, account = case == "different", here.account
    if on_ses:
        topics = {"News": "OPT_OUT" if changed else "OPT_IN"}
        account.add({"email": address, "unsubscribed": case in _OPTED_OUT, "topics": topics})
        if case == "suppressed":
            account.suppress(address)
        return
    contact = {"email": address, "list": account.list_id, "unsubscribed": case in _OPTED_OUT}
    contact |= {"properties": _values(on_ses, changed=changed), "excluded": case == "excluded there"}
    contact["spam_complaint"] = "complained" in case
    account.sandbox.mailjet.add_contacts([contact])


def expected(cases: Iterable[str]) -> dict[str, tuple[str, str]]:
    """What is to be found, by address."""
    of = CASES | OF_MAILJET | OF_SES
    return {email(number): finding for number, case in enumerate(cases) if (finding := of[case]) is not None}


def found(path: Any) -> dict[str, tuple[str, str]]:
    """What was found, by address."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len({line["email"] for line in lines}) == len(lines)
    return {line["email"]: (line["found"], line.get("reason", "")) for line in lines}
