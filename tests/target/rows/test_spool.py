"""What is under way is on disk: read back as it was, in a file without a name that does not grow with the input."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_mailing.contacts.contact import EncodedContact
from target_mailing.delivery.sent_rows import SentRows
from target_mailing.rows import spool as module
from target_mailing.rows.row import Extras, Plan, Row, emails_of, keep_on_disk
from target_mailing.rows.spool import Spool, SpoolError

CONTACTS = st.builds(
    EncodedContact, st.text(max_size=5), st.text(max_size=5), st.binary(max_size=20), st.tuples() | st.tuples(st.text())
)
LINES = st.lists(st.binary(min_size=1, max_size=20).filter(lambda line: b"\n" not in line), max_size=3)
PAYLOADS = st.tuples(CONTACTS, LINES)


def row(line, contact=None, raw=None):
    contact = contact or EncodedContact(f"{line}@a.example", f"{line}@a.example", b"%d" % line)
    return Row(line, b'{"record":{"line":%d}}' % line if raw is None else raw, "s", None, line, "add", 0, contact)


def keep(spool, rows):
    keep_on_disk(rows, spool)


def places(spool, payloads):
    """Where each payload is."""
    lines = [b"\n".join(lines) for _, lines in payloads]
    kept = spool.keep([contact for contact, _ in payloads], lines)
    return [(each, position) for each in kept for position in range(len(each))]


@given(
    batches=st.lists(st.lists(PAYLOADS, min_size=1, max_size=8), max_size=8),
    ends=st.lists(st.integers(0, 7)),
    order=st.randoms(),
)
def test_payloads_are_read_back_in_any_order_while_others_end(batches, ends, order):
    with pytest.MonkeyPatch.context() as patch, closing(Spool(None)) as spool:
        patch.setattr(module, "_TOGETHER", 3)
        patch.setattr(module, "_ENOUGH", 60)
        under_way = []
        for payloads in batches:
            under_way.append([*zip(payloads, places(spool, payloads), strict=True)])
            if ends and len(under_way) > 1:
                del under_way[ends.pop() % len(under_way)]
            everything = [each for one in under_way for each in one]
            order.shuffle(everything)
            for (contact, lines), (kept, position) in everything:
                assert kept.contact(position) == contact
                assert kept.emails()[position] == contact.email
                assert kept.lines(position) == lines
                assert kept.size(position) == len(contact.content)
                assert kept.contacts()[position] == contact


@given(sizes=st.lists(st.sampled_from([0, 1, 100, 1 << 19, (1 << 20) - 1, 1 << 20, 3 << 20]), max_size=6))
@settings(max_examples=10)
def test_payloads_of_any_size_are_read_back_and_no_place_is_larger_than_it_must_be(sizes):
    with closing(Spool(None)) as spool:
        rows = [row(at, EncodedContact(f"{at}@a.example", "", b"x" * size)) for at, size in enumerate(sizes)]
        rows += [row(line) for line in range(300)]
        keep(spool, rows)
        assert [one.size for one in rows[: len(sizes)]] == sizes
        assert [one.contact.content for one in rows[: len(sizes)]] == [b"x" * size for size in sizes]
        for kept in {one.held for one in rows}:
            assert len(kept) <= 256
            assert len(kept) == 1 or sum(kept.size(at) for at in range(len(kept))) < 1 << 20


def test_addresses_of_rows_in_many_places_and_in_memory_are_those_of_each():
    with closing(Spool(None)) as spool:
        rows = [row(line) for line in range(700)]
        keep(spool, rows[::2])
        rows.reverse()
        assert emails_of(rows) == [one.email for one in rows] == [f"{line}@a.example" for line in reversed(range(700))]


def test_p8_the_file_does_not_grow_with_the_input():
    with closing(Spool(None)) as spool:
        under_way, longest = [], 0
        for number in range(200):
            rows = [row(line, raw=b"x" * (100 + number % 7)) for line in range(50)]
            keep(spool, rows)
            under_way = [*under_way[-3:], rows]
            longest = max(longest, spool.size)
        del under_way, rows
        assert longest < 6 * 50 * 160
        keep(spool, [row(1)])
        assert os.fstat(spool._file.fileno()).st_size == spool.size < 100  # what ended is cut off


def test_the_file_is_private_and_has_no_name(tmp_path):
    with closing(Spool(tmp_path)) as spool:
        keep(spool, [row(1)])
        assert not [*tmp_path.iterdir()]
        found = os.fstat(spool._file.fileno())
        assert (stat.S_IMODE(found.st_mode), found.st_nlink) == (0o600, 0)


@pytest.mark.parametrize("folder", [True, False])
def test_a_full_disk_is_one_clear_error_and_the_rows_stay_as_they_are(tmp_path, monkeypatch, folder):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with closing(Spool(tmp_path if folder else None)) as spool:
        one = row(1)
        monkeypatch.setattr(os, "pwrite", full)
        with pytest.raises(SpoolError, match=r"cannot hold the rows under way: .*No space left on device") as error:
            keep(spool, [one])
        assert ("Setting `journal`" in str(error.value)) is folder
        assert one.contact.content == b"1"
        assert [*one.records()] == [(b'{"line":1}', 1)]
        monkeypatch.undo()
        keep(spool, [one])
        assert one.contact.content == b"1"


def test_a_file_that_cannot_be_read_is_an_error_and_never_other_content(tmp_path):
    with closing(Spool(tmp_path)) as spool:
        one = row(1)
        keep(spool, [one])
        os.ftruncate(spool._file.fileno(), 3)
        with pytest.raises(SpoolError, match="cannot be read"):
            _ = one.contact
    with pytest.raises(SpoolError, match="cannot be read"):
        _ = one.contact


def test_a_row_that_supersedes_others_while_it_is_on_disk_has_the_lines_of_all():
    with closing(Spool(None)) as spool:
        one = row(1)
        for line in range(2, 8):
            if line % 3:
                keep(spool, [one] if one.raw else [])
            one.supersede_by(row(line), b"%d" % line, line)
        assert [record for record, _ in one.records()] == [b'{"line":%d}' % line for line in range(1, 8)]
        assert (one.email, one.contact.content, [*one.lines]) == ("7@a.example", b"7", [*range(1, 8)])


def test_steps_see_the_rows_of_many_places_with_what_follows_them():
    with closing(Spool(None)) as spool:
        rows = [row(line) for line in range(1, 600)]
        keep(spool, rows[:300])
        keep(spool, rows[301:])
        rows[0].resubmitted = True
        rows[1].extras = Extras(plan=Plan(rows[3], []))
        sent = SentRows(rows)
        assert [one.content for one in sent] == [b"%d" % line for line in range(1, 600)]
        assert [one.resubmitted for one in sent[:2]] == [True, False]
        assert sent[1].follower.content == b"4"
        assert sent[0].follower is None
        assert [*sent] == [sent[at] for at in range(len(rows))]


@pytest.mark.parametrize("is_resubmitted", [True, False])
def test_a_row_that_is_not_usual_is_seen_as_it_is_beside_others_of_its_place(is_resubmitted):
    with closing(Spool(None)) as spool:
        rows = [row(line) for line in range(3)]
        keep(spool, rows)
        if is_resubmitted:
            rows[1].resubmitted = True
        else:
            rows[1].extras = Extras(plan=Plan(rows[2], []))
        assert [one.resubmitted for one in SentRows(rows)] == [False, is_resubmitted, False]
        assert [one.follower is None for one in SentRows(rows)] == [True, is_resubmitted, True]


def test_p8_addresses_of_one_place_are_in_memory_at_a_time():
    with closing(Spool(None)) as spool:
        rows = [row(line) for line in range(700)]
        keep(spool, rows)
        emails_of(rows)
        places = {one.held for one in rows}
        assert len(places) > 2
        assert [kept for kept in places if kept._heads is not None] == [rows[-1].held]
