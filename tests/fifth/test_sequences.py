"""Runs at random, while contacts come, opt out, change their address and go at Example Mail, and while runs are killed.

Whatever happens: no opt-out is undone or erased, no address gets two contacts by the target, every row has its outcome.
"""

from __future__ import annotations

import random
import threading
from contextlib import suppress

import pytest

from tests.fifth.conftest import rows

pytestmark = [pytest.mark.slow, pytest.mark.exhaustive]

DELETED = "2026-01-01T00:00:00Z"
PEOPLE = range(1, 7)


def address(number, generation=0):
    return f"canary{number}{'.new' * generation}@example.com"


class Somebody:
    """Whoever works at Example Mail beside the target; remembers who opted out."""

    def __init__(self, world, chance):
        self.world = world
        self.chance = chance
        self.opted_out = set()

    def act(self):
        """Do something to a contact, or add one."""
        mail, chance = self.world.mail, self.chance
        what = chance.choice(["opt out", "opt out", "new address", "twin", "gone", "nothing"])
        known = [one for one in mail.contacts() if one["id"] not in self.opted_out]
        if what == "twin":
            mail.add_contact(self.world.audience, address(chance.choice(PEOPLE)), f"Twin {chance.random()}")
        elif known and what != "nothing":
            one = chance.choice(known)["id"]
            if what == "opt out":
                mail.change_contact(one, standing="opted_out")
                self.opted_out.add(one)
            elif what == "new address":
                mail.change_contact(one, email=f"moved{chance.random()}@example.com")
            else:
                del mail.people[one]


def row(chance):
    number = chance.choice(PEOPLE)
    kinds = [{}, {}, {"city": f"City {chance.random()}"}, {"email": address(number, 1)}, {"_sdc_deleted_at": DELETED}]
    return rows([number], **chance.choice(kinds))[0]


def check(world, somebody):
    standings = {one["id"]: one["standing"] for one in world.mail.contacts()}
    undone = {number for number in somebody.opted_out if standings.get(number) != "opted_out"}
    assert not undone, "opt-outs that were undone or erased"
    for one in world.mail.contacts():  # whoever the target unsubscribed, stays so, too
        if one["standing"] == "opted_out":
            somebody.opted_out.add(one["id"])


@pytest.mark.parametrize("seed", range(12))
def test_p5_whatever_happens_no_opt_out_is_undone(world, seed):
    chance = random.Random(seed)
    somebody = Somebody(world, chance)
    world.mail.change(
        examplemail_shows_labels=chance.random() < 0.5,
        examplemail_results=chance.choice(["all", "refused"]),
        examplemail_page_size=chance.choice([1, 3, 50]),
    )
    for _ in range(5):
        messages = [row(chance) for _ in range(chance.randint(1, 8))]
        settings = {"batch_rows": chance.choice([2, 5, 1000]), "action": chance.choice(["addnoforce", "addforce"])}
        blow = chance.choice(["kill", "reply_lost", "meanwhile", None])
        if blow == "kill":
            changed = rows(PEOPLE, city=f"City {chance.random()}")
            world.kill(changed, when=chance.choice(["before", "after"]), **settings)
            check(world, somebody)
        elif blow == "reply_lost":
            world.sandbox.faults.add(kind="reply_lost", method="POST", path="*/jobs")
        elif blow == "meanwhile":
            hold = world.sandbox.faults.add(kind="hold", method="POST", path="*/jobs", when="before")
            watch = threading.Thread(target=_meanwhile, args=[hold, somebody])
            watch.start()
        somebody.act()
        result = world.deliver(messages, **settings)
        world.sandbox.faults.clear()
        assert (result.code, result.states) == (0, [{"number": 1}]), result.log
        assert sum(result.outcomes.values()) == len(messages)
        check(world, somebody)
        # A contact whose job was lost, and who has moved since, cannot be known to the target by any means.
        emails = {one["id"]: one["email"].lower() for one in world.mail.contacts()}
        made = [
            emails[told["contact"]]
            for job in world.mail.jobs()
            for line, told in _made(job)
            if emails.get(told["contact"]) == line.get("email", "").lower()
        ]
        assert len(made) == len({*made}), "two contacts of an address"
        somebody.act()


def _meanwhile(hold, somebody):
    with suppress(TimeoutError):  # the run has nothing to submit
        hold.wait_until_held(timeout=5)
        somebody.act()
        hold.release()


def _made(job):
    return [(job.lines[told["line"] - 1], told) for told in job.results if told.get("made")]
