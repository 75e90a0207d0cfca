"""Mailjet as a destination: one list, or the account with any number of lists, by bulk jobs.

Facts, and what is unverified: docs/mailjet.md.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any, Final

import msgspec

from mailing_api.errors import ConfigurationError, NotFound, RequestRefused
from mailing_api.mailjet.answers import name_of, values_of
from mailing_api.mailjet.client import MailjetClient
from mailing_api.mailjet.contacts import ContactCalls
from mailing_api.mailjet.jobs import Job
from target_mailing.contacts.consent import Actions
from target_mailing.contacts.contact import EncodedContact, MappedContact
from target_mailing.contacts.fields import Field, Fields, RowRejected
from target_mailing.contacts.properties import PropertyNames
from target_mailing.contacts.row_address import not_addable, require_valid
from target_mailing.interface.destination import Again, Destination, Finished, Step
from target_mailing.interface.list_members import Held, Member
from target_mailing.mailjet.actions import ACTIONS, ADDING, BY_ADDRESS
from target_mailing.mailjet.contact import decoded, encoded, encoded_all, form_of, overlaid
from target_mailing.mailjet.contact_route import ManageContacts
from target_mailing.mailjet.csv_file import cut, files
from target_mailing.mailjet.csv_route import FollowImport, Import, ReadImportErrors, Upload
from target_mailing.mailjet.foreseen import ForeseenCalls, ForeseenOptOuts
from target_mailing.mailjet.json_route import Follow, ReadConsent, ReadJobErrors, Submit
from target_mailing.mailjet.members import held_by, members_of
from target_mailing.mailjet.properties import FIELDS, NAME, TEXT, datatype_of
from target_mailing.mailjet.read_back import ContactReadBack, is_same
from target_mailing.mailjet.refusals import UnknownProperties
from target_mailing.mailjet.setup import define_properties, find_list
from target_mailing.mailjet.today import today
from target_mailing.settings.settings import StreamSettings

__all__ = ["MailjetDestination"]

logger = logging.getLogger("target-mailing.mailjet")

#: Greatest number of properties of an account, the address included.
_MAX_PROPERTIES: Final = 200

#: Rows from which `route: auto` prefers a file. Mailjet's own shop plug-in sends as many in one JSON call, so up to
#: there JSON is well tried and takes one call less; the limits of larger calls are only known from reports.
_MANY_ROWS: Final = 2500

#: Jobs in one answer at most.
_MOST_LISTED: Final = 1000

#: The longest time that reading about the contacts of a batch should take, in seconds.
_ASKING: Final = 60.0
#: Calls a second that one batch makes if Mailjet has set no limit: they are made one after the other.
_USUAL_RATE: Final = 10.0


class MailjetDestination(Destination):
    """One list, or one account, of Mailjet: by JSON jobs, and by CSV files where these can hold the rows."""

    _has_logged_json = False

    def __init__(
        self, client: MailjetClient, settings: StreamSettings, *, property_delay: float, dry_run: bool = False
    ) -> None:
        """Find the lists and read the account's properties.

        Args:
            client: of the account.
            settings: of the first stream with this destination.
            property_delay: seconds to wait after creating a property.
            dry_run: nothing is made: a list that is to be created gets the ID 0, and properties are only noted.

        Raises:
            ConfigurationError: a list is missing, deleted or named ambiguously.
            MailingError: a call to Mailjet failed.
        """
        self._client = client
        self._settings = settings
        self._property_delay = property_delay
        self._dry_run = dry_run
        self._opt_outs = ForeseenOptOuts()
        self._lists = [find_list(client, name, create=settings.create_list, dry_run=dry_run) for name in settings.lists]
        where = f"list:{self._lists[0] if self._lists else 'of-each-row'}"
        if settings.scope == "account":
            where = f"account:{sorted(self._lists)}"
        self.name = f"mailjet:{client.account}:{client.identity}:{where}"
        self._datatypes: dict[str, str] = {}
        self.fields = self._read_fields()
        self._unknown_properties = UnknownProperties(property_delay)
        self.actions = self._actions()

    @property
    def places(self) -> Collection[str]:
        """Each list of the setting; lists that rows name are not among them."""
        if self._lists:
            return [f"list:{list_id}" for list_id in self._lists]
        return ["account" if self._settings.scope == "account" else "lists of each row"]

    def _actions(self) -> Actions:
        """All; without a list only those that create and update contacts, since there is no list to leave."""
        return ACTIONS if self._lists else msgspec.structs.replace(ACTIONS, known=frozenset({"addnoforce", "addforce"}))

    def _columns(self) -> dict[str, Field]:
        """The columns that are no properties."""
        return dict.fromkeys(("name", "first_name", "last_name"), NAME)

    def today(self, names: Sequence[str]) -> Sequence[str]:
        """The contact, and its state on the lists of the setting, or on all."""
        return today(self._client, self._lists, names)

    def encode(self, contact: MappedContact, action: str) -> bytes:
        """The contact in Mailjet's form; removals and exclusions need only the address."""
        if action in ADDING:
            require_valid(contact.email or "")
        return encoded(form_of(contact, by_address=action in BY_ADDRESS))

    def encode_all(self, contacts: Sequence[MappedContact], action: str) -> list[bytes | RowRejected]:
        """Many contacts, encoded together."""
        by_address = action in BY_ADDRESS
        contents: list[Any] = encoded_all([form_of(contact, by_address=by_address) for contact in contacts])
        if action in ADDING:
            for at, no in not_addable([contact.email or "" for contact in contacts]).items():
                contents[at] = no
        return contents

    def overlay(self, earlier: bytes, later: bytes) -> bytes:
        """See `overlaid`."""
        return overlaid(earlier, later)

    def parts(self, action: str, rows: Sequence[EncodedContact]) -> Sequence[tuple[str, Sequence[int]]]:
        """Files of the rows that may be sent as CSV, by the setting, and one JSON batch of the others.

        Removals, and questions about contacts, are as many as can be read about in a minute, one call each: what was
        read first is as old when the job is submitted.
        """
        parts = self._by_route(action, rows)
        if action not in {ACTIONS.remove, ACTIONS.ask}:
            return parts
        most = max(1, int(_ASKING * min(self._client.rate or _USUAL_RATE, _USUAL_RATE)))
        return [
            (route, positions[begin : begin + most])
            for route, positions in parts
            for begin in range(0, len(positions), most)
        ]

    def _by_route(self, action: str, rows: Sequence[EncodedContact]) -> Sequence[tuple[str, Sequence[int]]]:
        if action in ACTIONS.account_wide:  # which only CSV imports support
            return [("csv", file) for file in cut(rows, range(len(rows)))]
        route = self._settings.route
        if route == "json" or self._list_id is None:
            return [("json", range(len(rows)))]
        csv_files, others = files(rows, self._datatypes, least=1 if route == "csv" else _MANY_ROWS)
        if others and route == "csv" and not self._has_logged_json:
            self._has_logged_json = True
            logger.info(
                "Setting `route` is 'csv': rows that a file cannot hold, such as rows with a name, go by JSON jobs"
            )
        return [*(("csv", file) for file in csv_files), *([("json", others)] if others else [])]

    @property
    def _list_id(self) -> int | None:
        """The list that jobs belong to; None account-wide, or if each row names its lists."""
        return None if self._settings.scope == "account" or not self._lists else self._lists[0]

    def steps(self, action: str, route: str) -> Sequence[Step]:
        """The steps of a route, which may be from an earlier run; removals by bulk job begin with consent."""
        client, list_id, unknown = self._client, self._list_id, self._unknown_properties
        if route == "contact":
            return (ManageContacts(client, self._calls, self._settings.consent, unknown),)
        opt_outs = self._opt_outs
        consent, removes = ReadConsent(client, self._lists, opt_outs), action == ACTIONS.remove
        if action == ACTIONS.ask:
            return (consent,)
        steps: tuple[Step, ...]
        if route == "csv":
            steps = (
                Upload(client, self._lists[0], self._datatypes, unknown),
                Import(
                    client,
                    None if action in ACTIONS.account_wide else list_id,
                    unknown,
                    again_from=ReadConsent.name if removes else Upload.name,
                    foreseen=opt_outs,
                ),
                FollowImport(client),
                ReadImportErrors(client, unknown, self._lists),
            )
        else:
            steps = (
                Submit(client, list_id, self._lists, unknown, opt_outs, ReadConsent.name if removes else None),
                Follow(client, list_id),
                ReadJobErrors(client, unknown, self._lists),
            )
        return (consent, *steps) if removes else steps

    @cached_property
    def _calls(self) -> ContactCalls:
        gate = self._client.gate
        return ContactCalls(self._client) if gate is None else ForeseenCalls(self._client, gate.foresee)

    def running_jobs(self, jobs: Collection[str]) -> Mapping[str, Again | None]:
        """Those of these jobs that the newest of the listing show; which kinds it shows is unverified."""
        of_list = {} if self._list_id is None else {"RefID": self._list_id}
        shown = {
            str(row.get("ID")): Job.of(row)
            for row in self._client.page("batchjob", {**of_list, "Sort": "ID DESC", "Limit": _MOST_LISTED})
        }
        return {
            job: None if shown[job].is_terminal else Again(progress=shown[job].progress) for job in jobs if job in shown
        }

    def members(self) -> Iterator[Sequence[Member]]:
        """Of its list, which has the ID 0 where a plan's run would make it; account-wide there are none."""
        return iter(()) if not self._list_id else members_of(self._client, self._list_id)

    def fields_in(self, content: bytes) -> Collection[str]:
        """The name, and properties."""
        form = decoded(content)
        return form.Properties.keys() if form.Name is None else {"name", *form.Properties}

    def uncompared(self, fields: Collection[str]) -> Collection[str]:  # noqa: ARG002 - its listings show all
        """None."""
        return ()

    def held(self, fields: Collection[str]) -> Iterator[Sequence[Held]]:
        """Of its list; properties take a listing of their own."""
        with_properties = not {"name"}.issuperset(fields)
        return held_by(self._client, self._list_id, with_properties=with_properties) if self._list_id else iter(())

    def differences(self, content: bytes, held: bytes) -> Mapping[str, tuple[Any, Any]]:
        """The name, and properties, of which Mailjet shows strings."""
        form, (name, before) = decoded(content), msgspec.json.decode(held)
        found = {key: (before.get(key), value) for key, value in form.Properties.items()}
        if form.Name is not None:
            found["name"] = (name, form.Name)
        return {key: values for key, values in found.items() if not is_same(values[1], values[0])}

    def suppressions(self) -> Iterator[Sequence[tuple[str, str]]]:
        """None that a list does not show."""
        return iter(())

    def read_back(self, verdict: Finished, doubtful: Sequence[int]) -> Step:
        """Reads each contact and its memberships."""
        return ContactReadBack(verdict, doubtful, self._client, self._lists)

    def changes(self, contact: EncodedContact) -> Mapping[str, tuple[Any, Any]]:
        """The name, and properties as Mailjet shows them."""
        form = decoded(contact.content)
        after = ({} if form.Name is None else {"name": form.Name}) | form.Properties
        before: dict[str, Any] = {}
        if after:
            with suppress(NotFound, RequestRefused):
                before["name"] = self._client.one("contact", contact.email).get("Name")
                data = values_of(self._client.one("contactdata", contact.email))
                before |= {str(item.get("Name")): item.get("Value") for item in data}
        return {
            name: (before.get(name), value) for name, value in after.items() if not is_same(value, before.get(name))
        }

    def create_properties(self, types: Mapping[str, Collection[str]]) -> None:
        """Define a static property for each column, with the type of its values.

        Raises:
            ConfigurationError: the account would have more properties than Mailjet allows, or Mailjet refuses one.
        """
        if len(self.fields.properties) + len(types) >= _MAX_PROPERTIES:
            raise ConfigurationError(
                f"Setting `create_properties`: the account would have more than {_MAX_PROPERTIES} properties, "
                "Mailjet's limit. List fewer columns in `properties`."
            )
        datatypes = {name: datatype_of(kinds) for name, kinds in types.items()}
        if self._dry_run:
            self._datatypes |= datatypes
            self.fields = self._fields_of_datatypes()
            return
        define_properties(self._client, datatypes)
        deadline = time.monotonic() + 60.0
        while True:
            time.sleep(self._property_delay)
            self.fields = self._read_fields()
            names = PropertyNames(self.fields)
            if all(names.find(name) for name in types) or time.monotonic() > deadline:
                return

    def _read_fields(self) -> Fields:
        self._datatypes = {
            name_of(row): str(row.get("Datatype", "str")).lower()
            for page in self._client.rows("contactmetadata")
            for row in page
            if str(row.get("NameSpace", "static")).lower() == "static"
        }
        return self._fields_of_datatypes()

    def _fields_of_datatypes(self) -> Fields:
        properties = {name: FIELDS.get(datatype, TEXT) for name, datatype in self._datatypes.items()}
        return Fields(columns=self._columns(), properties=properties, defines_properties=True)
