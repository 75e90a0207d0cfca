"""A contact of Amazon SES: what a row says of it, what is there, and what of both is to be there then; pure (P5)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from mailing_api.errors import UnreadableAnswer
from target_mailing.contacts import values
from target_mailing.contacts.consent_words import choice_of, choice_of_opt_out
from target_mailing.contacts.contact import MappedContact
from target_mailing.contacts.fields import AnyName, Field, Fields
from target_mailing.contacts.properties import CANONICAL_COLUMNS

__all__ = [
    "ANY_ATTRIBUTE",
    "State",
    "Status",
    "Told",
    "encode_contact",
    "fields_of",
    "laid_over",
    "line_of",
    "members_of",
    "merged",
]

Status = Literal["OPT_IN", "OPT_OUT"]

#: Canonical columns that become attributes of the same name: Amazon SES has no fields for them.
ATTRIBUTES: Final = tuple(
    name
    for name in CANONICAL_COLUMNS
    if name.startswith(("name", "first_", "last_", "company", "job_", "phone", "address_"))
)
#: Columns of topics begin so.
TOPIC_PREFIX: Final = "topic_"
PREFERENCES: Final = "topic_preferences"
#: What `tap-mailing` writes beside the preferences; it is the list's, and no choice of anybody.
_DEFAULTS: Final = "topic_default_preferences"

_encode = msgspec.json.Encoder(order="deterministic").encode


class Told(msgspec.Struct, omit_defaults=True):
    """What a row says, as it is kept in a batch.

    Attributes:
        force: it is to undo opt-outs.
    """

    email: str
    attributes: dict[str, Any] | None = None
    topics: dict[str, Status] = {}
    force: bool = False


class State(msgspec.Struct, frozen=True):
    """A contact as it is, or is to be.

    Attributes:
        email: as Amazon SES spells it.
        topics: the contact's own choices; what it did not choose is not in here.
        attributes: JSON in a text, None for none; UNSET where a listing did not show them.
    """

    email: str
    unsubscribed: bool = False
    topics: dict[str, Status] = {}
    attributes: str | UnsetType | None = UNSET

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> State:
        """From what GetContact or ListContacts shows. Whatever is no choice to be written to counts as an opt-out.

        Raises:
            UnreadableAnswer: it shows no contact, or not whether this one unsubscribed.
        """
        try:
            return cls._of(row)
        except (AttributeError, LookupError, TypeError):
            raise UnreadableAnswer("Amazon SES: a contact is not in the form that AWS documents.") from None

    @classmethod
    def _of(cls, row: Mapping[str, Any]) -> State:
        attributes = row.get("AttributesData", None if "ContactListName" in row else UNSET)
        unsubscribed, preferences = row["UnsubscribeAll"], row.get("TopicPreferences")
        if not isinstance(unsubscribed, bool):
            raise TypeError
        return cls(
            email=str(row["EmailAddress"]),
            unsubscribed=unsubscribed,
            topics={
                str(one["TopicName"]): "OPT_IN" if one.get("SubscriptionStatus") == "OPT_IN" else "OPT_OUT"
                for one in ([] if preferences is None else preferences)
            },
            attributes=attributes if attributes is UNSET or attributes is None else str(attributes),
        )

    @property
    def has_opted_out(self) -> bool:
        """Of everything, or of a topic; deleting the contact would forget it."""
        return self.unsubscribed or "OPT_OUT" in self.topics.values()

    def with_opt_outs_of(self, other: State) -> State:
        """The same, with the opt-outs of a contact whose address differs in case only."""
        topics: dict[str, Status] = {**other.topics, **self.topics}
        topics |= {name: "OPT_OUT" for name, status in other.topics.items() if status == "OPT_OUT"}
        return msgspec.structs.replace(self, unsubscribed=self.unsubscribed or other.unsubscribed, topics=topics)


def merged(told: Told, *, unsubscribe: bool, state: State | None) -> State:
    """What a contact is to be, given what it is; only a row that is to undo opt-outs undoes one.

    A row that has attributes replaces all of them, since a listing does not show those that are there.
    """
    topics: dict[str, Status] = {} if state is None else dict(state.topics)
    for name, status in told.topics.items():
        if status == "OPT_OUT" or told.force or topics.get(name) != "OPT_OUT":
            topics[name] = status
    attributes = None if state is None else state.attributes
    if told.attributes:
        attributes = _encode(told.attributes).decode()
    return State(
        email=told.email if state is None else state.email,
        unsubscribed=unsubscribe or (state is not None and state.unsubscribed and not told.force),
        topics=topics,
        attributes=attributes,
    )


def laid_over(earlier: Told, later: Told) -> Told:
    """What has the effect of one row followed by another of the same action."""
    topics: dict[str, Status] = {**earlier.topics, **later.topics}
    if not later.force:
        topics |= {name: status for name, status in earlier.topics.items() if status == "OPT_OUT"}
    return Told(later.email, later.attributes or earlier.attributes, topics, later.force)


def members_of(state: State) -> dict[str, Any]:
    """A contact as CreateContact and UpdateContact take it."""
    found: dict[str, Any] = {
        "UnsubscribeAll": state.unsubscribed,
        "TopicPreferences": [
            {"TopicName": name, "SubscriptionStatus": status} for name, status in sorted(state.topics.items())
        ],
    }
    return found | ({"AttributesData": state.attributes} if isinstance(state.attributes, str) else {})


def line_of(state: State) -> bytes:
    """A contact as a line of an import's file, where members have other names."""
    found: dict[str, Any] = {
        "emailAddress": state.email,
        "unsubscribeAll": state.unsubscribed,
        "topicPreferences": [
            {"topicName": name, "subscriptionStatus": status} for name, status in sorted(state.topics.items())
        ],
    }
    if isinstance(state.attributes, str):
        found["attributesData"] = state.attributes
    return msgspec.json.encode(found) + b"\n"


