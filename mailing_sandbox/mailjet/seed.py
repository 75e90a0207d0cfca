"""Invented data: the same numbers give the same data, dates included."""

from __future__ import annotations

import random
import unicodedata
from typing import TYPE_CHECKING, Literal

from mailing_sandbox.mailjet.jobs import Job
from mailing_sandbox.mailjet.load import RowError
from mailing_sandbox.mailjet.records import Membership, Segment, Signup, rfc3339

if TYPE_CHECKING:
    from mailing_sandbox.mailjet.account import Account
    from mailing_sandbox.mailjet.records import Contact, MailingList

ANCHOR = 1_735_725_600
"""2025-01-01T10:00:00Z: everything invented happened in the year before."""

DAY = 86_400
HOUR = 3_600
MOST_IMPORTS = 5_000
SIMPLE_FROM = 200_000
"""From this many contacts on, one list and two properties each: fast to make and light to keep."""

FIRST = (
    "Ada", "Noor", "Émile", "Zoë", "Jürgen", "Søren", "Łucja", "José", "Anaïs", "Björn", "Chloé", "Dieter",
    "Eun-ji", "Farah", "Giulia", "Håkon", "Inès", "João", "Kwame", "Liang", "Mateusz", "Nkechi", "Olga", "Priya",
    "Quentin", "Ruth", "Sanjay", "Thảo", "Ursula", "Víctor", "Wanda", "Xenia", "Yuki", "Zainab", "Юлия", "Μαρία",
    "花子", "Łukasz",
)  # fmt: skip
LAST = (
    "Moreau", "Müller", "Okafor", "Nguyễn", "Søndergaard", "García", "O'Connor", "Kowalczyk", "Silva", "Rossi",
    "Dubois", "Åberg", "Tanaka", "Patel", "Haddad", "Novák", "Petrov", "van den Berg", "de la Cruz", "Smith",
    "Kim", "Öztürk", "Jóhannsdóttir", "Lefèvre", "Schäfer", "Mbeki", "Horváth", "Papadopoulos", "Ivanova", "山田",
)  # fmt: skip
CITIES = ("Lyon", "Zürich", "São Paulo", "Kraków", "Málaga", "Oslo", "Lagos", "Osaka", "Reykjavík", "Dublin", "Hà Nội")
DOMAINS = ("example.com", "example.org", "example.net", "mail.test", "inbox.test")
PROPERTIES = (
    ("first_name", "str"),
    ("last_name", "str"),
    ("city", "str"),
    ("country", "str"),
    ("company", "str"),
    ("visits", "int"),
    ("score", "float"),
    ("donor", "bool"),
    ("birthday", "datetime"),
    ("last_order_at", "datetime"),
    ("newsletter_frequency", "int"),
    ("lifetime_value", "float"),
)
LISTS = (
    ("Spring readers", 0.30),
    ("Donors", 0.12),
    ("Volunteers été", 0.08),
    ("Product news", 0.25),
    ("Événements", 0.10),
    ("Board", 0.01),
    ("Old campaign", 0.05),
    ("Empty list", 0.0),
)
"""Names of the lists and the share of contacts on each; `Old campaign` is deleted."""


