"""A contact of Amazon SES: the content of a row, the contact as it is, and the two merged; pure (P5)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from mailing_api.errors import UnreadableAnswer
from target_mailing.contacts import bulk, values
from target_mailing.contacts.consent_words import choice_of, choice_of_opt_out
from target_mailing.contacts.contact import MappedContact
from target_mailing.contacts.fields import AnyName, Field, Fields
from target_mailing.contacts.properties import CANONICAL_COLUMNS

__all__ = [
    "ANY_ATTRIBUTE",
    "TOPIC_PREFIX",
    "Content",
    "State",
    "Status",
    "content_of",
    "encoded",
    "encoded_all",
    "fields_of",
    "line_of",
    "members_of",
    "merged",
    "overlaid",
]

Status = Literal["OPT_IN", "OPT_OUT"]

#: Canonical columns that become attributes of the same name: Amazon SES has no fields for them.
ATTRIBUTES: Final = tuple(
    name
    for name in CANONICAL_COLUMNS
    if name.startswith(("name", "first_", "last_", "company", "job_", "phone", "address_"))
)
#: The beginning of a topic's column.
TOPIC_PREFIX: Final = "topic_"
PREFERENCES: Final = "topic_preferences"
#: A column of `tap-mailing`; it holds the list's defaults, which no contact chose.
_DEFAULTS: Final = "topic_default_preferences"

_NO_TOPICS: Final = frozenset({*ATTRIBUTES, PREFERENCES, _DEFAULTS})

_encoder: Final = msgspec.json.Encoder(order="deterministic")
#: Equal contents are equal bytes.
encoded: Final = _encoder.encode


class Content(msgspec.Struct, omit_defaults=True):
    """The content of a row, as a batch holds it.

    Attributes:
        force: undo opt-outs.
    """

    email: str
    attributes: dict[str, Any] | None = None
    topics: dict[str, Status] = {}
    force: bool = False


class State(msgspec.Struct, frozen=True):
    """A contact as it is, or as it is to be written.

    Attributes:
        email: in Amazon SES's spelling.
        topics: the contact's own choices, without the list's defaults.
        attributes: JSON in a string, None for none; UNSET if it comes from a listing, which does not show them.
    """

    email: str
    unsubscribed: bool = False
    topics: dict[str, Status] = {}
    attributes: str | UnsetType | None = UNSET

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> State:
        """The contact of an answer of GetContact or ListContacts. A status other than OPT_IN is taken as an opt-out.

        Raises:
            UnreadableAnswer: it shows no contact, or does not show whether the contact unsubscribed.
        """
        try:
            attributes = row.get("AttributesData", None if "ContactListName" in row else UNSET)
            preferences = row.get("TopicPreferences")
            return cls(
                email=str(row["EmailAddress"]),
                unsubscribed=msgspec.convert(row["UnsubscribeAll"], bool),
                topics={
                    str(preference["TopicName"]): (
                        "OPT_IN" if preference.get("SubscriptionStatus") == "OPT_IN" else "OPT_OUT"
                    )
                    for preference in ([] if preferences is None else preferences)
                },
                attributes=attributes if attributes is UNSET or attributes is None else str(attributes),
            )
        except (AttributeError, LookupError, TypeError, msgspec.ValidationError):
            raise UnreadableAnswer("Amazon SES: a contact is not in the form that AWS documents.") from None

    @property
    def has_opted_out(self) -> bool:
        """Whether it opted out of everything, or of a topic; deleting the contact would erase that."""
        return self.unsubscribed or "OPT_OUT" in self.topics.values()

    def with_opt_outs_of(self, other: State) -> State:
        """The same, with the opt-outs of a contact whose address differs only in case."""
        topics: dict[str, Status] = {**other.topics, **self.topics, **_opt_outs(other.topics)}
        return msgspec.structs.replace(self, unsubscribed=self.unsubscribed or other.unsubscribed, topics=topics)


def merged(content: Content, *, unsubscribe: bool, state: State | None) -> State:
    """The contact to write, given the contact as it is. Opt-outs are kept, unless the content has `force`.

    Attributes in a row replace all of the contact's: a listing does not show these.
    """
    before = state or State(content.email, attributes=None)
    kept = {} if content.force else _opt_outs(before.topics)
    return State(
        email=before.email,
        unsubscribed=unsubscribe or (before.unsubscribed and not content.force),
        topics={**before.topics, **content.topics, **kept},
        attributes=encoded(content.attributes).decode() if content.attributes else before.attributes,
    )


def overlaid(earlier: Content, later: Content) -> Content:
    """The content that has the effect of one row followed by another of the same action."""
    kept = {} if later.force else _opt_outs(earlier.topics)
    topics: dict[str, Status] = {**earlier.topics, **later.topics, **kept}
    return Content(later.email, later.attributes or earlier.attributes, topics, later.force)


def _opt_outs(topics: Mapping[str, Status]) -> dict[str, Status]:
    return {name: status for name, status in topics.items() if status == "OPT_OUT"}


def members_of(state: State) -> dict[str, Any]:
    """A contact as CreateContact and UpdateContact take it."""
    members: dict[str, Any] = {
        "UnsubscribeAll": state.unsubscribed,
        "TopicPreferences": [
            {"TopicName": name, "SubscriptionStatus": status} for name, status in sorted(state.topics.items())
        ],
    }
    if isinstance(state.attributes, str):
        members["AttributesData"] = state.attributes
    return members


def line_of(state: State) -> bytes:
    """A contact as a line of an import job's object, whose members have other names."""
    members: dict[str, Any] = {
        "emailAddress": state.email,
        "unsubscribeAll": state.unsubscribed,
        "topicPreferences": [
            {"topicName": name, "subscriptionStatus": status} for name, status in sorted(state.topics.items())
        ],
    }
    if isinstance(state.attributes, str):
        members["attributesData"] = state.attributes
    return msgspec.json.encode(members) + b"\n"


