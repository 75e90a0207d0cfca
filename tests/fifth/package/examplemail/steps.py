"""The steps of a batch: find the contacts of its rows, start a job of lines, follow it, read the results by line.

Contacts are known by IDs of Example Mail's own, so that a line is about one ID, and a row may be several lines.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, Final

import msgspec

from examplemail.client import ENDED, ExampleMailClient, Job, Row
from mailing_api.addresses import fold_address
from mailing_api.errors import MailingError, NotFound, RateLimited, RequestRefused
from target_mailing.contacts.consent import Actions
from target_mailing.contacts.effects import Effect
from target_mailing.delivery.jobs import FollowJob, is_near
from target_mailing.delivery.one_by_one import take_each
from target_mailing.interface.destination import Candidate, Done, Finished, Progress, Refusal, Step, Work

__all__ = ["ACTIONS", "End", "Follow", "LookUp", "ReadResults", "Submit"]

ACTIONS: Final = Actions(
    known=frozenset({"addnoforce", "addforce", "remove", "unsub"}),
    remove="remove",
    ask="ask",
    unsubscribe="unsub",
    respectful={"addforce": "addnoforce"},
    removing_erases_opt_out=True,
)
_OPERATIONS: Final = {"addnoforce": "write", "addforce": "resubscribe", "unsub": "opt_out", "remove": "delete"}
#: Refusals of a line that another look at the contacts resolves: one came, or one went, after the last look.
_OUTDATED: Final = frozenset({"contact_known", "contact_unknown"})


@dataclass(frozen=True)
class LookUp(Step):
    """Finds the contacts of each row, by the IDs that the journal knows and by address, and who of them opted out.

    It is all that is done for the action `ask`. Evidence: `lines`, for each line of the job the row's position, the
    contact's ID ("" for a new one), and whether its address is the row's; `label`, by which the job is found again.
    """

    client: ExampleMailClient
    audience: str
    only_oldest: bool
    name = "look"
    uses_names = True

    def run(self, work: Work) -> Progress:
        """Look for each."""
        probe = partial(self.client.first, "audiences")
        found, refused = take_each(range(len(work.rows)), partial(self._contacts, work), probe=probe, only_reads=True)
        is_leaving = work.action in {ACTIONS.remove, ACTIONS.ask}
        withheld = [at for at, contacts in found.items() if is_leaving and any(_has_opted_out(one) for one in contacts)]
        absent = [at for at, contacts in found.items() if work.action == ACTIONS.remove and not contacts]
        lines = [
            [at, *line]
            for at, contacts in found.items()
            if at not in withheld and at not in absent
            for line in self._lines(work, at, contacts)
        ]
        if work.action == ACTIONS.ask or not lines:
            return Finished(withheld=withheld, rejected=refused)
        names = {at: [str(one["id"]) for one in contacts] for at, contacts in found.items()}
        left = {at: [one for one in each if one not in names.get(at, ())] for at, each in work.names.items()}
        noted = {"lines": lines, "label": secrets.token_hex(8), "withheld": withheld, "absent": absent}
        return Done(noted, names=names, left=left, refused=refused)

    def _contacts(self, work: Work, at: int) -> list[Row]:
        """The contacts of a row, the oldest first."""
        email = work.rows[at].email
        found = {str(one["id"]): one for page in self.client.rows("contacts", email=email) for one in page}
        for number in work.names.get(at, ()):
            if number not in found:
                try:
                    found[number] = self.client.contact(number)
                except NotFound:
                    continue
        ours = [one for one in found.values() if one["audience"] == self.audience]
        return sorted(ours, key=lambda one: str(one["created"]))

    def _lines(self, work: Work, at: int, contacts: Sequence[Row]) -> Iterator[tuple[str, bool]]:
        """The ID of each line of a row, and whether the contact has the row's address."""
        if not contacts:
            yield "", True
        is_written = work.action in {"addnoforce", "addforce"}
        for one in contacts[:1] if is_written and self.only_oldest else contacts:
            yield str(one["id"]), fold_address(str(one["email"])) == work.rows[at].address


@dataclass(frozen=True)
class Submit(Step):
    """Starts the job. Not repeatable: a second call would start a second one."""

    client: ExampleMailClient
    audience: str
    name = "submit"
    repeatable = False
    again_from = "look"

    def run(self, work: Work) -> Progress:
        """Post the lines."""
        looked = work.evidence["look"]
        lines = b"".join(_line(work.rows[at].content, number, is_same) for at, number, is_same in looked["lines"])
        try:
            job = self.client.submit(self.audience, _OPERATIONS[work.action], lines, label=looked["label"])
        except RequestRefused as error:
            reason = f"the job was refused ({error.code or error.status})"
            return Finished(unresolved=True, absent=True, reason=reason, withheld=work.withheld)
        return Done({"job": job})

    def recover(self, work: Work) -> Sequence[Candidate]:
        """The job with the label; where the listing shows no labels, those of that operation and time.

        The listing does not tell which rows a job had. So none of the latter is taken for this batch's, but it has
        ended before the rows are sent again.
        """
        looked = work.evidence.get("look")
        if looked is None:
            return ()
        known = {noted.get("job") for noted in work.known}
        jobs = chain.from_iterable(self.client.rows("jobs", audience=self.audience))
        return [
            Candidate(
                job=str(job["id"]),
                evidence={"job": job["id"]},
                is_certain=job.get("label") == looked["label"],
                has_ended=job["state"] in ENDED,
                is_clean=job["state"] == "finished" and not job["refused"],
                count=job["lines"],
            )
            for job in jobs
            if job["operation"] == _OPERATIONS[work.action]
            and job["id"] not in known
            and is_near(work, job["submitted"])
            and job.get("label", looked["label"]) == looked["label"]
        ]


