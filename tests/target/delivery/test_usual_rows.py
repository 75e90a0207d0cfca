"""P1: rows that are decided together end as if each was decided by itself."""

from __future__ import annotations

from contextlib import closing
from itertools import count

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailing_api.addresses import fold_address
from target_mailing.contacts.fields import Fields
from target_mailing.delivery.checkpoints import Ledger
from target_mailing.delivery.outcomes import Outcomes
from target_mailing.delivery.queue import DestinationQueue
from target_mailing.delivery.usual_rows import UsualRows
from target_mailing.journal.journal import Journal
from target_mailing.journal.stores import MemoryStore
from target_mailing.mailjet.actions import ACTIONS as OLD_FIRST
from target_mailing.postgrid.contact import ACTIONS as NEW_FIRST
from target_mailing.rows.outcome import Outcome
from target_mailing.settings.settings import StreamSettings
from tests.searching import examples
from tests.target.delivery.test_order import Place, Target

#: The third and fourth are one mailbox, and so are the last two. The second is refused.
EMAILS = ("ada@example.com", "bob@example.com", "Eve@example.com", "eve@example.com", "gil@b\u00fccher.example",
          "gil@xn--bcher-kva.example")  # fmt: skip
KEYS = range(1, 7)
CONTENTS = ("", "x")
#: What a row does, its key, its address, its content. First those of which each has a key and an address of its own.
OWN = [("addnoforce", key, email, "") for key, email in zip(KEYS, EMAILS, strict=True)]
MOVED = [("addnoforce", key, email, "") for key, email in zip(KEYS, EMAILS[::-1], strict=True)]
ANY = st.tuples(
    st.sampled_from(["addnoforce"] * 4 + ["addforce", "unsub", "remove", "excludemarketing"]),
    st.none() | st.sampled_from(KEYS),
    st.sampled_from(EMAILS),
    st.sampled_from(CONTENTS),
)
GONE = [("remove", key, "", "") for key in KEYS]
ROWS = st.lists(st.sampled_from([*OWN, *OWN, *MOVED, *GONE]) | ANY, min_size=1, max_size=5)
#: Rows that come together, whether their stream tells changes, and whether all are delivered before more come.
CHUNKS = st.lists(st.tuples(ROWS, st.booleans(), st.booleans()), min_size=1, max_size=3)
#: Of earlier runs: rows, possible addresses of keys, contacts that are not confirmed, keys of several people.
PAST = st.tuples(
    st.lists(st.sampled_from(OWN), max_size=3),
    st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(EMAILS)), max_size=1),
    st.lists(st.tuples(st.sampled_from(EMAILS), st.booleans()), max_size=1),
    st.lists(st.sampled_from(KEYS), max_size=1),
)

NUMBERS = count()


@pytest.fixture(scope="module")
def journal():
    """One for all examples, each of which has a destination and keys of its own."""
    with closing(Journal(MemoryStore())) as journal:
        yield journal


class Sending(Target):
    """A target that notes what it sends."""

    def __init__(self, journal, actions):
        self.journal = journal
        self.number = next(NUMBERS)
        self.place = Place(actions, {}, frozenset(EMAILS[1:2]))
        self.place.name = f"place {self.number}"
        self.place.fields = Fields(columns={}, properties={}, ascii_only=False)
        self.outcomes = Outcomes(Ledger())
        self.queue = DestinationQueue(
            self.place,
            StreamSettings.resolve({"list": 1, "batch_rows": 50}, None),
            journal=journal,
            outcomes=self.outcomes,
            batches_at_once=None,
        )
        self.under_way = []
        self.sent = []

    def key(self, number):
        return b"key %d of %d" % (number, self.number)

    def rows(self, first, given, *, tells_changes):
        rows = []
        for line, (action, key, email, content) in enumerate(given, first):
            known = action if action in self.place.actions.known else "addnoforce"
            row = self.row(line, known, 0, email, content)
            row.key, row.tells_changes = None if key is None else self.key(key), tells_changes
            row.drops_key = row.drops_key and key is not None
            rows.append(row)
        return rows

    def remember(self, rows, possible, unconfirmed, shared):
        self.take(self.rows(1, rows, tells_changes=True))
        self.finish()
        ids = dict(zip(EMAILS, self.ids, strict=True))
        self.journal.note_rows(pending_removals=[(self.key(key), email, ids[email]) for key, email in possible])
        same = {email: self.journal.fingerprint("addnoforce", email.encode()) for email in EMAILS}
        self.journal.note_unconfirmed((ids[email], same[email] if is_same else 1) for email, is_same in unconfirmed)
        self.journal.shared_keys.add(map(self.key, shared))

    def end(self, position):
        batch = self.under_way[position]
        self.sent += [(batch.action, row.email, row.contact.content, row.resubmitted) for row in batch.rows]
        super().end(position)

    @property
    def ids(self):
        return [self.row(1, "addnoforce", 1, email).id for email in EMAILS]

    def known(self):
        """What the journal has of the contacts, in words, because hashes are of the destination."""
        contents = [content.encode() for content in (*EMAILS, *CONTENTS)]
        words = {
            self.journal.fingerprint(one, text): (one, text) for one in self.place.actions.known for text in contents
        }
        known = self.journal.contacts(self.ids)
        return [
            (one in known and (words.get(known[one].fingerprint), known[one].confirmed_at is None)) for one in self.ids
        ]

    def left(self):
        """Everything that there is to see at last."""
        rejects = [*self.journal.rejects.pending(99)]
        self.journal.rejects.erase(max((number for number, _ in rejects), default=0))
        keys = [*map(self.key, KEYS)]
        emails, shared = self.journal.emails(keys), self.journal.shared_keys.among(keys)
        return {
            "members": self.place.members,
            "sent": sorted(self.sent),
            "outcomes": +self.outcomes.counts,
            "codes": self.outcomes.codes,
            "rejects": sorted(reject.record for _, reject in rejects),
            "contacts": self.known(),
            # which of its several addresses a shared key was noted with is of no importance
            "keys": [(key in shared or emails.get(key), sorted(self.journal.possible_addresses(key))) for key in keys],
        }