def encode_contact(contact: MappedContact, *, force: bool, by_address: bool) -> bytes:
    """What a row says; equal contacts give equal bytes. `by_address`: nothing but the address is needed."""
    told = Told(contact.email or "")
    if not by_address:
        attributes = {name: contact.columns[name] for name in ATTRIBUTES if name in contact.columns}
        topics = dict(contact.columns.get(PREFERENCES, {}))
        for name, value in contact.columns.items():
            if name not in {*ATTRIBUTES, PREFERENCES, _DEFAULTS}:
                topics |= value
        told = Told(told.email, {**attributes, **contact.properties} or None, topics, force)
    return _encode(told)


# Fields


def fields_of(topics: Collection[str]) -> Fields:
    """What a contact list with these topics takes."""
    columns = dict.fromkeys(ATTRIBUTES, _JSON)
    for topic in topics:
        # Warehouses like to spell columns in lower case.
        columns |= dict.fromkeys((f"{TOPIC_PREFIX}{topic}", f"{TOPIC_PREFIX}{topic.lower()}"), _choice_field(topic))
    columns |= {PREFERENCES: _preferences_field(frozenset(topics)), _DEFAULTS: Field(lambda value: value)}
    return Fields(columns=columns, properties=ANY_ATTRIBUTE, own_prefix=TOPIC_PREFIX, ascii_only=True)


_JSON: Final = Field(values.json_value)
#: Attributes are an object without a schema.
ANY_ATTRIBUTE: Final = AnyName(_JSON)


#: Reads what somebody chose.
_Choice = Callable[[Any], bool | None]


def _choice_field(topic: str) -> Field:
    """A topic; in a column that is called after opt-outs, "yes" declines it."""

    def read_by(choice: _Choice) -> Field:
        def convert(value: Any) -> dict[str, Status] | None:
            status = _status(choice(value))
            return None if status is None else {topic: status}

        return Field(convert, opt_outs=_declined)

    return msgspec.structs.replace(read_by(choice_of), turned=read_by(choice_of_opt_out))


def _status(choice: bool | None) -> Status | None:
    return None if choice is None else "OPT_IN" if choice else "OPT_OUT"


def _declined(found: Mapping[str, Status]) -> dict[str, Status] | None:
    return {topic: status for topic, status in found.items() if status == "OPT_OUT"} or None


def _preferences_field(topics: frozenset[str]) -> Field:
    """Choices as `tap-mailing` writes them, a list of objects, or as one object."""

    def read_by(choice: _Choice) -> Field:
        def convert(value: Any) -> dict[str, Status] | None:
            told = _told_preferences(value)
            return None if told is None else dict(_chosen(told, topics, choice))

        def readable(value: Any) -> dict[str, Status]:
            found: dict[str, Status] = {}
            for one in _told_preferences(value) or ():
                with suppress(ValueError):
                    found |= _chosen([one], topics, choice)
            return found

        return Field(convert, readable=readable, opt_outs=_declined)

    return msgspec.structs.replace(read_by(choice_of), turned=read_by(choice_of_opt_out))


def _told_preferences(value: Any) -> list[tuple[Any, Any]] | None:
    given = values.from_json_text(value, "a list of preferences")
    if given is None:
        return None
    if isinstance(given, list) and all(isinstance(one, dict) for one in given):
        return [(one.get("topic_name"), one.get("subscription_status")) for one in given]
    if isinstance(given, dict):
        return list(given.items())
    raise ValueError("no list of preferences")


def _chosen(told: Iterable[tuple[Any, Any]], topics: Collection[str], choice: _Choice) -> dict[str, Status]:
    found: dict[str, Status] = {}
    for name, value in told:
        if not isinstance(name, str) or name not in topics:
            raise ValueError(f"of a topic that the contact list does not have: {name!r}")
        status = _status(choice(value))
        if status is not None and found.get(name) != "OPT_OUT":
            found[name] = status
    return found
