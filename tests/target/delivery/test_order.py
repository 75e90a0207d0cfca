"""P1: batches that end in any order leave the provider as if each row had ended before the next one came."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from target_mailing.contacts.fields import Fields
from target_mailing.delivery.batch import Batch
from target_mailing.delivery.checkpoints import Ledger
from target_mailing.delivery.outcomes import Outcomes
from target_mailing.delivery.queue import DestinationQueue
from target_mailing.delivery.result import BatchResult
from target_mailing.destination import Destination, Finished, Refusal
from target_mailing.journal.journal import Journal
from target_mailing.journal.stores import MemoryStore
from target_mailing.lines import Lines
from target_mailing.mailjet.actions import ACTIONS as OLD_FIRST
from target_mailing.postgrid.contact import ACTIONS as NEW_FIRST
from target_mailing.row import Row
from target_mailing.settings import StreamSettings
from tests.searching import examples

KEYS = st.integers(1, 4)
ADDRESSES = st.sampled_from("abcd")
ROWS = st.lists(
    st.tuples(st.sampled_from(["addnoforce", "addnoforce", "unsub"]), KEYS, ADDRESSES)
    | st.tuples(st.just("remove"), KEYS, st.just("") | ADDRESSES),
    min_size=2,
    max_size=12,
)
#: Rows come, a batch is made of those that are ready, or a batch ends, each the one of that number.
EVENTS = st.lists(st.tuples(st.sampled_from(["rows", "send", "end", "end"]), st.integers(0, 4)), max_size=40)
MEMBERS = st.dictionaries(ADDRESSES, st.sampled_from(["in", "out"]), max_size=4)


class Place(Destination):
    """A list of addresses, some of which opted out, and some of which it refuses."""

    name = "place"
    places = ("list",)

    def __init__(self, actions: Any, members: dict[str, str], refused: frozenset[str]) -> None:
        self.actions = actions
        self.fields = Fields(columns={}, properties={}, ascii_only=True)
        self.members = dict(members)
        self._refused = refused

    def encode(self, contact: Any, action: str) -> bytes:
        return str(contact.email).encode()

    def parts(self, action: str, rows: list[Row]) -> Sequence[tuple[str, list[Row]]]:
        return [("only", rows)]

    def steps(self, action: str, route: str) -> Sequence[Any]:
        return ()

    def act(self, action: str, email: str) -> str:
        """Act on a contact: `done`, `withheld` or `refused`."""
        is_out = self.members.get(email) == "out"
        if action == "ask" or (action == "remove" and is_out):
            return "withheld" if is_out else "done"
        if action == "remove" or (action == "unsub" and not self.actions.records_opt_outs):
            self.members.pop(email, None)
        elif email in self._refused:
            return "refused"
        elif action == "unsub":
            self.members[email] = "out"
        elif not is_out:
            self.members[email] = "in"
        return "done"


class Target:
    """The target without its input, its threads and its clock."""

    def __init__(self, place: Place, *, on_key_change: str, batch_rows: int) -> None:
        config = {"list": 1, "on_key_change": on_key_change, "batch_rows": batch_rows}
        self.place = place
        self.journal = Journal(MemoryStore())
        self.outcomes = Outcomes(Ledger())
        self.queue = DestinationQueue(
            place,
            StreamSettings.resolve(config, None),
            journal=self.journal,
            outcomes=self.outcomes,
            batches_at_once=None,
        )
        self.under_way: list[Batch] = []

    def close(self) -> None:
        self.journal.close()

    def row(self, line: int, action: str, key: int, email: str) -> Row:
        contact = email.encode()
        source = Lines(line, [b'{"type":"RECORD","stream":"s","record":{}}'])
        return Row(
            lines=(line,),
            stream="s",
            key=b"key %d" % key,
            drops_key=action == "remove",
            email=email,
            address=email,
            id=self.journal.contact_id(self.place.name, email),
            action=action,
            contact=contact,
            fingerprint=self.journal.fingerprint(action, contact),
            source=source,
        )

    def take(self, rows: list[Row]) -> None:
        self.queue.offer(rows)

    def send(self, *, ending: bool = True) -> None:
        while (ready := self.queue.next_batch(ending=ending)) is not None:
            action, route, rows = ready
            number = self.journal.begin_batch(self.place.name, action, route, rows)
            self.under_way.append(Batch(number, self.queue, action, route, rows, ()))

    def end(self, position: int) -> None:
        batch = self.under_way.pop(position % len(self.under_way))
        results = [self.place.act(batch.action, row.email) for row in batch.rows]
        finished = Finished(
            withheld=[at for at, result in enumerate(results) if result == "withheld"],
            rejected={at: Refusal("refused", "no") for at, result in enumerate(results) if result == "refused"},
        )
        ends = BatchResult.of(batch, finished, [])
        ends.note(self.journal, batch, [], pending_removals=batch.pending_removals(finished.rejected))
        ends.report(self.outcomes, batch)
        refused = {id(batch.rows[at]): refusal for at, refusal in finished.rejected.items()}
        self.queue.free(ends.ended, ends.withheld, refused, time.monotonic())

    def finish(self) -> None:
        for _ in range(1_000):
            self.send()
            if not self.under_way:
                break
            self.end(0)
        assert self.queue.is_empty()

    @property
    def result(self) -> tuple[dict[str, str], dict[bytes, str]]:
        """The members, and the addresses that keys have."""
        return self.place.members, self.journal.emails([b"key %d" % key for key in range(1, 5)])


@pytest.mark.slow
@pytest.mark.machine
@pytest.mark.parametrize("on_key_change", ["remove", "keep"])
@pytest.mark.parametrize("actions", [OLD_FIRST, NEW_FIRST], ids=["old-first", "new-first"])
@settings(max_examples=examples(40, 200), phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(rows=ROWS, events=EVENTS, provider=st.tuples(MEMBERS, st.frozensets(ADDRESSES, max_size=1)))
def test_p1_rows_end_as_in_their_order(actions, on_key_change, rows, events, provider):
    members, refused = provider
    if actions is NEW_FIRST:
        members = dict.fromkeys(members, "in")
    one_by_one, target = (
        Target(Place(actions, members, refused), on_key_change=on_key_change, batch_rows=size) for size in (1, 3)
    )
    with closing(one_by_one), closing(target):
        for line, row in enumerate(rows, 1):
            one_by_one.take([one_by_one.row(line, *row)])
            one_by_one.finish()
        coming = [target.row(line, *row) for line, row in enumerate(rows, 1)]
        came = [*coming]
        for event, number in events:
            if event == "rows":
                target.take(coming[: number + 1])
                del coming[: number + 1]
            elif event == "send":
                target.send(ending=number > 1)
            elif target.under_way:
                target.end(number)
        target.take(coming)
        target.finish()
        assert target.result == one_by_one.result
        assert target.outcomes.rows == one_by_one.outcomes.rows == len(rows)
        assert all(row.plan is None for row in came)  # a circle of rows would stay in memory
