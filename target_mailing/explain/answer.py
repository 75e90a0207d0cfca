"""The answer in words, at 80 columns; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from mailing_api.counted import counted
from mailing_api.values import seconds_of
from target_mailing.explain.outcomes import PersonOutcome
from target_mailing.explain.rejects import PersonReject
from target_mailing.journal.person import Job, KnownContact, KnownKey
from target_mailing.sections import Fact, time_in_words

__all__ = ["MOST", "of_contact", "of_keys", "of_outcomes", "of_rejects"]

#: Rejects and outcomes that are shown, the newest first.
MOST: Final = 5


def of_keys(keys: Mapping[bytes, KnownKey]) -> Iterator[Fact]:
    """What is said of the key in question, at one destination, besides its contacts."""
    for key in keys.values():
        if key.is_shared:
            yield "key", ["stood for several addresses at once in a run, so it tells nobody's"]
        if key.is_deleted:
            yield "key", ["its delete was delivered; the journal keeps no address of it"]


def of_contact(contact: KnownContact, asked: Collection[bytes]) -> Iterator[Fact]:
    """What the journal knows of a contact.

    Args:
        contact: in the journal.
        asked: hashes that the key in question may have.
    """
    if not contact.is_known:
        yield "journal", ["does not know this address here"]
        return
    if contact.since:
        yield "known since", [time_in_words(contact.since)]
    yield "keys", [_keys(contact.keys, asked)]
    yield "last confirmed", [_confirmed(contact)]
    yield "last action", [*_last_action(contact)]
    if contact.last is not None:
        yield "job", [_job(contact.last, "")]
    elif contact.known is not None and not contact.under_way:
        yield "job", ["not kept"]
    for job in contact.under_way:
        yield "under way", [f"{job.action}, {_job(job, 'job ')}"]
    if contact.absent_from:
        streams = ", ".join(f"stream {name!r}" if name else "a stream" for name in contact.absent_from)
        yield "absent", [f"the last run of {streams} was whole and did not name it: it leaves if the next does not"]
    if contact.may_stay:
        yield "former address", [*_may_stay(contact, asked)]
    if contact.names:
        yield "provider's ID", sorted(contact.names)
    if contact.declined:
        yield "to be declined", [f"{', '.join(sorted(contact.declined))}: told when a row adds the contact"]


def of_rejects(opened: Sequence[PersonReject], others: Sequence[PersonReject]) -> Iterator[Fact]:
    """What is said of the rejects, of all destinations.

    Args:
        opened: those that the journal keeps to be sent again.
        others: those that are only in the files.
    """
    yield "open rejects", [*_newest(opened)] or ["none"]
    if others:
        yield "other rejects", [*_newest(others)]


def _newest(rejects: Sequence[PersonReject]) -> Iterator[str]:
    newest = sorted(rejects, key=lambda one: one.at, reverse=True)
    yield from map(_reject, newest[:MOST])
    if (more := len(newest) - MOST) > 0:
        yield f"and {counted(more, 'older one')}"


def of_outcomes(outcomes: Sequence[PersonOutcome], *, has_many_places: bool) -> Iterator[Fact]:
    """What is said of the newest outcomes, in whatever history there is.

    Args:
        outcomes: the newest first.
        has_many_places: each is said with its destination.
    """
    said = [_outcome(one, has_place=has_many_places) for one in outcomes]
    yield "last outcomes", said or ["none in the history"]


def _keys(keys: Sequence[bytes], asked: Collection[bytes]) -> str:
    own = [key for key in keys if key in asked]
    others = len(keys) - len(own)
    if own and others:
        return f"the one in question, and {counted(others, 'other')} (only hashes are kept)"
    if own:
        return "the one in question"
    return f"{others} (only hashes are kept)" if others else "none is kept of this address"


def _confirmed(contact: KnownContact) -> str:
    known = contact.known
    if known is None:
        return "no" if contact.removed is None else f"no; taken off {time_in_words(contact.removed[0])}"
    if known.confirmed_at is None:
        return "no: it was sent, and the result is not known"
    if known.confirmed_at < 0:
        return "its content is not known now, and the next row is sent"
    return time_in_words(known.confirmed_at)


def _last_action(contact: KnownContact) -> Iterator[str]:
    action = "not kept" if contact.last is None else contact.last.action
    if contact.known is None and not contact.under_way and contact.removed is None:
        action = "none is known"
    if contact.streams:
        named = [f"stream {name!r}" if name else "a stream whose name is not kept" for name in contact.streams]
        yield f"{action}; put there by {', '.join(named)}"
    elif contact.known is not None and contact.known.confirmed_at is not None and contact.known.confirmed_at >= 0:
        yield f"{action}; no stream keeps it there"
    else:
        yield action
    if contact.removed is not None:
        moment, is_move = contact.removed
        why = ", because its key has another address" if is_move else ""
        yield f"taken off {time_in_words(moment)}{why}"


def _job(job: Job, before: str) -> str:
    name = "none" if job.job is None else job.job
    return f"{before}{name}, route {job.route}, begun {time_in_words(job.began_at)}"


def _may_stay(contact: KnownContact, asked: Collection[bytes]) -> Iterator[str]:
    for key, is_stuck in contact.may_stay.items():
        whose = "the key in question" if key in asked else "another key"
        yield (
            f"of {whose}: its removal failed or waits, and the next row of the key removes it"
            if is_stuck
            else f"of {whose}: it may have arrived; the next row of the key settles that"
        )


def _outcome(one: PersonOutcome, *, has_place: bool) -> str:
    moment = seconds_of(one.settled_at) or "at an unknown time"
    detail = one.effect or one.code
    parts = [one.outcome, detail.replace("_", " ") if one.effect and detail else detail]
    job = "" if one.job_id is None else f", job {one.job_id}"
    place = f", at {one.destination}" if has_place and one.destination else ""
    return f"{moment}, stream {one.stream!r}: {', '.join(filter(None, parts))}{job}{place}"


def _reject(one: PersonReject) -> str:
    moment = time_in_words(one.at) if one.at else "at an unknown time"
    if not one.stream:
        return f"{one.code} ({one.place})"
    job = "" if one.job is None else f", job {one.job}"
    reason = f": {one.reason}" if one.reason else ""
    fate = f"; {one.fate}" if one.fate else ""
    return f"{one.code}, stream {one.stream!r}, {moment}, attempt {one.attempt}{job}{reason} ({one.place}){fate}"
