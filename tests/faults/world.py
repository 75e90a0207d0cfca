"""The world of a case: an account in the sandbox, runs of the target against it, and what is checked of them."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mailing_sandbox.server import Sandbox
from tests.faults import people
from tests.faults.account import Account, Job
from tests.faults.model import Model
from tests.faults.people import Record
from tests.faults.process import HASTY, Target
from tests.faults.routes import Route
from tests.fork_server import FORKS, ForkServer
from tests.history import check_history, files_of
from tests.totals import totals

__all__ = ["Ground", "Run", "World"]

SETTLED = ("delivered", "unchanged", "withheld", "superseded", "skipped", "rejected")


@dataclass
class Run:
    """What a run left.

    Attributes:
        rows: of its input.
        code: its exit code.
        states: how many rows are before each STATE that left.
        log: its standard error.
        outcomes: the totals that it told, if it could.
        excess: rows that the provider received in it although it had received the same before.
        rejected: keys of the rows in the rejects file that it wrote.
        rejects_left: by the run before, in the journal.
        rejects_before: rows whose reject stands in an earlier file.
        fates: how many rows ought to end how, for each of what the provider may have held before.
    """

    rows: list[Record]
    code: int
    states: list[int]
    log: str
    outcomes: dict[str, Any] = field(default_factory=dict)
    excess: int = 0
    rejected: list[int] = field(default_factory=list)
    rejects_left: int = 0
    rejects_before: int = 0
    fates: list[Counter[str]] = field(default_factory=list)


class Ground:
    """A sandbox, and the journal that a run before all cases left; shared by the cases of one process."""

    def __init__(
        self, sandbox: Sandbox, folder: Path, accounts: Mapping[str, type[Account]], forks: ForkServer = FORKS
    ) -> None:
        """Take the sandbox, an empty folder, the accounts by their names in routes, and the server that forks runs."""
        self.sandbox = sandbox
        self.accounts = {name: account(sandbox) for name, account in accounts.items()}
        self.folder = folder
        self.forks = forks
        self._switches = sandbox.switches.as_dict()
        self._journals: dict[str, Path] = {}

    def reset(self, account: Account, **switches: Any) -> None:
        """An account with a list, and nobody in it; in an empty one all gets the same IDs every time."""
        self.sandbox.faults.clear()
        self.sandbox.reset()
        self.sandbox.counters.reset()
        self.sandbox.switches.change(self._switches | switches)
        account.furnish()

    def journal(self, route: Route) -> Path:
        """The journal after the run before the first, on this route."""
        account = self.accounts[route.account]
        name = f"{route.account}-{route.settings.get('route')}"
        if name not in self._journals:
            self.reset(account, **account.switches["usual"])
            folder = self.folder / name
            folder.mkdir()
            world = World(self, route, folder, account.model())
            run = world.run(people.rows_before())
            assert run.code == run.outcomes["rejected"] == 0, run.log
            account.keep()
            self._journals[name] = world.journal
        return self._journals[name]


class World:
    """One case's account, settings and runs."""

    def __init__(self, ground: Ground, route: Route, folder: Path, model: Model, **settings: Any) -> None:
        self.ground = ground
        self.sandbox = ground.sandbox
        self.account = ground.accounts[route.account]
        self.route = route
        self.folder = folder
        self.journal = folder / "journal.sqlite"
        self.rejects = folder / "rejects"
        self.settings = {
            **self.account.settings(),
            "journal": str(self.journal),
            "poll_interval": 0.02,
            "poll_max_interval": 0.05,
            "request_timeout": 20,
            "max_rejected": "100%",
            **people.SETTINGS,
            **route.settings,
            **settings,
        }
        #: What the provider may hold when the next run starts: if the runs so far did nothing, and if they did all.
        self.starts = [model]
        self.target: Target | None = None
        self.problems: list[str] = []
        #: Rejects that were on disk when somebody removed the file.
        self.lost_rejects: set[int] = set()
        #: The provider has forgotten what it held.
        self.emptied = False
        #: Files of which runs said that they could not delete them.
        self.told_files = 0
        self._rows_seen = 0

    @classmethod
    def begin(
        cls, ground: Ground, route: Route, folder: Path, *, switches: Mapping[str, Any], **settings: Any
    ) -> World:
        """The account as the run before the first left it, and what others did in it since."""
        journal = ground.journal(route)
        account = ground.accounts[route.account]
        ground.reset(account, **switches)
        model = account.model().after(people.rows_before())
        for email in people.members():
            model.put(email)
        for email in people.opting_out("before"):
            model.put(email, subscribed=False)
        account.put(model.members)
        world = cls(ground, route, folder, model, **settings)
        shutil.copyfile(journal, world.journal)
        return world

    # What others do

    def opt_out(self, emails: Sequence[str]) -> None:
        """These people opt out at the provider."""
        self.account.opt_out(emails)
        for model in self.starts:
            for email in emails:
                model.put(email, subscribed=False)

    def empty(self) -> None:
        """The provider starts again with nothing but the list."""
        self.emptied = True
        self.sandbox.reset()
        self.account.furnish()
        self._rows_seen = 0

    def take_stock(self) -> None:
        """What the provider holds now is what it held, since it has forgotten the rest."""
        self.starts = [self.starts[-1].holding(self.account.held())]

    # Runs

    def start(self, rows: list[Record], *, module: str = HASTY, cut_at: int | None = None, **settings: Any) -> Target:
        """Start a run; it is `target` from now on."""
        self._rejects_left = self.count_in_journal("rejects") if self.journal.exists() else 0
        without = self.route.without
        rows = [
            {column: value for column, value in self.account.record(row).items() if column not in without}
            for row in rows
        ]
        config = self.folder / "config.json"
        self._settings = self.settings | settings
        config.write_text(json.dumps(self._settings))
        self._histories = files_of(self.folder)
        self._rows, self._files, self._rejected_before = rows, set(self.rejects.glob("*")), self._rejected()
        self.target = Target(
            config,
            people.lines(rows, self.account.columns, without=without),
            module=module,
            cut_at=cut_at,
            witness=lambda state: self._look(state["rows"]),
            forks=self.ground.forks,
        )
        return self.target

    def finish(self) -> Run:
        """Wait for the run's end, and check what holds of every run."""
        assert self.target is not None
        target, rows = self.target, self._rows
        code = target.wait()
        run = Run(rows, code, [state["rows"] for state in target.states], target.log)
        self.told_files += run.log.count("could not be deleted")
        run.outcomes = totals(run.log)
        if "Setting `history_path`" not in run.log:
            check_history(self.folder, self._histories, run.outcomes)
        run.rejects_left = self._rejects_left
        run.rejects_before = sum(map(int, re.findall(r"(\d+) rejects? as before: ", run.log)))
        run.rejected = [key for file in sorted(set(self.rejects.glob("*")) - self._files) for key in _keys(file)]
        self._check_what_was_printed(run, target.printed)
        self._check_totals(run)
        self._count_received(run)
        run.fates = [_fates(start, rows) for start in self.starts]
        whole = code == 0 and run.outcomes["rejected"] <= max(one["rejected"] for one in run.fates)
        self.starts = [*([] if whole else self.starts[:1]), self.starts[-1].after(rows)]
        assert not self.problems, "\n".join([*self.problems, run.log])
        return run

    def run(self, rows: list[Record], **options: Any) -> Run:
        """A run that nobody disturbs."""
        self.start(rows, **options)
        return self.finish()

    # Checks

    def _look(self, done: int) -> None:
        """A STATE has left: every row before it must have reached its end."""
        received, jobs = self.account.received(), self.account.jobs()
        held, rejected = self.account.held(), self._rejected()
        waiting = {name for name, job in jobs.items() if not job.is_over}
        last_job = {_address(row): row["job"] for row in received}
        prefixes = [start.after(self._rows[:done]) for start in self.starts]
        after = [prefix.after(self._rows[done:]) for prefix in prefixes]
        later = {address for one in after for address in one.touched}
        refused = [row for row in self._rows if row["id"] in rejected]
        excused = {address for start in self.starts for row in refused for address in start.after([row]).touched}
        for address in {address for one in prefixes for address in one.touched} - excused:
            # Rows of a job that is given up end all the same, delivered only if they are found to be there: see below.
            is_given_up = "job_abandon" in self._settings
            if last_job.get(address) in waiting and address not in later and not is_given_up:
                self.problems.append(f"STATE {done} left while a job had {address}")
            expected = [_told(one, address) for one in (*prefixes, *after)]
            if not self.emptied and expected.count(expected[0]) == len(expected) and held.get(address) != expected[0]:
                self.problems.append(f"STATE {done}: {address} is {held.get(address)}, not {expected[0]}")
        for row in self._rows[:done]:
            fates = {start.after(self._rows[: self._rows.index(row)]).take(row) for start in self.starts}
            if fates == {"rejected"} and row["id"] not in rejected | self.lost_rejects:
                self.problems.append(f"STATE {done} left before the reject of row {row['id']} was in a file")

    def _rejected(self) -> set[int]:
        return {key for file in self.rejects.glob("*") for key in _keys(file)}

    def lose_rejects(self) -> None:
        """The folder of the rejects is removed."""
        self.lost_rejects |= self._rejected()
        shutil.rmtree(self.rejects)

    def _check_what_was_printed(self, run: Run, printed: bytes) -> None:
        """P7, and P9's single line."""
        text = (run.log + printed.decode()).lower()
        for secret in ("canary", self.sandbox.api_key, self.sandbox.secret_key):
            assert secret not in text, [line for line in text.splitlines() if secret in line][:3]
        assert "traceback" not in text, run.log

    def _check_totals(self, run: Run) -> None:
        """P4: no row has two outcomes, and in a whole run each has one."""
        settled = sum(run.outcomes.get(name, 0) for name in SETTLED)
        assert settled == run.outcomes.get("rows", 0)
        assert sum(run.outcomes.get("effects", {}).values()) == run.outcomes.get("delivered", 0), run.outcomes
        assert settled == len(run.rows) if run.code == 0 else settled <= len(run.rows), run.log
        assert run.states == sorted(set(run.states)), "STATE never goes back"
        if run.code == 0:
            assert run.states[-1] == len(run.rows), run.log

    def _count_received(self, run: Run) -> None:
        """What the provider received twice is counted; or, where the run could not tell, the first job went wrong.

        A row that was refused by name is not counted: whenever it comes again, it is tried again. Nor is one of several
        rows of an address, which may follow each other in turn.
        """
        received, jobs = self.account.received(), self.account.jobs()
        assert {job.route for job in jobs.values()} <= {self.route.settings.get("route", self.route.way)}
        address = self.account.model.address
        several = Counter(address(row) for row in run.rows)
        rejected = {address(row) for row in run.rows if row["id"] in self._rejected_before}
        jobs_of: dict[tuple[str, str, str], list[Job]] = {}
        again: list[str] = []
        for at, row in enumerate(received):
            email, job = _address(row), jobs[row["job"]]
            before = jobs_of.setdefault((email, row["action"], json.dumps(row["contact"], sort_keys=True)), [])
            judged = email in rejected or several[email] > 1 or any(email in one.refused for one in before)
            if at >= self._rows_seen and before and not judged:
                again.append(f"{row['action']} {email}")
                if not run.outcomes and any(one.is_good for one in before):
                    self.problems.append(f"{again[-1]} went again although its job had ended well")
            before.append(job)
        self._rows_seen, run.excess = len(received), len(again)
        sends_all = self._settings.get("send") == "all"
        if run.outcomes and not sends_all and run.excess > run.outcomes["resubmitted"]:
            self.problems.append(f"{len(again)} rows went again, {run.outcomes['resubmitted']} were counted: {again}")

    def check_end(self, run: Run) -> None:
        """After a run that nothing disturbed: the provider holds what the rows say, and every row has its outcome."""
        assert run.code == 0, f"exit code {run.code}\n{run.log}"
        expected = {address: _told(self.starts[-1], address) for address in self.starts[-1].members}
        held = self.account.held()
        wrong = [one for one in {*held, *expected} if held.get(one) != expected.get(one)]
        assert not wrong, [(one, held.get(one), expected.get(one)) for one in wrong]
        assert not any(people.address("stranger") in one for one in self.account.contacts())
        if not self.emptied:
            for fate in ("withheld", "rejected"):
                counts = [one[fate] for one in run.fates]
                assert min(counts) <= run.outcomes[fate] <= max(counts), f"{fate}: {counts} expected\n{run.log}"
        rejects = len(run.rejected) + run.rejects_before  # a row that both runs rejected has one
        assert run.outcomes["rejected"] <= rejects <= run.outcomes["rejected"] + run.rejects_left, run.log
        assert self.count_in_journal("batches WHERE state = 'open' OR payload IS NOT NULL") == 0
        assert self.count_in_journal("rejects") == 0
        assert len(self.account.files()) <= self.told_files

    def count_in_journal(self, what: str) -> int:
        """How many rows of a table there are."""
        journal = sqlite3.connect(self.journal)
        try:
            return int(journal.execute(f"SELECT count(*) FROM {what}").fetchone()[0])
        finally:
            journal.close()


def _fates(model: Model, rows: Sequence[Record]) -> Counter[str]:
    model = model.copy()
    return Counter(model.take(row) for row in rows)


def _told(model: Model, address: str) -> tuple[str, str, dict[str, str]] | None:
    member = model.members.get(address)
    return None if member is None else (member.status, member.name, member.properties)


def _address(row: Mapping[str, Any]) -> str:
    return str(row["email"]).lower()


def _keys(file: Path) -> list[int]:
    """The keys of the rows in a rejects file; a last line that is being written does not count."""
    try:
        whole = file.read_bytes().rpartition(b"\n")[0]
    except FileNotFoundError:
        return []
    messages = [json.loads(line) for line in whole.splitlines()]
    return [one["record"]["id"] for one in messages if one["type"] == "RECORD"]
