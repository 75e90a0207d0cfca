"""The CSV files of exports: nine columns for mail merge, twenty-six for all else (MPDX reference, exports)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailing_sandbox.mpdx.names import envelope, greeting
from mailing_sandbox.mpdx.postal import block, country_cell, mailing_address, street

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mailing_sandbox.mpdx.records import Contact, Person

Cell = str | None

MAILING = (
    "Contact Name", "Greeting", "Envelope Greeting", "Mailing Street Address", "Mailing City", "Mailing State",
    "Mailing Postal Code", "Mailing Country", "Address Block",
)  # fmt: skip
ADVANCED = (
    "Contact Name", "First Name", "Last Name", "Spouse First Name", "Greeting", "Envelope Greeting",
    "Mailing Street Address", "Mailing City", "Mailing State", "Mailing Postal Code", "Mailing Country", "Status",
    "Commitment Amount", "Commitment Currency", "Commitment Frequency", "Newsletter", "Commitment Received", "Tags",
    "Primary Email", "Spouse Email", "Other Email", "Spouse Other Email", "Primary Phone", "Spouse Phone",
    "Other Phone", "Spouse Other Phone",
)  # fmt: skip
SPANISH = (
    "Nombre del contacto", "Nombre", "Apellido", "Nombre del cónyuge", "Saludo", "Saludo del sobre",
    "Calle", "Ciudad", "Estado o provincia", "Código postal", "País", "Estado",
    "Importe del compromiso", "Moneda del compromiso", "Frecuencia del compromiso", "Boletín", "Compromiso recibido",
    "Etiquetas", "Correo principal", "Correo del cónyuge", "Otro correo", "Otro correo del cónyuge",
    "Teléfono principal", "Teléfono del cónyuge", "Otro teléfono", "Otro teléfono del cónyuge",
)  # fmt: skip
FREQUENCIES = {
    "0.23076923076923": "Weekly", "0.46153846153846": "Every 2 Weeks", "1": "Monthly", "2": "Every 2 Months",
    "3": "Quarterly", "4": "Every 4 Months", "6": "Every 6 Months", "12": "Annual", "24": "Every 2 Years",
}  # fmt: skip


def mailing(contacts: Iterable[Contact], homes: dict[str, str | None], tongue: str, *, more: bool) -> bytes:
    """Return the mailing CSV; `homes` are the countries of the account lists, `more` adds a column."""
    lines = [line([*MAILING, *(["Mailing Region"] if more else [])])]
    for contact in contacts:
        home = homes[contact.account_list]
        address = mailing_address(contact)
        addressee = envelope(contact)
        cells: list[Cell] = [contact.name, greeting(contact, tongue), addressee, street(address)]
        if address is None:
            cells += [None] * 4
        else:
            cells += [address.city, address.state, address.postal_code, country_cell(address, home)]
        cells.append(block(addressee, address, home))
        lines.append(line([*cells, *(["Coast"] if more else [])]))
    return "".join(lines).encode()


def advanced(contacts: Iterable[Contact], homes: dict[str, str | None], tongue: str) -> bytes:
    """Return the advanced CSV: titles translated and quoted, contacts without a living person omitted."""
    titles = SPANISH if tongue == "es" else ADVANCED
    lines = [",".join(f'"{title}"' for title in titles) + "\n"]
    for contact in contacts:
        living = [person for person in contact.people if not person.deceased]
        if living:
            lines.append(line(_advanced(contact, living, homes[contact.account_list], tongue)))
    return "".join([*lines, "\n"]).encode()


def _advanced(contact: Contact, living: Sequence[Person], home: str | None, tongue: str) -> list[Cell]:
    person, spouse = living[0], living[1] if len(living) > 1 else None
    address = mailing_address(contact)
    mail, phone = _reach(person)
    spouse_mail, spouse_phone = _reach(spouse)
    return [
        contact.name, person.first_name, person.last_name, spouse.first_name if spouse else None,
        greeting(contact, tongue), envelope(contact), street(address), address.city if address else None,
        address.state if address else None, address.postal_code if address else None, country_cell(address, home),
        contact.status, contact.pledge_amount, contact.pledge_currency,
        FREQUENCIES.get(contact.pledge_frequency or "1", "Monthly"), contact.send_newsletter,
        "Yes" if contact.pledge_received else "No", ", ".join(contact.tags),
        mail[0], spouse_mail[0], mail[1], spouse_mail[1], phone[0], spouse_phone[0], phone[1], spouse_phone[1],
    ]  # fmt: skip


def _reach(person: Person | None) -> tuple[tuple[Cell, Cell], tuple[Cell, Cell]]:
    """Return the primary and another e-mail address, then phone number; historic ones are never the other."""
    if person is None:
        return (None, None), (None, None)
    emails = [(each.email, each.primary, each.historic) for each in person.emails]
    phones = [(each.number, each.primary, each.historic) for each in person.phones]
    return _pair(emails), _pair(phones)


def _pair(found: Sequence[tuple[str, bool, bool]]) -> tuple[Cell, Cell]:
    first = next((value for value, primary, _ in found if primary), None)
    return first, next((value for value, primary, historic in found if not primary and not historic), None)


def line(cells: Iterable[Cell]) -> str:
    """Return one record: null is nothing, an empty text is two quotes, and only what needs quotes has them."""
    return ",".join(map(_cell, cells)) + "\n"


def _cell(value: Cell) -> str:
    if value is None:
        return ""
    if value == "" or any(each in value for each in ',"\r\n'):
        return '"' + value.replace('"', '""') + '"'
    return value