def fill(account: Account, contacts: int, seed: int) -> None:
    """Add invented lists, properties, contacts, memberships, jobs, sign-ups and segments."""
    if seed in account.seeded:
        raise ValueError(f"seed {seed} was used already: use another number, or reset first")
    account.seeded.add(seed)
    drawn = random.Random(seed)
    store = account.store
    known = {each.name for each in store.properties.rows}
    for name, datatype in PROPERTIES:
        if name not in known:
            store.add_property(name, datatype)
    lists = [
        store.live_list_named(name) or store.add_list(name, ANCHOR - (300 - place) * DAY)
        for place, (name, _) in enumerate(LISTS)
    ]
    if contacts >= SIMPLE_FROM:
        _many(account, lists[0], contacts, seed)
    else:
        people = [_person(account, drawn, place, contacts, seed) for place in range(contacts)]
        _memberships(account, drawn, people, lists)
        _signups(account, drawn, people, lists)
        for contact in people[-3:] if contacts > 20 else []:
            store.anonymise(contact)
    lists[6].deleted = True
    _segments(account)
    _hourly_imports(account, lists, min(contacts // 4, MOST_IMPORTS))
    _jobs(account, lists)
    store.version += 1


def _many(account: Account, mailing_list: MailingList, contacts: int, seed: int) -> None:
    """Add many plain contacts, all on one list."""
    store = account.store
    columns = {each.name: each.column for each in store.properties.rows}
    width = max(columns["city"], columns["visits"]) + 1
    shapes: list[tuple[str | None, ...]] = []
    for place in range(1000):
        row: list[str | None] = [None] * width
        row[columns["city"]], row[columns["visits"]] = CITIES[place % len(CITIES)], str(place)
        shapes.append(tuple(row))
    first = ANCHOR - 300 * DAY
    for place in range(contacts):
        name = f"{FIRST[place % 20]} {LAST[place % 29]}"
        contact = store.add_contact(f"reader{seed}.{place}@example.com", name, first + place * 20)
        contact.values = shapes[place % 1000]
        membership = Membership(
            id=store.next_id("membership"), contact=contact, list_id=mailing_list.id, subscribed=contact.created
        )
        mailing_list.members[contact.id] = membership
        mailing_list.rows.append(membership)
        store.memberships.append(membership)


def _ascii(name: str) -> str:
    """Return the letters of a name that an address can carry."""
    folded = unicodedata.normalize("NFKD", name).translate(str.maketrans("łŁøØ", "lLoO"))
    return "".join(letter for letter in folded.lower() if letter.isascii() and letter.isalnum()) or "reader"


def _person(account: Account, drawn: random.Random, place: int, contacts: int, seed: int) -> Contact:
    store = account.store
    first, last = drawn.choice(FIRST), drawn.choice(LAST)
    tag = "+news" if drawn.random() < 0.05 else ""
    email = f"{_ascii(first)}.{_ascii(last)}.{seed}{place:05d}{tag}@{drawn.choice(DOMAINS)}"
    name = f"{first} {last}" if drawn.random() < 0.9 else ""
    created = ANCHOR - 290 * DAY + place * 200 * DAY // max(contacts, 1)
    contact = store.add_contact(email, name, created)
    chance = drawn.random()
    contact.excluded = chance < 0.03
    contact.opt_in_pending = 0.03 <= chance < 0.05
    contact.spam_complaining = 0.05 <= chance < 0.06
    if chance < 0.04:
        contact.exclusion_updated = created + DAY
    if drawn.random() < 0.6:
        contact.delivered = drawn.randrange(1, 60)
        contact.active = created + drawn.randrange(DAY, 80 * DAY)
    contact.values = _values(account, drawn, first, last, created)
    return contact


def _values(account: Account, drawn: random.Random, first: str, last: str, created: int) -> tuple[str | None, ...]:
    """Draw a contact's property values; any may be missing."""
    given = {
        "first_name": first,
        "last_name": last,
        "city": drawn.choice(CITIES),
        "country": drawn.choice(("FR", "CH", "BR", "PL", "ES", "NO", "NG", "JP", "IS", "IE", "VN")),
        "company": f"{last} & Co" if drawn.random() < 0.2 else None,
        "visits": str(drawn.randrange(500)),
        "score": f"{drawn.randrange(10_000) / 100}",
        "donor": "true" if drawn.random() < 0.3 else "false",
        "birthday": rfc3339(drawn.randrange(-400_000_000, 1_000_000_000)),
        "last_order_at": rfc3339(created + drawn.randrange(60 * DAY)),
        "newsletter_frequency": str(drawn.randrange(1, 5)),
        "lifetime_value": f"{drawn.randrange(1_000_000) / 100}",
    }
    columns = {each.name: each.column for each in account.store.properties.rows}
    row: list[str | None] = [None] * (max(columns.values()) + 1)
    for name, value in given.items():
        if drawn.random() < 0.75:
            row[columns[name]] = value
    return tuple(row)


def _memberships(account: Account, drawn: random.Random, people: list[Contact], lists: list[MailingList]) -> None:
    store = account.store
    for mailing_list, (_, share) in zip(lists, LISTS, strict=True):
        for contact in people:
            if drawn.random() >= share or contact.id in mailing_list.members:
                continue
            membership = store.join(mailing_list, contact, contact.created + drawn.randrange(20 * DAY))
            if drawn.random() < 0.08:
                at = membership.subscribed + drawn.randrange(DAY, 60 * DAY)
                store.set_unsubscribed(membership, unsubscribed=True, at=at)


def _signups(account: Account, drawn: random.Random, people: list[Contact], lists: list[MailingList]) -> None:
    signups = account.store.signups
    for place, contact in enumerate(people[:: min(max(len(people) // 200, 1), 4)]):
        confirmed = contact.created + 600 if drawn.random() < 0.7 else 0
        signups.append(
            Signup(
                id=account.store.next_id("signup"),
                contact_id=contact.id,
                list_id=lists[place % 5].id,
                email=contact.email,
                signed_up=contact.created,
                confirmed=confirmed,
                ip=f"192.0.2.{place % 250 + 1}",
                confirm_ip=f"198.51.100.{place % 250 + 1}" if confirmed else "",
                key=f"{drawn.getrandbits(64):016x}",
                source="widget",
                source_id=4000 + place % 3,
            )
        )


def _segments(account: Account) -> None:
    store = account.store
    if store.segments.rows:
        return
    for name, expression, status in (
        ("Young and awake", "(age<35) AND HasOpenedSince(30)", "used"),
        ("Donors in Lyon", '(donor=true) AND (city="Lyon")', "unused"),
        ("Last year's", "HasClickedSince(365)", "deleted"),
    ):
        store.segments.append(Segment(id=store.next_id("segment"), name=name, expression=expression, status=status))


def _hourly_imports(account: Account, lists: list[MailingList], count: int) -> None:
    """Add the history of a CRM that imported a small file every hour."""
    for place in range(count):
        requested = ANCHOR - 50 * DAY - (count - place) * HOUR
        mailing_list, total = lists[place % 4], 1 + place % 90
        account.jobs.table.append(
            Job(
                id=account.jobs.next_id(),
                route="csv",
                job_type="Contact list import csv",
                method="addnoforce",
                status="Completed",
                targets=[(mailing_list.id, "addnoforce")],
                ref_id=mailing_list.id,
                data_id=account.jobs.data_id(),
                total=total,
                current=total,
                header=["email", "name"],
                requested=requested,
                started=requested + 15,
                alive=requested + 40,
                ended=requested + 40,
            )
        )


def _jobs(account: Account, lists: list[MailingList]) -> None:
    """Add past jobs of every kind and end, and one that is still running."""
    bad = RowError(1, "noor@example.com", "Too few columns at line", raw='"noor@example.com"')
    csv, free = "Contact list import csv", "Contact list import free format"
    past: tuple[tuple[Literal["json", "csv", "other"], str, str, str, int, list[RowError], int], ...] = (
        ("csv", csv, "addnoforce", "Completed", 1200, [], 98_765_432_123_456_789),
        ("csv", csv, "addforce", "Completed", 3, [bad], 0),
        ("csv", csv, "unsub", "Error", 40, [], 0),
        ("csv", csv, "remove", "Abort", 500, [], 0),
        ("json", free, "addnoforce", "Completed", 5000, [], 0),
        ("json", free, "addforce", "Error", 2500, [RowError(7, "lee@example.com", "Property not defined", "age")], 0),
        ("other", "Send newsletter", "Unknown", "Completed", 900, [], 0),
        ("other", "Contacts export", "Unknown", "Completed", 0, [], 0),
        ("json", free, "addnoforce", "Importing", 10_000, [], 0),
    )
    for place, (route, job_type, method, status, total, errors, data_id) in enumerate(past):
        requested = ANCHOR - (len(past) - place) * 5 * DAY
        mailing_list = lists[place % 4]
        over = status in ("Completed", "Error", "Abort")
        job = Job(
            id=account.jobs.next_id(),
            route=route,
            job_type=job_type,
            method=method,
            status=status,
            targets=[] if route == "other" else [(mailing_list.id, method)],
            ref_id=0 if route == "other" else mailing_list.id,
            data_id=data_id or account.jobs.data_id(),
            total=total,
            current=total if status == "Completed" else total // 2,
            error="Some contacts could not be imported" if route == "json" and errors else "",
            errors=list(errors),
            header=["email", "age"] if route == "csv" else None,
            requested=0 if route == "other" and not total else requested,
            started=requested + 15,
            alive=requested + 90,
            ended=requested + 90 if over else 0,
        )
        account.jobs.table.append(job)
