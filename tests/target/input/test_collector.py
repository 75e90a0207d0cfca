"""What a chunk's lines become is handed on in the order of the lines."""

from __future__ import annotations

from types import SimpleNamespace

from target_mailing.contacts.contact import EncodedContact
from target_mailing.input.collector import Collector
from target_mailing.rows.lines import Lines
from target_mailing.rows.outcome import Outcome
from target_mailing.rows.row import Row


class Offered:
    """A queue that shows what comes."""

    destination = SimpleNamespace(name="list")

    def __init__(self):
        self.rows = []

    def offer(self, rows):
        self.rows.extend((row.line, row.stream) for row in rows)


class Named:
    """A stream whose records become rows of its name."""

    def __init__(self, name, queue):
        self.name, self.queue = name, queue

    def rows(self, _, numbers, values):
        assert len(numbers) == len(values)
        contact = EncodedContact("", "", b"")
        return [Row(number, b"", self.name, None, 1, "add", 2, contact) for number in numbers]


def test_the_rows_of_a_line_are_in_the_order_of_its_streams():
    queue, other, ends = Offered(), Offered(), {}
    first, second, elsewhere = Named("first", queue), Named("second", queue), Named("elsewhere", other)
    outcomes = SimpleNamespace(at=lambda name: SimpleNamespace(settle_all=ends.setdefault(name, []).extend))
    collector = Collector(Lines(1, [b""] * 4), SimpleNamespace(note_rows=print), outcomes)
    collector.begin([first, None, second])
    collector.take([1], second, [()])
    collector.skip(4)
    collector.take([2], elsewhere, [()])
    collector.take([2, 3], second, [(), ()])
    collector.take([2], first, [()])
    collector.add(1, (Outcome.REJECTED, "code", None), first)
    collector.hand_on()
    assert queue.rows == [(1, "second"), (2, "first"), (2, "second"), (3, "second")]
    assert other.rows == [(2, "elsewhere")]
    assert ends == {"list": [((1,), Outcome.REJECTED, "code")], "": [((4,), Outcome.SKIPPED, None)]}