@dataclass(frozen=True)
class Follow(FollowJob[Job]):
    """Polls the job."""

    client: ExampleMailClient

    def read(self, job_id: str) -> Job:
        """The job now."""
        return self.client.job(job_id)

    def ended(self, job_id: str, job: Job, work: Work) -> Progress:
        """The next step reads its results."""
        return Done({"state": job.state, "refused_lines": job.refused})


@dataclass(frozen=True)
class ReadResults(Step):
    """Reads what became of each line: its contact's ID, or why it was refused.

    Evidence: `again`, positions of rows to be sent again, `made` and `kept`, of those whose contact was made or had
    opted out before.
    """

    client: ExampleMailClient
    name = "results"

    def run(self, work: Work) -> Progress:
        """Read them."""
        lines, followed = work.evidence["look"]["lines"], work.evidence["follow"]
        results = {int(one["line"]): one for one in self._results(work.evidence["submit"]["job"])}
        refusals = {number: one for number, one in results.items() if "code" in one}
        is_whole = followed["state"] == "finished" and len(refusals) >= followed["refused_lines"]
        if not results and not is_whole:
            reason = f"the job ended in state {followed['state']} without naming lines"
            job = work.evidence["submit"]["job"]
            return Finished(job=job, unresolved=True, reason=reason, withheld=work.withheld)
        ends = _Ends()
        for number, (at, _, _) in enumerate(lines, 1):
            result = results.get(number)
            if result is not None:
                ends.note(at, result, work.action)
            elif not is_whole:
                ends.again.add(at)
        return Done(
            {
                "withheld": sorted(ends.withheld),
                "again": sorted(ends.again - ends.withheld - ends.refused.keys()),
                "made": sorted(ends.made),
                "kept": sorted(ends.kept),
            },
            names={} if work.action == ACTIONS.remove else ends.contacts,
            left=ends.contacts if work.action == ACTIONS.remove else {},
            refused={at: refusal for at, refusal in ends.refused.items() if at not in ends.withheld},
        )

    def _results(self, job: str) -> Sequence[Mapping[str, Any]]:
        try:
            return [one for page in self.client.rows(f"results/{job}") for one in page]
        except RateLimited:
            raise  # which says nothing about the results
        except MailingError as error:
            if error.status is None or error.status >= 500:
                raise
            return []


class _Ends:
    """How rows end, by position; a row of several lines is refused or withheld if one of them is."""

    def __init__(self) -> None:
        self.contacts: dict[int, list[str]] = {}
        self.refused: dict[int, Refusal] = {}
        self.withheld: set[int] = set()
        self.again: set[int] = set()
        self.made: set[int] = set()
        self.kept: set[int] = set()

    def note(self, at: int, result: Mapping[str, Any], action: str) -> None:
        """The result of one of its lines."""
        code = result.get("code")
        if code is None:
            self.contacts.setdefault(at, []).append(str(result["contact"]))
            if result.get("made"):
                self.made.add(at)
            if result.get("opt_out_kept"):
                self.kept.add(at)
        elif code == "opted_out":
            self.withheld.add(at)
        elif code == "contact_unknown" and action == ACTIONS.remove:
            pass  # gone already
        elif code in _OUTDATED:
            self.again.add(at)
        else:
            self.refused[at] = Refusal("refused_by_provider", f"{code}: {result.get('text', '')}")


class End(Step):
    """Tells how the batch ended."""

    name = "end"

    def run(self, work: Work) -> Progress:
        """Nothing is done."""
        read = work.evidence["results"]
        effects = dict.fromkeys(read["made"], Effect.ADDED) | dict.fromkeys(read["kept"], Effect.OPT_OUT_KEPT)
        return Finished(
            job=work.evidence["submit"]["job"],
            withheld=work.withheld,
            resend=read["again"],
            reason="contacts came and went while the job ran",
            effects=effects,
        )


def _has_opted_out(contact: Row) -> bool:
    return bool(contact["standing"] == "opted_out")


def _line(content: bytes, number: str, is_same: bool) -> bytes:
    """A line about a contact; the address of one who has changed it at Example Mail stays as they want it."""
    if not number:
        return content + b"\n"
    line = msgspec.json.decode(content)
    if not is_same:
        del line["email"]
    return msgspec.json.encode({**line, "id": number}) + b"\n"
