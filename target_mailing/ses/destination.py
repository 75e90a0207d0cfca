"""Amazon SES as a destination: the contact list or the suppression list of a region, by import jobs or row by row.

docs/ses.md has the facts, and which of them are unverified.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from mailing_api.errors import ConfigurationError, PermissionDenied
from target_mailing.contacts.contact import EncodedContact, MappedContact
from target_mailing.contacts.fields import Field, Fields, RowRejected
from target_mailing.contacts.row_address import not_addable, require_valid
from target_mailing.contacts.values import trimmed
from target_mailing.interface.destination import Destination, Finished, Step
from target_mailing.interface.list_members import Held, Member
from target_mailing.ses.contact import (
    ANY_ATTRIBUTE,
    TOPIC_PREFIX,
    Content,
    Status,
    content_of,
    encoded,
    encoded_all,
    fields_of,
    overlaid,
)
from target_mailing.ses.contact_list import ContactList
from target_mailing.ses.direct_route import MAX_ROWS, Deliver, ListReadBack
from target_mailing.ses.import_route import Clear, Consent, Follow, Outcome, Plan, Submit, SubmitChecked, Upload
from target_mailing.ses.list import ACTIONS, SesList
from target_mailing.ses.lookup import FEW
from target_mailing.ses.stage import Stage
from target_mailing.ses.suppression_list import REASONS, Suppressed, SuppressionList
from target_mailing.ses.today import on_contact_list, on_suppression_list
from target_mailing.settings.settings import StreamSettings

__all__ = ["Contacts", "Suppressions"]

logger = logging.getLogger("target-mailing.ses")

_decode = msgspec.json.Decoder(Content).decode
#: All attributes, which a row replaces as a whole.
_ATTRIBUTES: Final = "attributes"
#: Actions that need no more than the address.
_BY_ADDRESS: Final = frozenset({ACTIONS.ask, ACTIONS.remove})
#: Actions by which nobody gets messages that they did not get before.
_NOT_ADDING: Final = _BY_ADDRESS | {ACTIONS.unsubscribe, ACTIONS.decline}


class _Destination(Destination):
    """The behaviour that both kinds of destination share."""

    actions = ACTIONS

    def __init__(
        self, ses_list: SesList, fields: Fields, *, where: str, name: str, settings: StreamSettings, stage: Stage | None
    ) -> None:
        """Take a list.

        Args:
            ses_list: the list.
            fields: its fields.
            where: account and region.
            name: of the list in these.
            settings: of the first stream that goes there.
            stage: the folder for objects; None for none.
        """
        self.name = f"{where}:{name}"
        self._list_name = name
        self.fields = fields
        self._list = ses_list
        self._settings = settings
        self._stage = stage

    @property
    def places(self) -> Collection[str]:
        """The list; whether Amazon SES distinguishes letter case in its name is unverified."""
        return [self._list_name.casefold()]

    def parts(self, action: str, rows: Sequence[EncodedContact]) -> Sequence[tuple[str, Sequence[int]]]:
        """By import for many rows, or if Amazon SES refuses an address in calls for one contact."""
        route: Literal["import", "direct"] = "direct"
        if action == ACTIONS.ask and len(rows) > FEW:
            route = "import"  # only its first step is taken, which reads a listing
        elif self._stage is not None and self._settings.route != "direct":
            is_small = len(rows) <= FEW and not any("/" in row.address for row in rows)
            route = "direct" if self._settings.route == "auto" and is_small else "import"
        most = MAX_ROWS if route == "direct" else self._list.most_rows(action)
        return [(route, range(len(rows))[begin : begin + most]) for begin in range(0, len(rows), most)]

    def steps(self, action: str, route: str) -> Sequence[Step]:
        """The steps of a route. An import that only concerns existing contacts begins with consent."""
        ses_list, stage = self._list, self._stage
        if route == "direct":
            return (Deliver(ses_list),)
        consent = Consent(ses_list)
        if action == ACTIONS.ask or stage is None:
            return (consent,)
        checks_first = action in {ACTIONS.remove, ACTIONS.decline}
        submit = (SubmitChecked if checks_first else Submit)(ses_list, stage)
        clear = () if stage.keeps else (Clear(stage),)
        steps = (
            Plan(stage), Upload(ses_list, stage), submit, Follow(ses_list, stage), *clear, Outcome(ses_list, stage),
        )  # fmt: skip
        return (consent, *steps) if checks_first else steps

    def can_resume(self, route: str, begun: Collection[str]) -> bool:
        """Whether it can; an import needs a bucket.

        Raises:
            ConfigurationError: there is no bucket now.
        """
        if self._stage is None and route == "import" and {*begun} != {Consent.name}:
            raise ConfigurationError(
                f"Setting `ses_s3_bucket` is not set, but an import of an earlier run to {self.name} is unfinished. "
                "Set the bucket again, until a run has finished that import."
            )
        return True

    def read_back(self, verdict: Finished, doubtful: Sequence[int]) -> Step:
        """Looks up the contacts."""
        return ListReadBack(verdict, doubtful, self._list)


class Contacts(_Destination):
    """The contact list of a region."""

    def __init__(self, contact_list: ContactList, topics: Sequence[str], **options: Any) -> None:
        """Take the list, the names of its topics, and the options of every destination here."""
        super().__init__(contact_list, fields_of(topics), **options)
        self._contact_list = contact_list
        self._topics = frozenset(topics)

    def encode(self, contact: MappedContact, action: str) -> bytes:
        """The content of the row."""
        if action not in _NOT_ADDING:
            require_valid(contact.email or "", ascii_only=True)
        return encoded(_content_of(contact, action))

    def encode_all(self, contacts: Sequence[MappedContact], action: str) -> list[bytes | RowRejected]:
        """Many rows, encoded together."""
        contents: list[Any] = encoded_all([_content_of(contact, action) for contact in contacts])
        if action not in _NOT_ADDING:
            for at, no in not_addable([contact.email or "" for contact in contacts], ascii_only=True).items():
                contents[at] = no
        return contents

    def changes(self, contact: EncodedContact) -> Mapping[str, tuple[Any, Any]]:
        """Attributes of the row replace all others; topics have their own names."""
        content = _decode(contact.content)
        after = ({} if content.attributes is None else {"attributes": content.attributes}) | dict(content.topics)
        before = self._contact_list.fields_now(contact.email) if after else {}
        return {name: (before.get(name), value) for name, value in after.items() if before.get(name) != value}

    def members(self) -> Iterator[Sequence[Member]]:
        """The contacts; who only declined a topic did not opt out of the list.

        A page may omit contacts while others are deleted.
        """
        for page in self._contact_list.pages():
            yield [Member(email, state.unsubscribed) for email, state in page]

    def fields_in(self, content: bytes) -> Collection[str]:
        """Topics by their columns, and all attributes as one field."""
        found = _decode(content)
        return [*map(_column_of, found.topics), *([_ATTRIBUTES] if found.attributes else [])]

    def uncompared(self, fields: Collection[str]) -> Collection[str]:
        """Attributes: only a call for each contact shows them."""
        return [name for name in fields if name == _ATTRIBUTES]

    def held(self, fields: Collection[str]) -> Iterator[Sequence[Held]]:  # noqa: ARG002 - its listing has all topics
        """The contacts with their topics."""
        for page in self._contact_list.pages():
            yield [
                Held(email, "unsubscribed" if state.unsubscribed else "", msgspec.json.encode(state.topics))
                for email, state in page
            ]

    def differences(self, content: bytes, held: bytes) -> Mapping[str, tuple[Any, Any]]:
        """Topics, by their columns."""
        before = msgspec.json.decode(held)
        topics = _decode(content).topics
        return {
            _column_of(name): (before.get(name), status)
            for name, status in topics.items()
            if before.get(name) != status
        }

    def suppressions(self) -> Iterator[Sequence[tuple[str, str]]]:
        """The suppression list; none if it may not be listed."""
        try:
            for page in self._list.writer.client.suppressions(self._list.writer.region):
                yield [(one.email, one.reason) for one in map(Suppressed.of, page)]
        except PermissionDenied:
            logger.warning(
                "ses:ListSuppressedDestinations is not permitted, so who is suppressed does not show: permit it to see"
            )

    def today(self, names: Sequence[str]) -> Sequence[str]:
        """The contact, and whether its address is suppressed."""
        client, region = self._list.writer.client, self._list.writer.region
        listed = on_contact_list(client, region, self._settings.lists[0], names)
        return [*listed, *on_suppression_list(client, region, names)]

    def declined(self, contact: bytes) -> Collection[str]:
        """Topics."""
        return [name for name, status in _decode(contact).topics.items() if status == "OPT_OUT"]

    def declining(self, contact: bytes, names: Collection[str]) -> bytes:
        """Without topics that the list no longer has: Amazon SES would refuse these."""
        content = _decode(contact)
        topics: dict[str, Status] = dict.fromkeys(self._topics.intersection(names), "OPT_OUT")
        return encoded(overlaid(Content(content.email, topics=topics), content))

    def overlay(self, earlier: bytes, later: bytes) -> bytes:
        """The attributes of the later one if it has any, and the choices of both."""
        return later if earlier == later else encoded(overlaid(_decode(earlier), _decode(later)))


class Suppressions(_Destination):
    """The suppression list of a region."""

    actions = msgspec.structs.replace(ACTIONS, decline="", removing_undoes_opt_out=True)

    def __init__(self, suppression_list: SuppressionList, **options: Any) -> None:
        """Take the list, and the options of every destination here."""
        fields = Fields(columns={"reason": Field(_reason)}, properties=ANY_ATTRIBUTE, ascii_only=True)
        super().__init__(suppression_list, fields, **options)

    def today(self, names: Sequence[str]) -> Sequence[str]:
        """Whether the address is suppressed."""
        return [*on_suppression_list(self._list.writer.client, self._list.writer.region, names)]

    def fields_in(self, content: bytes) -> Collection[str]:  # noqa: ARG002 - each row has one
        """The reason."""
        return ["reason"]

    def uncompared(self, fields: Collection[str]) -> Collection[str]:  # noqa: ARG002 - its listing shows it
        """None."""
        return ()

    def held(self, fields: Collection[str]) -> Iterator[Sequence[Held]]:  # noqa: ARG002 - as above
        """The addresses with their reasons."""
        for page in self._list.writer.client.suppressions(self._list.writer.region):
            yield [Held(one.email, "", one.reason.encode()) for one in map(Suppressed.of, page)]

    def differences(self, content: bytes, held: bytes) -> Mapping[str, tuple[Any, Any]]:
        """The reason."""
        before, after = held.decode(), msgspec.json.decode(content, type=Suppressed).reason
        return {"reason": (before, after)} if before != after else {}

    def suppressions(self) -> Iterator[Sequence[tuple[str, str]]]:
        """None beside the list itself."""
        return iter(())

    def encode(self, contact: MappedContact, action: str) -> bytes:
        """The address, and the reason of its suppression."""
        if contact.status == "subscribed" and action not in {*_BY_ADDRESS, ACTIONS.unsubscribe}:
            raise RowRejected("subscribed", "the row's status is subscribed, so its address is not suppressed")
        if action in _BY_ADDRESS or "reason" not in contact.columns:
            return encoded(Suppressed(contact.email or ""))
        return encoded(Suppressed(contact.email or "", contact.columns["reason"]))


def _content_of(contact: MappedContact, action: str) -> Content:
    return content_of(contact, force=action in ACTIONS.respectful, by_address=action in _BY_ADDRESS)


def _column_of(topic: str) -> str:
    return f"{TOPIC_PREFIX}{topic}"


def _reason(value: Any) -> str | None:
    reason = trimmed(value).upper() if isinstance(value, str) else None
    if reason not in ("", *REASONS):
        raise ValueError("neither BOUNCE nor COMPLAINT")
    return reason or None
