"""Mailjet as a destination: one list, or the account with any number of lists, by bulk jobs or contact by contact.

Facts and what is unverified: docs/mailjet.md.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import msgspec

from mailing_api.addresses import fold_address
from mailing_api.errors import ConfigurationError
from mailing_api.mailjet.answers import name_of
from mailing_api.mailjet.client import MailjetClient
from target_mailing.contacts.consent import Consent
from target_mailing.contacts.fields import Field, Fields, RowRejected
from target_mailing.contacts.mapping import MappedContact
from target_mailing.contacts.properties import PropertyNames
from target_mailing.contacts.row_address import require_valid
from target_mailing.delivery.batcher import Row
from target_mailing.destination import Finished, Step
from target_mailing.mailjet.contact_route import ManageContacts
from target_mailing.mailjet.csv_file import cut, files
from target_mailing.mailjet.csv_route import FollowImport, Import, ReadImportErrors, Upload
from target_mailing.mailjet.json_route import ACTIONS, Follow, ReadConsent, Submit
from target_mailing.mailjet.lists_column import ListsColumn, actions_of, laid_over
from target_mailing.mailjet.properties import FIELDS, NAME, TEXT, datatype_of
from target_mailing.mailjet.read_back import JudgeJob, ReadBack
from target_mailing.mailjet.refusals import UnknownProperties
from target_mailing.mailjet.setup import define_properties, find_list

__all__ = ["MailjetDestination", "MailjetTarget"]

logger = logging.getLogger("target-mailing.mailjet")

#: A new property has been seen to be unknown to Mailjet for some seconds.
_PROPERTY_DELAY: Final = 3.0
#: Greatest number of properties of an account, the address included.
_MAX_PROPERTIES: Final = 200
#: Rows from which `route: auto` prefers a file. Mailjet's own shop plug-in sends as many in one JSON call, so up to
#: there JSON is well tried and takes one call less; the limits of larger calls are only known from reports.
_MANY_ROWS: Final = 2500

#: Equal contacts are equal bytes.
_encode = msgspec.json.Encoder(order="deterministic").encode
#: Actions after which somebody may be written to who was not before.
_ADDING: Final = frozenset({"addnoforce", "addforce", "includemarketing"})
#: Actions for which the address is enough.
_BY_ADDRESS: Final = frozenset({ACTIONS.ask, ACTIONS.remove, *ACTIONS.account_wide})


class MailjetTarget(msgspec.Struct, frozen=True, kw_only=True):
    """Where contacts are to go.

    Attributes:
        lists: IDs, addresses or names; exactly one unless account_wide, or none by contact.
        account_wide: one call for the account with all lists in it, instead of one list's own call.
        create_list: make a list that is named and does not exist.
        consent: whether `addforce` in a row's own lists re-subscribes.
        route: JSON bulk jobs; CSV imports where a file can hold the row, or these for many rows only; or the calls for
            a single contact, where rows may name their own lists.
        poll_interval: seconds before the first look at a job; grows by half up to poll_max_interval.
    """

    lists: Sequence[str]
    account_wide: bool = False
    create_list: bool = False
    consent: Consent = "respect"
    route: str = "json"
    poll_interval: float = 2.0
    poll_max_interval: float = 30.0
    property_delay: float = _PROPERTY_DELAY

    def check(self) -> None:
        """See that the settings fit each other; nothing is asked.

        Raises:
            ConfigurationError: they do not, most often because the list is missing.
        """
        if not self.account_wide and len(self.lists) != 1 and (self.lists or self.route != "contact"):
            raise ConfigurationError(
                "Setting `list`: give the one Mailjet list to deliver to, by ID, name or address (several only with "
                "`scope: account`, none with that or with `route: contact`)."
            )
        if self.account_wide and self.route == "csv":
            raise ConfigurationError(
                "Setting `route` is 'csv', but Mailjet imports CSV files into one list only: set `scope: list`, or "
                "`route: auto`."
            )


class MailjetDestination:
    """One list, or one account, of Mailjet."""

    replaces_contents = False
    holds_since = 0.0

    def __init__(self, client: MailjetClient, target: MailjetTarget, *, dry_run: bool = False) -> None:
        """Find the lists and read the account's properties; with `dry_run`, a list that is to be made gets the ID 0.

        Raises:
            ConfigurationError: a list is missing, deleted or named ambiguously.
            MailingError: Mailjet could not be asked.
        """
        target.check()
        by_contact = target.route == "contact"
        self._client = client
        self._target = target
        self._lists = [find_list(client, one, create=target.create_list, dry_run=dry_run) for one in target.lists]
        where = f"list:{self._lists[0] if self._lists else 'of-each-row'}"
        if target.account_wide:
            where = f"account:{sorted(self._lists)}"
        self.name = f"mailjet:{client.account}:{client.identity}:{where}"
        self._lists_column = (
            ListsColumn(row for page in client.rows("contactslist") for row in page) if by_contact else None
        )
        #: By folded address and list, opt-outs that rows told of.
        self._opted_out: set[tuple[str, str]] = set()
        self._datatypes: dict[str, str] = {}
        self.fields = self._read_fields()
        self._told_of_json = False
        self._unknown_properties = UnknownProperties(target.property_delay)
        decline = ACTIONS.unsubscribe if by_contact else ""
        self.actions = msgspec.structs.replace(ACTIONS, known=self._known_actions(), decline=decline)

    @property
    def has_lists_by_row(self) -> bool:
        """By contact they have."""
        return self._lists_column is not None

    @property
    def list_id(self) -> int | None:
        """The list whose own route is used; None account-wide, or where each row names its own."""
        return None if self._target.account_wide or not self._lists else self._lists[0]

    def _known_actions(self) -> frozenset[str]:
        if self._lists_column is not None:
            return ACTIONS.known - ACTIONS.account_wide
        # Without a list there is nothing to leave, and no place for a file: Mailjet only adds and updates contacts.
        return ACTIONS.known if self._lists else frozenset({"addnoforce", "addforce"})

    def encode(self, contact: MappedContact, action: str) -> bytes:
        """A contact as Mailjet takes it, by contact with its `Lists`; removing and excluding need only the address."""
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
        if self._lists_column is not None:
            named = contact.columns.get("lists")
            if named is not None or self._lists:
                named = [(one, None) for one in self._lists] if named is None else named
                found["Lists"] = self._actions_on_lists(contact, named, action)
            elif not contact.deleted:
                raise RowRejected("unknown_list", "the row names no `lists`, and there is no setting `list`")
        if not _ADDING.isdisjoint((found.get("Lists") or {0: action}).values()):
            require_valid(contact.email or "")
        return _encode(found)

    def _actions_on_lists(
        self, contact: MappedContact, named: Sequence[tuple[int, str | None]], action: str
    ) -> dict[str, str]:
        asked = actions_of(named, action, self._target.consent)
        address = fold_address(contact.email or "")
        before = {one: ACTIONS.unsubscribe for one in asked if (address, one) in self._opted_out}
        found = laid_over(before, asked)
        self._opted_out.update((address, one) for one in found if found[one] == ACTIONS.unsubscribe)
        return found

    def overlay(self, earlier: bytes, later: bytes) -> bytes:
        """Present fields are updated and absent ones untouched, so the later contact is laid over the earlier."""
        if earlier == later:
            return later
        below, above = msgspec.json.decode(earlier), msgspec.json.decode(later)
        properties = {**below.get("Properties", {}), **above.get("Properties", {})}
        found = {**below, **above, **({"Properties": properties} if properties else {})}
        if "Lists" in below and "Lists" in above:
            found["Lists"] = laid_over(below["Lists"], above["Lists"])
        return _encode(found)

    def parts(self, action: str, rows: list[Row]) -> Sequence[tuple[str, list[Row]]]:
        """Files of the rows that may go so, by the setting, and one JSON batch of the others."""
        if action in ACTIONS.account_wide:  # which only CSV imports know
            return [("csv", file) for file in cut(rows)]
        route = self._target.route
        if route in {"json", "contact"} or self.list_id is None:
            return [("contact" if route == "contact" else "json", rows)]
        made, others = files(rows, self._datatypes, least=1 if route == "csv" else _MANY_ROWS)
        if others and route == "csv" and not self._told_of_json:
            self._told_of_json = True
            logger.info(
                "Setting `route` is 'csv': rows that a file cannot hold, such as those with a name, go by JSON jobs"
            )
        return [*(("csv", file) for file in made), *([("json", others)] if others else [])]

    def steps(self, action: str, route: str) -> Sequence[Step]:
        """The steps of a route; removals by bulk job begin with consent, and by contact there is one step."""
        client, target, unknown = self._client, self._target, self._unknown_properties
        if route == "contact":
            return (ManageContacts(client, target.consent, unknown),)
        consent = ReadConsent(client, self._lists)
        if action == ACTIONS.ask:
            return (consent,)
        steps: tuple[Step, ...]
        if route == "csv":
            steps = (
                Upload(client, self._lists[0], self._datatypes, unknown),
                Import(client, None if action in ACTIONS.account_wide else self.list_id, unknown),
                FollowImport(client, target.poll_interval, target.poll_max_interval),
                ReadImportErrors(client, unknown, self._lists),
            )
        else:
            steps = (
                Submit(client, self.list_id, self._lists, unknown),
                Follow(client, self.list_id, target.poll_interval, target.poll_max_interval),
                JudgeJob(client, unknown, self._lists),
            )
        return (consent, *steps) if action == ACTIONS.remove else steps

    def can_resume(self, route: str, begun: Collection[str]) -> bool:  # noqa: ARG002 - nothing stands in the way
        """Always."""
        return True

    def closing(self) -> Sequence[Step]:
        """Nothing."""
        return ()

    def read_back(self, verdict: Finished, doubtful: Sequence[int]) -> Step:
        """Looks at each contact and its memberships."""
        return ReadBack(self._client, self._lists, verdict, doubtful)

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
            time.sleep(self._target.property_delay)
            self.fields = self._read_fields()
            names = PropertyNames(self.fields)
            if all(names.find(name) for name in types) or time.monotonic() > deadline:
                return

    def _read_fields(self) -> Fields:
        datatypes: dict[str, str] = {}
        for page in self._client.rows("contactmetadata"):
            for row in page:
                if str(row.get("NameSpace", "static")).lower() == "static":
                    datatypes[name_of(row)] = str(row.get("Datatype", "str")).lower()
        self._datatypes = datatypes
        columns = dict.fromkeys(("name", "first_name", "last_name"), NAME)
        if self._lists_column is not None:
            lists = self._lists_column
            columns["lists"] = Field(lists, for_removals=True, readable=lists.readable, opt_outs=lists.opt_outs)
        properties = {name: FIELDS.get(datatype, TEXT) for name, datatype in datatypes.items()}
        return Fields(columns=columns, properties=properties, defines_properties=True)
