"""Invented data: the same numbers give the same data, dates and IDs included."""

from __future__ import annotations

import random
import unicodedata
from typing import TYPE_CHECKING, Any

from mailing_sandbox.postgrid.course import Plan, trouble
from mailing_sandbox.postgrid.csvfile import Mappings
from mailing_sandbox.postgrid.store import ALPHABET

if TYPE_CHECKING:
    from mailing_sandbox.postgrid.account import Account, Mode
    from mailing_sandbox.postgrid.records import Contact

ANCHOR = 1_735_725_600.0
"""2025-01-01T10:00:00Z: everything invented happened in the year before."""

DAY = 86_400.0
HOUR = 3_600.0
FIRST = ("Amara", "Noor", "Zoë", "Jürgen", "Łucja", "José", "Kwame", "Liang", "Nkechi", "Priya", "Sanjay", "花子")
LAST = (
    "Oyelaran",
    "Müller",
    "García",
    "O'Connor",
    "Kowalczyk",
    "Dubois",
    "Tanaka",
    "Patel",
    "Novák",
    "Smith",
    "Öztürk",
)
COMPANIES = ("Harbour Bakery", "North Pine Press", "Éditions du Lac", "Seven Mills Trust")
STREETS = ("Lakeshore Rd W", "Orchard St", "Mill Lane", "Rue des Fleurs", "Harbour Way", "Maple Ave")
PLACES = (
    ("Mississauga", "ON", "L5H 1E9", "CA"),
    ("Montréal", "QC", "H2X 1Y4", "CA"),
    ("Albany", "NY", "12207", "US"),
    ("Portland", "OR", "97205", "US"),
    ("Leeds", "", "LS1 4AP", "GB"),
    ("Dublin", "", "D02 AF30", "IE"),
)
LISTS = (
    ("Spring donors", 0.30),
    ("Board", 0.02),
    ("Volunteers été", 0.15),
    ("Newsletter by post", 0.55),
    ("Nobody", 0.0),
)
"""Names of the lists and the share of contacts on each."""

HEADER = "first,last,street,town,region,postcode,country\n"
MAPPINGS = Mappings(
    {
        "firstName": "first",
        "lastName": "last",
        "addressLine1": "street",
        "city": "town",
        "provinceOrState": "region",
        "postalOrZip": "postcode",
        "countryCode": "country",
    }
)
GOOD = "Amara,Oyelaran,12 Lakeshore Rd W,Mississauga,ON,L5H 1E9,CA\n"
LACKING = "Noor,Haddad,,Montréal,QC,H2X 1Y4,CA\n"
FOREIGN = "Zoë,Smith,3 Orchard St,Albany,NY,12207,US\n"
FILES = (
    ("Spring donors, batch 1", GOOD * 3),
    ("With a row that lacks its street", GOOD + LACKING),
    ("Of two countries", GOOD + FOREIGN),
    ("Nothing usable", LACKING),
)


class Dice:
    """Draws the invented data of one number."""

    def __init__(self, seed: int) -> None:
        self.drawn = random.Random(seed)

    def number(self, prefix: str) -> str:
        """Draw an ID."""
        return f"{prefix}_{''.join(self.drawn.choices(ALPHABET, k=22))}"

    def person(self, place: int) -> dict[str, Any]:
        """Invent the fields of a contact."""
        drawn = self.drawn
        city, region, postal, country = drawn.choice(PLACES)
        first, last = drawn.choice(FIRST), drawn.choice(LAST)
        sent: dict[str, Any] = {
            "addressLine1": f"{place + 1} {drawn.choice(STREETS)}",
            "city": city,
            "postalOrZip": postal,
            "countryCode": country,
            "metadata": {"external_id": f"crm-{1000 + place}"},
        }
        if region:
            sent["provinceOrState"] = region
        if drawn.random() < 0.1:
            sent["companyName"] = drawn.choice(COMPANIES)
        else:
            sent |= {"firstName": first, "lastName": last}
        if drawn.random() < 0.2:
            sent["addressLine2"] = f"Unit {drawn.randrange(1, 40)}"
        if drawn.random() < 0.5:
            sent["email"] = f"{_ascii(first)}.{_ascii(last)}{place}@example.com"
        if drawn.random() < 0.3:
            sent["phoneNumber"] = f"+1 555 01{place % 100:02}"
        if drawn.random() < 0.05:
            sent["description"] = drawn.choice(("test failed", "test corrected", "Met at the fair"))
        return sent


def _ascii(name: str) -> str:
    """Return the letters of a name that an address can carry."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return "".join(each for each in plain if each.isalpha()) or "reader"


def fill(account: Account, contacts: int, seed: int) -> None:
    """Add invented contacts, lists and imports to the test mode; a switch limits how many contacts."""
    if seed in account.seeded:
        raise ValueError(f"seed {seed} was used already: use another number, or reset first")
    account.seeded.add(seed)
    most = account.switches.postgrid_seed_most
    contacts = min(contacts, most) if most else contacts
    mode, dice = account.test, Dice(seed)
    people = [_person(mode, dice, place, contacts) for place in range(contacts)]
    _lists(mode, dice, people)
    _imports(mode, dice)


def _person(mode: Mode, dice: Dice, place: int, contacts: int) -> Contact:
    """Add a contact; every tenth shares its second with the one before, every fifth was posted again later."""
    step = 300 * DAY / max(contacts, 1)
    created = ANCHOR - 330 * DAY + round(step * (place - (place % 10 == 9)), 3)
    contact, _ = mode.store.contact(dice.person(place), at=created, number=dice.number("contact"))
    if place % 5 == 4:
        mode.store.contacts.touch(contact, created + round(dice.drawn.random() * 20 * DAY, 3))
    return contact


def _lists(mode: Mode, dice: Dice, people: list[Contact]) -> None:
    for place, (name, share) in enumerate(LISTS):
        created = ANCHOR - (200 - place) * DAY
        metadata = {"source": "invented"} if place % 2 == 0 else None
        made = mode.store.mailing_list(name, metadata, at=created, number=dice.number("mailing_list"))
        mode.store.join(made, [each.id for each in people if dice.drawn.random() < share], created + HOUR)
        mode.store.lists.touch(made, created + HOUR)
        if name == "Nobody":
            made.errors = [trouble("operational_error", "2 contacts were not found")]


def _imports(mode: Mode, dice: Dice) -> None:
    """Add imports with every result, and one that does not end."""
    for place, (name, rows) in enumerate(FILES):
        _import(mode, dice, name, rows, at=ANCHOR - (100 - place) * DAY, plan=Plan(seconds=30))
    _import(mode, dice, "Under way", GOOD, at=ANCHOR - DAY, plan=Plan(hold=True))
    mode.tick()


def _import(mode: Mode, dice: Dice, name: str, rows: str, *, at: float, plan: Plan) -> None:
    content = (HEADER + rows).encode()
    number = dice.number("mailing_list_import")
    mode.validation.submit(MAPPINGS, content, description=name, at=at, number=number, plan=plan)
