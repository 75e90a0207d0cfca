"""Streams whose lists are to equal them: whom the input names, whether it is whole, and who is then taken off."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from mailing_api.counted import counted
from target_mailing.contacts.mapping import Values
from target_mailing.delivery.queue import DestinationQueue
from target_mailing.input.list_scope import ListScope
from target_mailing.input.messages import Message, optional_value
from target_mailing.input.stream import Stream
from target_mailing.input.wholeness import Proof, Verdict, Wholeness
from target_mailing.journal.absent import Absent
from target_mailing.journal.absent_rejects import AbsentRejects
from target_mailing.journal.journal import Journal
from target_mailing.rows.row import Row
from target_mailing.rows.row_queue import RowQueue
from target_mailing.settings.settings import StreamSettings, resolved

__all__ = ["Mirror", "has_mirror"]

logger = logging.getLogger("target-mailing.mirror")


def has_mirror(config: Mapping[str, Any]) -> bool:
    """Whether a setting or an entry of `streams` is that of a mirror."""
    return any(settings.is_mirror for settings in resolved(config))


class Mirror:
    """The mirrors of one input.

    Everybody whom a line names is noted before anything is decided about it, at the destination of its stream, even if
    that stream is no mirror. When all rows have ended, who was put there by a mirror and was not named is taken off.
    """

    def __init__(self, config: Mapping[str, Any], journal: Journal) -> None:
        """Begin with an input of which nothing was read; from now on the journal keeps by which streams people came."""
        maps = config.get("stream_maps") or {}
        #: Columns that stream maps change, in any stream.
        self._mapped: set[str] = {name for one in maps.values() if isinstance(one, Mapping) for name in one}
        #: Whether columns as they came may have other names than those that stream maps make.
        self._flattens = bool(config.get("flattening_enabled"))
        self._journal = journal
        self._absent_rejects = AbsentRejects(journal.open_rejects)
        self._wholeness = Wholeness()
        #: The settings of each stream at a destination; None where it is no mirror there.
        self._streams: dict[tuple[str, DestinationQueue], StreamSettings | None] = {}
        self._key_forms: dict[tuple[str, DestinationQueue], tuple[bytes, bool]] = {}
        self._new_versions: dict[tuple[str, DestinationQueue, int], bool] = {}
        #: Of mirrors of a whole list; None where there are none.
        self._list_scope = ListScope(journal) if any(one.mirrors_list for one in resolved(config)) else None
        self._offers: Iterator[None] | None = None
        self.is_over = False
        #: Streams whose input is proven to be whole, each with the name of its destination before it.
        self._whole: list[tuple[str, str]] = []
        journal.retention.keep_streams()

    # While the input is read

    def add(
        self,
        source: str,
        queue: RowQueue,
        settings: StreamSettings,
        bookmarks: Sequence[str],
        *,
        columns: Iterable[str],
        key_form: tuple[bytes, bool],
    ) -> None:
        """A SCHEMA came; after stream maps the stream may go to several destinations, or to one in several ways.

        `key_form` is that of its keys, and whether the journal knows its people by such keys. The members of a list
        that is mirrored as a whole are read.

        Raises:
            MailingError: they could not be read.
        """
        assert isinstance(queue, DestinationQueue)  # noqa: S101 - only deliveries have mirrors
        self._wholeness.schema(source, bookmarks, columns)
        _, is_known = self._key_forms.get((source, queue), key_form)
        self._key_forms[source, queue] = key_form[0], is_known and key_form[1]
        former = self._streams.get((source, queue), settings)
        if former is not None and former.mirror_scope != settings.mirror_scope:
            settings = msgspec.structs.replace(settings, mirror_scope="stream")
        self._streams[source, queue] = settings if settings.is_mirror and former is not None else None
        if settings.is_mirror and settings.mirrors_list and self._list_scope is not None:
            self._list_scope.read(source, queue)

    def read(self, source: str, messages: Sequence[Message]) -> None:
        """Rows of a stream came."""
        self._wholeness.rows(source, len(messages), {message.version for message in messages})
        versions = self._wholeness.versions(source)
        for version in versions:
            for stream, queue in self._streams:
                if stream == source and (stream, queue, version) not in self._new_versions:
                    is_new = self._journal.absent.is_new_version(queue.destination.name, stream, version)
                    self._new_versions[stream, queue, version] = is_new

    def other(self, message: Message, state: Mapping[str, Any]) -> None:
        """A STATE, whose value is given, or ACTIVATE_VERSION came."""
        if message.type == "STATE":
            self._wholeness.state(state, optional_value(message.end_of_stream))
        elif message.type == "ACTIVATE_VERSION":
            self._wholeness.activated(message.stream, message.version)

    def replayed(self, source: str) -> None:
        """Rows of a stream came from a rejects file."""
        self._wholeness.replayed(source)

    def unreadable(self) -> None:
        """A line cannot be read."""
        self._wholeness.unreadable()

    def name_rows(self, stream: Stream, rows: Sequence[Row], values: Sequence[Values]) -> None:
        """Note whom rows name, which are not handed on yet; `values` are those of their records, and of others."""
        self._name(stream, [row.id for row in rows], [row.key for row in rows if row.key is not None])
        self._count(stream, values)

    def name(self, stream: Stream, values: Sequence[Values]) -> None:
        """Note whom records name that became no rows, or none yet."""
        names = stream.names.of(values)
        has_unknown = self._name(stream, names.contacts, names.keys)
        if names.unnamed or (has_unknown and (stream.has_identity or names.is_doubtful)):
            self._wholeness.unnamed(stream.source)
        if self._list_scope is not None:
            self._list_scope.name(stream.source, stream.queue, names)
        self._wholeness.ended(stream.source, by_key=names.by_key > 0)
        self._count(stream, values)

    def _name(self, stream: Stream, contacts: Sequence[int], keys: Sequence[bytes]) -> bool:
        repeated, has_unknown = self._journal.absent.name(contacts, keys)
        self._absent_rejects.name([*contacts, *keys])
        if repeated and stream.is_keyed:
            self._wholeness.repeated(stream.source)
        return has_unknown

    def _count(self, stream: Stream, values: Sequence[Values]) -> None:
        if (totals := stream.totals(values)) is not None:
            self._wholeness.totals(stream.source, totals)

    def name_filtered(self, streams: Sequence[Stream | None], record: Mapping[str, Any]) -> None:
        """Note whom a record names that stream maps omit: by the columns as they came, if no map changes these."""
        for stream in streams:
            if stream is not None and not self._flattens and self._mapped.isdisjoint(stream.identifying):
                self.name(stream, [stream.read(record)])
            elif stream is not None:
                self._wholeness.unnamed(stream.source)

    # When all rows have ended

    def go_on(self) -> None:
        """Offer some more people who are absent to their queues; it is over when there are none."""
        if self._offers is None:
            self._offers = self._take_off()
        if next(self._offers, self) is self:
            self.is_over = True

    def _take_off(self) -> Iterator[None]:
        for (source, queue), settings in self._streams.items():
            if settings is None:
                continue
            name, verdict = queue.destination.name, self._verdict(source, queue, settings)
            if verdict.proof is None:
                logger.warning(
                    "Stream %r: nobody is %s %s, because nothing proves that the input is whole: %s",
                    source,
                    "taken off" if settings.mirror_action == "remove" else "unsubscribed at",
                    name,
                    verdict.reason,
                )
                continue
            if verdict.proof is not Proof.WORD:
                self._whole.append((name, source))
            yield from self._take_off_absent(source, queue, settings, verdict)
            if settings.mirrors_list and self._list_scope is not None:
                yield from self._list_scope.take_off(source, queue, _action(queue, settings), self._verdicts(queue))
        self._journal.absent.end((queue.destination.name, source) for source, queue in self._streams)

    def end(self) -> None:
        """At the end of a run without errors: rejects of people whom a whole input does not name are closed.

        The user's word does not suffice: of that, more is asked.
        """
        for name, source in self._whole:
            if count := self._absent_rejects.close(name, source):
                logger.info(
                    "Stream %r: the input no longer names the people of %s, which is closed",
                    source,
                    counted(count, "open reject"),
                )

    def _take_off_absent(
        self, source: str, queue: DestinationQueue, settings: StreamSettings, verdict: Verdict
    ) -> Iterator[None]:
        """Offer those whom the stream put there, by the journal."""
        name, absent, lost, opted_out = queue.destination.name, 0, 0, 0
        for contacts in self._journal.absent.of(name, source, twice=verdict.proof is Proof.WORD):
            leaving = contacts
            if settings.mirrors_list and self._list_scope is not None:
                leaving = self._list_scope.leaving(queue, contacts)
            offered = queue.take_off(source, leaving, _action(queue, settings))
            absent, lost = absent + len(contacts), lost + len(leaving) - offered
            opted_out += len(contacts) - len(leaving)
            yield
        form, is_known = self._key_forms[source, queue]
        if not is_known and not absent and self._wholeness.keys_are_all_new(source):
            self._journal.absent.note_key_form(name, source, form)
        if settings.mirrors_list:  # the list has the addresses
            absent, lost = absent - lost, 0
        what = _whom(absent, self._journal.absent, opted_out=opted_out)
        logger.info("Stream %r: the input is whole, because %s. It %s: %s", source, verdict.proof, what, name)
        if lost:
            logger.warning(
                "Stream %r: %s of these stay on the list: they came before `sync: mirror` was set, without a key, "
                "so the journal has no address of theirs",
                source,
                lost,
            )

    def _verdicts(self, queue: DestinationQueue) -> dict[str, Verdict]:
        """By stream, on those that are to equal the whole list of a queue."""
        return {
            source: self._verdict(source, one, settings)
            for (source, one), settings in self._streams.items()
            if one is queue and settings is not None and settings.mirrors_list
        }

    def _verdict(self, source: str, queue: DestinationQueue, settings: StreamSettings) -> Verdict:
        if self._journal.absent.name_lists:
            reason = "rows of another stream in this journal name their own lists, which may be this one"
            return Verdict(None, reason)
        verdict = self._wholeness.verdict(
            source,
            counts=settings.whole_count is not None,
            is_word=settings.whole,
            is_new_version=lambda version: self._new_versions.get((source, queue, version), False),
            knows_keys=self._key_forms[source, queue][1],
        )
        if settings.mirrors_list and self._list_scope is not None:
            return self._list_scope.verdict(
                source, queue, verdict, others={other for _, other in self._streams} - {queue}
            )
        return verdict


def _action(queue: DestinationQueue, settings: StreamSettings) -> str:
    """What a mirror does with those who are absent."""
    actions = queue.destination.actions
    return actions.remove if settings.mirror_action == "remove" else actions.unsubscribe


def _whom(absent: int, found: Absent, *, opted_out: int) -> str:
    """Whom a whole input does not name, given how many they are, and how many of these opted out."""
    stay = f", of whom {opted_out} stay because they opted out" if opted_out else ""
    if absent > 1 and not found.has_named:
        return f"names none of the {absent} contacts whom it put there{stay}"
    later = f"{found.waiting} for the first time: they leave if the next whole input does not name them, either"
    if not absent:
        return f"no longer names {later}" if found.waiting else "names everybody whom it put there"
    return f"no longer names {counted(absent, 'contact')}{stay}{f', and {later}' if found.waiting else ''}"
