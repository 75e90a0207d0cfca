"""Invented data: the same numbers give the same data, dates included."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import msgspec

from mailing_sandbox.ses.exports import ExportJob
from mailing_sandbox.ses.imports import suppress
from mailing_sandbox.ses.jobs import ImportJob, job_id
from mailing_sandbox.ses.records import Contact, ContactList, Topic

if TYPE_CHECKING:
    from mailing_sandbox.ses.account import Account, Region
    from mailing_sandbox.ses.records import Status

ANCHOR = 1_735_725_600.0
"""2025-01-01T10:00:00Z: everything invented happened in the year before."""

DAY = 86_400
MOST_IMPORTS = 500
REGIONS = (("us-east-1", 1), ("eu-west-1", 10))
"""Regions with data, and by how much each has less than all of it."""

FIRST = ("Ada", "Noor", "Émile", "Zoë", "Jürgen", "José", "Farah", "João", "Kwame", "Liang", "Olga", "Priya", "花子")
CITIES = ("Lyon", "Zürich", "São Paulo", "Kraków", "Málaga", "Oslo", "Lagos", "Osaka")
DOMAINS = ("example.com", "example.org", "example.net", "mail.test", "inbox.test")
TOPICS: tuple[tuple[str, str, Status], ...] = (
    ("News", "Monthly news", "OPT_IN"),
    ("Events", "Événements", "OPT_OUT"),
    ("Offers", "Offers", "OPT_OUT"),
    ("Product", "Product news", "OPT_IN"),
)


def fill(account: Account, contacts: int, seed: int) -> None:
    """Add invented contacts, suppressions and past jobs."""
    for name, share in REGIONS:
        _fill(account.region(name), contacts // share, random.Random(f"{seed}:{name}"), seed)


def _fill(region: Region, contacts: int, drawn: random.Random, seed: int) -> None:
    created = ANCHOR - 360 * DAY
    if region.contact_list is None:
        region.contact_list = ContactList(
            name="Readers", created=created, updated=created, description="Everybody who reads us"
        )
        for name, shown, default in TOPICS:
            region.contact_list.topics[name] = Topic(name=name, display_name=shown, description=None, default=default)
    row = region.contact_list
    names = [name for name, _, _ in TOPICS if name in row.topics]
    for place in range(contacts):
        joined = ANCHOR - 350 * DAY + place * 300 * DAY // max(contacts, 1) + drawn.randrange(1000) / 1000
        email = f"reader{seed}.{place}{'+news' if place % 20 == 7 else ''}@{DOMAINS[place % len(DOMAINS)]}"
        if row.contacts.get(email) is not None:
            continue
        contact = Contact(number=row.contacts.next_number(), email=email, created=joined, updated=joined)
        chance = drawn.random()
        contact.unsubscribed = chance < 0.08
        if chance < 0.6:
            contact.preferences = {name: "OPT_IN" if drawn.random() < 0.7 else "OPT_OUT" for name in names[: place % 5]}
        if chance > 0.2:
            given = {"firstName": FIRST[place % len(FIRST)], "city": CITIES[place % len(CITIES)], "visits": place % 500}
            contact.attributes = msgspec.json.encode(given).decode()
        if chance < 0.3:
            contact.updated = joined + drawn.randrange(1, 40 * DAY)
        row.contacts.add(email, contact)
    _suppressions(region, contacts // 20, drawn, seed)
    _jobs(region, min(contacts // 25, MOST_IMPORTS), drawn)


def _suppressions(region: Region, count: int, drawn: random.Random, seed: int) -> None:
    for place in range(count):
        at = ANCHOR - 300 * DAY + place * 290 * DAY // count + drawn.randrange(1000) / 1000
        reason = "COMPLAINT" if drawn.random() < 0.2 else "BOUNCE"
        row = suppress(region, f"gone{seed}.{place}@{DOMAINS[place % len(DOMAINS)]}", reason, at)
        if place % 3:
            row.attributes = {"MessageId": f"{drawn.getrandbits(64):016x}-000000", "FeedbackId": f"{seed}-{place}"}


def _jobs(region: Region, count: int, drawn: random.Random) -> None:
    """Add past imports of every kind and end, and a few exports."""
    row = region.contact_list
    for place in range(count):
        created = ANCHOR - 200 * DAY + place * 190 * DAY // count
        number = region.imports.next_number()
        status = ("COMPLETED", "COMPLETED", "COMPLETED", "FAILED", "COMPLETED")[place % 5]
        total = drawn.randrange(1, 5000) if status == "COMPLETED" else 0
        failed = drawn.randrange(min(total, 5)) if place % 5 == 4 and total else 0
        job = ImportJob(
            number=number,
            id=job_id(region.name, "import", number),
            contact_list=None if place % 4 == 3 or row is None else row.name,
            action="DELETE" if place % 6 == 5 else "PUT",
            bucket="past-imports",
            key=f"readers/{place:05d}.json",
            data_format="CSV" if place % 3 == 2 else "JSON",
            created=created,
            status=status,
            ended=created + 40,
            total=total,
            done=total,
            failed=failed,
            error="" if status == "COMPLETED" else "Unable to read the object: AccessDenied",
        )
        region.imports.add(job.id, job)
    span = {"StartDate": ANCHOR - 20 * DAY, "EndDate": ANCHOR - 10 * DAY}
    for place in range(min(count, 3)):
        number = region.exports.next_number()
        past = ExportJob(
            number=number,
            id=job_id(region.name, "export", number),
            source={"MessageInsightsDataSource": span},
            data_format="CSV",
            created=ANCHOR - (9 - place) * DAY,
            status=("COMPLETED", "FAILED", "CANCELLED")[place],
            ended=ANCHOR - (9 - place) * DAY + 60,
        )
        region.exports.add(past.id, past)
