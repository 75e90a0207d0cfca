"""The journal remembers how long jobs took."""

from __future__ import annotations

from contextlib import closing

import pytest

from target_mailing.journal.journal import Journal
from target_mailing.journal.recent_times import MOST_TIMES
from target_mailing.journal.stores import FileStore
from tests.target.conftest import people, schema, state


def test_the_median_of_the_latest_jobs_of_a_kind_counts(tmp_path):
    with closing(Journal(FileStore(tmp_path / "journal.sqlite"))) as journal:
        assert journal.recent_times.seconds("mailjet json follow") is None
        journal.recent_times.note({"mailjet json follow": [5.0, 1.0, 2.0], "ses import follow": [9.0]})
        assert journal.recent_times.seconds("mailjet json follow") == 2.0
    with closing(Journal(FileStore(tmp_path / "journal.sqlite"))) as journal:
        journal.recent_times.note({"mailjet json follow": [7.0] * MOST_TIMES})
        assert journal.recent_times.seconds("mailjet json follow") == 7.0
        assert journal.recent_times.seconds("ses import follow") == 9.0


@pytest.mark.slow
def test_a_run_notes_about_when_its_jobs_ended_between_two_looks(mailjet):
    mailjet.sandbox.switches.change({"job_seconds": 0.3})
    mailjet.deliver([schema(), *people(range(3)), state(1)], poll_interval=0.2, poll_max_interval=0.2)
    with closing(Journal(FileStore(mailjet.folder / "journal.sqlite"))) as journal:
        assert journal.recent_times.seconds("mailjet json follow") == pytest.approx(0.3, abs=0.15)