def content_of(contact: MappedContact, *, force: bool, by_address: bool) -> Content:
    """The content of a row. `by_address`: only the address is needed."""
    email = contact.email or ""
    if by_address:
        return Content(email)
    columns = contact.columns
    attributes = {name: columns[name] for name in ATTRIBUTES if name in columns}
    topics = dict(columns.get(PREFERENCES, {}))
    for name, value in columns.items():
        if name not in _NO_TOPICS:
            topics |= value
    return Content(email, {**attributes, **contact.properties} or None, topics, force)


def encoded_all(contents: Sequence[Content]) -> list[bytes]:
    """Encode many, each as `encoded` does."""
    return _encoder.encode_lines(contents).splitlines()


# Fields


def fields_of(topics: Collection[str]) -> Fields:
    """The fields of a contact list with these topics."""
    columns = dict.fromkeys(ATTRIBUTES, _JSON)
    for topic in topics:
        # Warehouses often have columns in lower case.
        columns |= dict.fromkeys((f"{TOPIC_PREFIX}{topic}", f"{TOPIC_PREFIX}{topic.lower()}"), _choice_field(topic))
    columns |= {PREFERENCES: _preferences_field(frozenset(topics)), _DEFAULTS: Field(lambda value: value)}
    return Fields(columns=columns, properties=ANY_ATTRIBUTE, own_prefix=TOPIC_PREFIX, ascii_only=True)


_JSON: Final = Field(values.json_value, bulk.json_value)
#: Attributes are an object without a schema.
ANY_ATTRIBUTE: Final = AnyName(_JSON)


#: Reads a choice: True for an opt-in, False for an opt-out, None for none.
_Choice = Callable[[Any], bool | None]


def _choice_field(topic: str) -> Field:
    """The field of a topic; in a column named after opt-outs, "yes" declines the topic."""

    def read_by(choice: _Choice) -> Field:
        def convert(value: Any) -> dict[str, Status] | None:
            status = _status(choice(value))
            return None if status is None else {topic: status}

        return Field(convert, opt_outs=_declined)

    return msgspec.structs.replace(read_by(choice_of), turned=read_by(choice_of_opt_out))


def _status(choice: bool | None) -> Status | None:
    return None if choice is None else "OPT_IN" if choice else "OPT_OUT"


def _declined(topics: Mapping[str, Status]) -> dict[str, Status] | None:
    return _opt_outs(topics) or None


def _preferences_field(topics: frozenset[str]) -> Field:
    """Choices, in a list of objects, as `tap-mailing` writes them, or in one object."""

    def read_by(choice: _Choice) -> Field:
        def convert(value: Any) -> dict[str, Status] | None:
            preferences = _preferences(value)
            return None if preferences is None else _statuses(preferences, topics, choice)

        def readable(value: Any) -> dict[str, Status]:
            statuses: dict[str, Status] = {}
            for preference in _preferences(value) or ():
                with suppress(ValueError):
                    statuses |= _statuses([preference], topics, choice)
            return statuses

        return Field(convert, readable=readable, opt_outs=_declined)

    return msgspec.structs.replace(read_by(choice_of), turned=read_by(choice_of_opt_out))


def _preferences(value: Any) -> list[tuple[Any, Any]] | None:
    preferences = values.from_json_text(value, "a list of preferences")
    if preferences is None:
        return None
    if isinstance(preferences, list) and all(isinstance(preference, dict) for preference in preferences):
        return [(preference.get("topic_name"), preference.get("subscription_status")) for preference in preferences]
    if isinstance(preferences, dict):
        return list(preferences.items())
    raise ValueError("no list of preferences")


def _statuses(preferences: Iterable[tuple[Any, Any]], topics: Collection[str], choice: _Choice) -> dict[str, Status]:
    """Statuses by topic; of two preferences for one topic the opt-out counts."""
    statuses: dict[str, Status] = {}
    for name, value in preferences:
        if not isinstance(name, str) or name not in topics:
            raise ValueError(f"for topic {name!r}, which the contact list does not have")
        status = _status(choice(value))
        if status is not None and statuses.get(name) != "OPT_OUT":
            statuses[name] = status
    return statuses
