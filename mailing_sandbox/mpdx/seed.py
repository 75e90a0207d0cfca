"""Invented households: the same numbers give the same data, dates included."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from mailing_sandbox.mpdx.records import ACTIVE, HIDDEN

if TYPE_CHECKING:
    from mailing_sandbox.mpdx.store import Store

ANCHOR = 1_735_725_600
"""2025-01-01T10:00:00Z: everything invented happened in the year before."""

DAY = 86_400
MOST = 50_000
"""Households that one call makes at most."""

US, CA = "United States", "Canada"

FIRST = (
    "Tom", "Nina", "Lena", "Ruth", "José", "Zoë", "Jürgen", "Aoife", "Kenji", "Grace", "Élise", "Mateo", "Hannah",
    "Samuel", "Ingrid", "Pavel", "Amara", "Noah", "Chloé", "Daniel", "Esther", "Liam", "Miriam", "Oskar",
)  # fmt: skip
LAST = (
    "Albright", "Bauer", "Castillo", "Chan", "Chang", "Doyle", "Eriksen", "Fournier", "Grant", "Hughes", "Ito",
    "Jansen", "Kowalski", "Lindqvist", "Müller", "Nakamura", "O'Brien", "Peña", "Quinn", "Rossi", "Søndergaard",
    "Thompson", "Ueda", "Vargas", "Whitfield", "Yamada", "Žižka",
)  # fmt: skip
CITIES = (
    ("Portland", "ME", "04101", US), ("Fremont", "CA", "94539", US), ("Austin", "Texas", "73301", US),
    ("Orlando", "FL", "32801", US), ("Toronto", "ON", "M5H 2N2", CA), ("Berlin", None, "10115", "Germany"),
    ("London", None, "SW1A 1AA", "United Kingdom"), ("Osaka", "Osaka-fu", "530-0001", "Japan"),
    ("Dublin", "Co. Dublin", "D02 AF30", "Ireland"),
)  # fmt: skip
NEWSLETTERS = ("Physical", "Email", "Both", "None", None, "")
STATUSES = (*ACTIVE, *HIDDEN, None)
TAGS = ("church", "monthly", "prayer", "travel", "alumni")

Fields = dict[str, Any]


def _home(city: int, street: str, **more: Any) -> Fields:
    name, state, code, country = CITIES[city]
    given = {"street": street, "city": name, "state": state, "postal_code": code, "country": country}
    return {**given, "primary_mailing_address": True, **more}


def _someone(first: str, last: str, *emails: Any, **more: Any) -> Fields:
    return {"first_name": first, "last_name": last, "emails": list(emails), **more}


SPECIAL: tuple[Fields, ...] = (
    {
        "name": "Albright, Tom & Nina", "envelope_greeting": "Tom & Nina Albright", "send_newsletter": "Both",
        "status": "Partner - Financial", "locale": "en", "pledge_amount": "100.0", "pledge_frequency": "1",
        "tags": ["monthly", "prayer"], "addresses": [_home(0, "12 Harbor Rd\r\nApt 4")],
        "people": [
            _someone("Tom", "Albright", "tom.albright@example.com", phones=["(207) 555-0142"]),
            _someone("Nina", "Albright", "nina.albright@example.com", optout_enewsletter=True),
        ],
    },
    {
        "name": "Bauer, Lena", "send_newsletter": "Physical", "status": "Partner - Pray", "locale": "de",
        "addresses": [_home(5, "Hauptstr. 5")], "people": [_someone("Lena", "Bauer", "lena.bauer@example.com")],
    },
    {"name": "Castillo Community Church", "send_newsletter": "Physical", "status": "Partner - Financial"},
    {
        "name": "Doyle, Fergus", "send_newsletter": "None", "status": "Never Ask",
        "addresses": [_home(8, "3 Quay St")],
        "people": [_someone("Fergus", "Doyle", "fergus@example.com", deceased=True, optout_enewsletter=True)],
    },
    {
        "name": "Grant, Moved", "send_newsletter": "Physical", "status": "Never Contacted",
        "addresses": [_home(1, "9 Old Lane", historic=True, primary_mailing_address=False)],
        "people": [
            _someone(
                "Moved", "Grant", {"email": "old@example.com", "historic": True}, {"email": "new@example.com"}
            )
        ],
    },
    {
        "name": "Hughes, Two", "send_newsletter": "Both", "status": "Partner - Special",
        "addresses": [_home(1, "1 First St"), _home(2, "2 Second St")],
        "people": [_someone("Two", "Hughes", "two.hughes@example.com")],
    },
    {
        "name": "Ito, Haruka", "send_newsletter": "Physical", "status": "Ask in Future",
        "addresses": [_home(7, "1-2-3 Umeda", seasonal=True, start_date="2024-06-01", end_date="2024-09-30")],
        "people": [_someone("Haruka", "Ito", "haruka@mail.test")],
    },
    {
        "name": 'O\'Brien, Seán "Jack"', "send_newsletter": "Email", "status": "Cultivate Relationship",
        "greeting": "", "addresses": [_home(6, "Flat 2, 10 Mill Rd")],
        "people": [_someone("Seán", "O'Brien", "sean@mail.test", "jack@mail.test")],
    },
    {
        "name": "Quinn, Gone", "send_newsletter": "Both", "status": "Not Interested",
        "addresses": [_home(3, "(UNDELIVERABLE)")], "people": [_someone("Gone", "Quinn", "gone@example.com")],
    },
    {"name": "Vargas, Silent", "send_newsletter": "", "status": None, "people": [_someone("Silent", "Vargas")]},
)  # fmt: skip
"""Households worth a test each; they come first."""

SHARED = 7
"""The person of this household is in the next one too."""


def fill(store: Store, contacts: int, seed: int) -> None:
    """Add two account lists and so many households, up to `MOST`."""
    drawn = random.Random(f"mpdx {seed}")
    at = ANCHOR - 365 * DAY
    lists = [
        store.add_account_list(f"{name} {seed}", country, [store.me], at + place).id
        for place, (name, country) in enumerate((("Stateside", US), ("Up north", CA)))
    ]
    total = min(contacts, MOST)
    for place in range(total):
        fields = SPECIAL[place] if place < len(SPECIAL) else _drawn(drawn, place, seed)
        # Neighbours share a second, and more: batches are saved within one.
        created = at + DAY + place // 4 * (360 * DAY / (total // 4 + 1)) + place % 4 * 0.07
        contact = store.add_contact(lists[0] if place % 3 or place < len(SPECIAL) else lists[1], fields, created)
        if drawn.random() < 0.3:
            contact.updated = min(created + drawn.randrange(60 * DAY), ANCHOR)
        if place == SHARED + 1:
            earlier = next(each for each in store.contacts.values() if each.name == SPECIAL[SHARED]["name"])
            at_once = contact.updated
            store.join(contact, earlier.people[0])
            contact.updated = at_once


def _drawn(drawn: random.Random, place: int, seed: int) -> Fields:
    last, first, spouse = drawn.choice(LAST), drawn.choice(FIRST), drawn.choice(FIRST)
    couple = drawn.random() < 0.5
    mark = f"{seed}.{place}"
    people = [_someone(first, last, f"person.{mark}@example.com", optout_enewsletter=drawn.random() < 0.1)]
    if couple:
        people.append(_someone(spouse, last, f"spouse.{mark}@example.com"))
    return {
        "name": f"{last}, {first}{f' and {spouse}' if couple else ''}",
        "send_newsletter": drawn.choice(NEWSLETTERS),
        "status": drawn.choice(STATUSES),
        "tags": drawn.sample(TAGS, drawn.randrange(3)),
        "addresses": [_home(drawn.randrange(len(CITIES)), f"{drawn.randrange(1, 999)} Elm St")]
        if drawn.random() < 0.9
        else [],
        "people": people,
    }