def without_order(left):
    """What is left whichever rows superseded others: that depends on which batch was closed first."""
    outcomes = left["outcomes"]
    delivered = sum(outcomes[one] for one in (Outcome.DELIVERED, Outcome.SUPERSEDED, Outcome.UNCHANGED))
    members = {fold_address(email): state for email, state in left["members"].items()}
    of_order = {"sent": 0, "members": members, "outcomes": (delivered, outcomes.total())}
    return {**left, **of_order}


def left_by(target, past, chunks):
    target.remember(*past)
    line = 9
    for given_rows, tells_changes, are_sent in chunks:
        target.take(target.rows(line, given_rows, tells_changes=tells_changes))
        line += len(given_rows)
        if are_sent:
            target.finish()
    target.finish()
    return target.left()


NOTHING = ([], [], [], [])
#: The last row deletes a key that turns out to stand for two people.
TAKES_WHAT_A_SHARED_KEY_HAD = [
    ([("addnoforce", 5, EMAILS[1], ""), ("addnoforce", 1, EMAILS[5], ""), ("addnoforce", 5, EMAILS[1], ""),
      ("addnoforce", 3, EMAILS[2], ""), ("remove", 1, EMAILS[4], "x")], False, False)
]  # fmt: skip
#: The last row supersedes one of the same mailbox, or comes after it.
IN_TWO_SPELLINGS = [
    ([("addnoforce", 1, EMAILS[0], ""), ("addnoforce", 5, EMAILS[4], ""),
      ("addnoforce", 6, EMAILS[0], "")], False, False),
    ([("remove", 5, "", ""), ("addnoforce", None, EMAILS[4], ""), ("addnoforce", 1, EMAILS[1], ""),
      ("addnoforce", 6, EMAILS[5], "")], True, False),
]  # fmt: skip
#: The last row deletes a key whose own address, and one that it may have, were delivered for a key of two people, too.
TAKES_NOTHING_OF_A_SHARED_KEY = [
    ([("unsub", 3, EMAILS[0], ""), ("addnoforce", 2, EMAILS[1], ""), ("addnoforce", 3, EMAILS[2], ""),
      ("remove", 4, "", "")], False, False)
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.machine
@pytest.mark.parametrize("actions", [OLD_FIRST, NEW_FIRST], ids=["old-first", "new-first"])
@settings(max_examples=examples(60, 300))
@example(NOTHING, [([("unsub", 1, EMAILS[0], "")], True, True), ([("addnoforce", 2, EMAILS[0], "")], True, True)])
@example(([OWN[0]], [], [], []), [([MOVED[0], ("addnoforce", 2, EMAILS[0], "x")], True, True)])
@example(([OWN[0]], [], [], []), [([("addnoforce", 2, EMAILS[0], "x"), MOVED[0]], True, True)])
@example(([OWN[0], OWN[5]], [(1, EMAILS[1])], [], []), TAKES_WHAT_A_SHARED_KEY_HAD)
@example(NOTHING, IN_TWO_SPELLINGS)
@example(([("addnoforce", 4, EMAILS[3], "")], [(4, EMAILS[0])], [], [3]), TAKES_NOTHING_OF_A_SHARED_KEY)
@given(past=PAST, chunks=CHUNKS)
def test_p1_rows_decided_together_end_as_if_each_was_decided_by_itself(journal, actions, past, chunks):
    together = left_by(Sending(journal, actions), past, chunks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(UsualRows, "divide", lambda _, rows, __: ([], rows))
        alone = left_by(Sending(journal, actions), past, chunks)
    if together["outcomes"][Outcome.SUPERSEDED] != alone["outcomes"][Outcome.SUPERSEDED]:
        together, alone = without_order(together), without_order(alone)
    assert together == alone


def test_rows_of_a_key_of_several_people_do_not_wait_for_each_other(journal):
    target = Sending(journal, OLD_FIRST)
    target.remember([], [], [], [1])
    for line, email in enumerate(EMAILS[:3], 1):
        target.take(target.rows(line, [("addnoforce", 1, email, "")], tells_changes=True))
        target.send()
    assert len(target.under_way) == 3
    target.finish()
