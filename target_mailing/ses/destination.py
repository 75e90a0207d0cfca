"""Amazon SES as a destination: the contact list or the suppression list of a region, by import jobs or row by row.

Facts and what is unverified: docs/ses.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final, Literal

import msgspec

from mailing_api.errors import ConfigurationError
from target_mailing.contacts.contact import MappedContact
from target_mailing.contacts.fields import Field, Fields, RowRejected
from target_mailing.contacts.row_address import require_valid
from target_mailing.contacts.values import trimmed
from target_mailing.destination import Destination, Finished, Step
from target_mailing.row import Row
from target_mailing.ses.contact import ANY_ATTRIBUTE, Status, Told, encode_contact, fields_of, laid_over
from target_mailing.ses.contact_list import ContactList
from target_mailing.ses.direct_route import MAX_ROWS, Deliver, ListReadBack
from target_mailing.ses.import_route import Clear, Consent, Follow, Outcome, Plan, Submit, SubmitKnown, Upload
from target_mailing.ses.list import ACTIONS, SesList
from target_mailing.ses.lookup import FEW
from target_mailing.ses.stage import Stage
from target_mailing.ses.suppression_list import REASONS, Suppressed, SuppressionList
from target_mailing.settings import StreamSettings

__all__ = ["Contacts", "Suppressions"]

_encode = msgspec.json.Encoder(order="deterministic").encode
_BY_ADDRESS: Final = frozenset({ACTIONS.ask, ACTIONS.remove})


class _Destination(Destination):
    """What both kinds of destination share."""

    actions = ACTIONS

    def __init__(
        self, place: SesList, fields: Fields, *, where: str, name: str, settings: StreamSettings, stage: Stage | None
    ) -> None:
        """Take a place.

        Args:
            place: where contacts go.
            fields: what it takes.
            where: account and region.
            name: of the list in these.
            settings: of the first stream that goes there.
            stage: where objects are put; None for nowhere.
        """
        self.name = f"{where}:{name}"
        self._list_name = name
        self.fields = fields
        self._place = place
        self._settings = settings
        self._stage = stage

    @property
    def places(self) -> Collection[str]:
        """The list; whether Amazon SES tells capitals apart in its name is unverified."""
        return [self._list_name.casefold()]

    def parts(self, action: str, rows: list[Row]) -> Sequence[tuple[str, list[Row]]]:
        """By import where many rows go, or an address is among them that the calls for one contact do not take."""
        route: Literal["import", "direct"] = "direct"
        if action == ACTIONS.ask and len(rows) > FEW:
            route = "import"  # whose first step reads a listing, and which ends there
        elif self._stage is not None and self._settings.route != "direct":
            is_small = len(rows) <= FEW and not any("/" in row.address for row in rows)
            route = "direct" if self._settings.route == "auto" and is_small else "import"
        most = MAX_ROWS if route == "direct" else self._place.most_rows(action)
        return [(route, part) for part in _cut(rows, most)]

    def steps(self, action: str, route: str) -> Sequence[Step]:
        """The steps of a route; row by row there is one. What concerns only those who are there begins with consent."""
        place, stage = self._place, self._stage
        if route == "direct":
            return (Deliver(place),)
        consent = Consent(place)
        if action == ACTIONS.ask or stage is None:
            return (consent,)
        looks_first = action in {ACTIONS.remove, ACTIONS.decline}
        submit = (SubmitKnown if looks_first else Submit)(place, stage)
        follow = Follow(place, stage)
        outcome = Outcome(place, stage)
        clear = () if stage.keeps else (Clear(stage),)
        steps = (Plan(stage), Upload(place, stage), submit, follow, *clear, outcome)
        return (consent, *steps) if looks_first else steps

    def can_resume(self, route: str, begun: Collection[str]) -> bool:
        """Unless it is an import, and there is no bucket now."""
        if self._stage is None and route == "import" and {*begun} != {Consent.name}:
            raise ConfigurationError(
                f"Setting `ses_s3_bucket`: an import of an earlier run is unfinished at {self.name}. Set the bucket "
                "again, until a run has followed that import to its end."
            )
        return True

    def read_back(self, verdict: Finished, doubtful: Sequence[int]) -> Step:
        """Looks at what is there."""
        return ListReadBack(verdict, doubtful, self._place)


def _cut(rows: list[Row], most: int) -> Iterator[list[Row]]:
    for begin in range(0, len(rows), most):
        yield rows[begin : begin + most]


class Contacts(_Destination):
    """The contact list of a region."""

    def __init__(self, place: ContactList, topics: Sequence[str], **options: Any) -> None:
        """Take the list, the names of its topics, and the other options as every destination here."""
        super().__init__(place, fields_of(topics), **options)
        self._topics = frozenset(topics)

    def encode(self, contact: MappedContact, action: str) -> bytes:
        """What the row says of the contact."""
        if action not in {*_BY_ADDRESS, ACTIONS.unsubscribe, ACTIONS.decline}:
            require_valid(contact.email or "", ascii_only=True)
        return encode_contact(contact, force=action in ACTIONS.respectful, by_address=action in _BY_ADDRESS)

    def declined(self, contact: bytes) -> Collection[str]:
        """Topics."""
        return [name for name, status in msgspec.json.decode(contact, type=Told).topics.items() if status == "OPT_OUT"]

    def declining(self, contact: bytes, names: Collection[str]) -> bytes:
        """Without topics that the list has no more, which Amazon SES would refuse."""
        told = msgspec.json.decode(contact, type=Told)
        topics: dict[str, Status] = dict.fromkeys(self._topics.intersection(names), "OPT_OUT")
        return _encode(laid_over(Told(told.email, topics=topics), told))

    def overlay(self, earlier: bytes, later: bytes) -> bytes:
        """Attributes of the later one if it has any, choices of both."""
        if earlier == later:
            return later
        return _encode(laid_over(msgspec.json.decode(earlier, type=Told), msgspec.json.decode(later, type=Told)))


class Suppressions(_Destination):
    """The suppression list of a region."""

    actions = msgspec.structs.replace(ACTIONS, decline="", removing_undoes_opt_out=True)

    def __init__(self, place: SuppressionList, **options: Any) -> None:
        """Take the list, and the other options as every destination here."""
        fields = Fields(columns={"reason": Field(_reason)}, properties=ANY_ATTRIBUTE, ascii_only=True)
        super().__init__(place, fields, **options)

    def encode(self, contact: MappedContact, action: str) -> bytes:
        """The address, and why it is suppressed."""
        if contact.status == "subscribed" and action not in {*_BY_ADDRESS, ACTIONS.unsubscribe}:
            raise RowRejected("subscribed", "the row says that this person is subscribed, so it is not suppressed")
        if action in _BY_ADDRESS or "reason" not in contact.columns:
            return _encode(Suppressed(contact.email or ""))
        return _encode(Suppressed(contact.email or "", contact.columns["reason"]))


def _reason(value: Any) -> str | None:
    found = trimmed(value).upper() if isinstance(value, str) else None
    if found not in ("", *REASONS):
        raise ValueError("neither BOUNCE nor COMPLAINT")
    return found or None
