"""Mailjet as a destination: one list, or the account with any number of lists.

Facts and what is unverified: docs/mailjet.md.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import msgspec

from mailing_api.errors import ConfigurationError
from mailing_api.mailjet.answers import name_of
from mailing_api.mailjet.client import MailjetClient
from target_mailing.contacts.consent import Actions, Consent
from target_mailing.contacts.contact import MappedContact
from target_mailing.contacts.fields import Field, Fields
from target_mailing.contacts.properties import PropertyNames
from target_mailing.contacts.row_address import require_valid
from target_mailing.destination import Destination, Finished, Step
from target_mailing.mailjet.contact_route import ManageContacts
from target_mailing.mailjet.csv_route import FollowImport, Import, ReadImportErrors, Upload
from target_mailing.mailjet.json_route import ACTIONS, Follow, ReadConsent, Submit
from target_mailing.mailjet.properties import FIELDS, NAME, TEXT, datatype_of
from target_mailing.mailjet.read_back import ContactReadBack, JudgeJob
from target_mailing.mailjet.refusals import UnknownProperties
from target_mailing.mailjet.setup import define_properties, find_list
from target_mailing.settings import StreamSettings

__all__ = ["MailjetDestination"]

#: Greatest number of properties of an account, the address included.
_MAX_PROPERTIES: Final = 200

#: Equal contacts are equal bytes.
_encode = msgspec.json.Encoder(order="deterministic").encode
#: Actions after which somebody may be written to who was not before.
_ADDING: Final = frozenset({"addnoforce", "addforce", "includemarketing"})
#: Actions for which the address is enough.
_BY_ADDRESS: Final = frozenset({ACTIONS.ask, ACTIONS.remove, *ACTIONS.account_wide})


class MailjetDestination(Destination):
    """One list, or one account, of Mailjet; whether by bulk jobs or contact by contact, subclasses tell."""

    def __init__(
        self, client: MailjetClient, settings: StreamSettings, *, property_delay: float, dry_run: bool = False
    ) -> None:
        """Find the lists and read the account's properties.

        Args:
            client: of the account.
            settings: of the first stream that goes there.
            property_delay: seconds to wait after creating a property.
            dry_run: a list that is to be made gets the ID 0.

        Raises:
            ConfigurationError: a list is missing, deleted or named ambiguously.
            MailingError: Mailjet could not be asked.
        """
        self._client = client
        self._settings = settings
        self._property_delay = property_delay
        self._lists = [find_list(client, one, create=settings.create_list, dry_run=dry_run) for one in settings.lists]
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
        """Each list; not those that rows name."""
        if self._lists:
            return [f"list:{number}" for number in self._lists]
        return ["account" if self._settings.scope == "account" else "lists of each row"]

    @property
    def _consent(self) -> Consent:
        """What holds on lists that rows name; by bulk job there are none, and a row's action was decided before."""
        return "respect"

    def _actions(self) -> Actions:
        """What can be done with a contact."""
        return ACTIONS

    def _columns(self) -> dict[str, Field]:
        """The columns that it takes."""
        return dict.fromkeys(("name", "first_name", "last_name"), NAME)

    def encode(self, contact: MappedContact, action: str) -> bytes:
        """A contact as Mailjet takes it; removing and excluding need only the address."""
        found: dict[str, Any] = {"Email": contact.email}
        if action not in _BY_ADDRESS:
            columns = contact.columns
            name = columns.get("name") or " ".join(
                columns[part] for part in ("first_name", "last_name") if columns.get(part)
            )
            if name:
                found["Name"] = name
            if contact.properties:
                found["Properties"] = contact.properties
        if not _ADDING.isdisjoint(self._add_lists(found, contact, action)):
            require_valid(contact.email or "")
        return _encode(found)

    def _add_lists(self, found: dict[str, Any], contact: MappedContact, action: str) -> Collection[str]:  # noqa: ARG002
        """Add the lists that a row names to its contact; returns what is done there."""
        return (action,)

    def overlay(self, earlier: bytes, later: bytes) -> bytes:
        """Present fields are updated and absent ones untouched, so the later contact is laid over the earlier."""
        if earlier == later:
            return later
        return _encode(self._laid_over(msgspec.json.decode(earlier), msgspec.json.decode(later)))

    def _laid_over(self, below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
        properties = {**below.get("Properties", {}), **above.get("Properties", {})}
        return {**below, **above, **({"Properties": properties} if properties else {})}

    @property
    def _list_id(self) -> int | None:
        """The list whose own route is used; None account-wide, or where each row names its own."""
        return None if self._settings.scope == "account" or not self._lists else self._lists[0]

    def steps(self, action: str, route: str) -> Sequence[Step]:
        """The steps of a route, which may be that of an earlier run; removals by bulk job begin with consent."""
        client, list_id, unknown = self._client, self._list_id, self._unknown_properties
        if route == "contact":
            return (ManageContacts(client, self._consent, unknown),)
        consent = ReadConsent(client, self._lists)
        if action == ACTIONS.ask:
            return (consent,)
        steps: tuple[Step, ...]
        if route == "csv":
            steps = (
                Upload(client, self._lists[0], self._datatypes, unknown),
                Import(client, None if action in ACTIONS.account_wide else list_id, unknown),
                FollowImport(client),
                ReadImportErrors(client, unknown, self._lists),
            )
        else:
            steps = (
                Submit(client, list_id, self._lists, unknown),
                Follow(client, list_id),
                JudgeJob(client, unknown, self._lists),
            )
        return (consent, *steps) if action == ACTIONS.remove else steps

    def read_back(self, verdict: Finished, doubtful: Sequence[int]) -> Step:
        """Looks at each contact and its memberships."""
        return ContactReadBack(verdict, doubtful, self._client, self._lists)

    def create_properties(self, types: Mapping[str, Collection[str]]) -> None:
        """Define a static property for each column, of the type that its values have.

        Raises:
            ConfigurationError: the account would have more properties than Mailjet allows, or Mailjet refuses one.
        """
        if len(self.fields.properties) + len(types) >= _MAX_PROPERTIES:
            raise ConfigurationError(
                f"Setting `create_properties`: the account would have more than {_MAX_PROPERTIES} properties, "
                "Mailjet's limit. List fewer columns in `properties`."
            )
        define_properties(self._client, {name: datatype_of(found) for name, found in types.items()})
        deadline = time.monotonic() + 60.0
        while True:
            time.sleep(self._property_delay)
            self.fields = self._read_fields()
            names = PropertyNames(self.fields)
            if all(names.find(name) for name in types) or time.monotonic() > deadline:
                return

    def _read_fields(self) -> Fields:
        columns = self._columns()
        datatypes: dict[str, str] = {}
        for page in self._client.rows("contactmetadata"):
            for row in page:
                if str(row.get("NameSpace", "static")).lower() == "static":
                    datatypes[name_of(row)] = str(row.get("Datatype", "str")).lower()
        self._datatypes = datatypes
        properties = {name: FIELDS.get(datatype, TEXT) for name, datatype in datatypes.items()}
        return Fields(columns=columns, properties=properties, defines_properties=True)
