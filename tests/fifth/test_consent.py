"""An opt-out at Example Mail is never undone: one from before the run, and one that comes while a job waits."""

from __future__ import annotations

import threading

import pytest

from tests.fifth.conftest import rows

pytestmark = pytest.mark.slow

DELETED = "2026-01-01T00:00:00Z"


def test_p5_who_opted_out_before_is_not_added_again_nor_removed(world):
    for number in (1, 2, 3):
        world.mail.add_contact(world.audience, f"canary{number}@example.com", standing="opted_out")
    people = [*rows([1]), *rows([2], _sdc_deleted_at=DELETED), *rows([3], email="Canary3@EXAMPLE.com"), *rows([4])]
    result = world.deliver(people, action="addforce")
    assert result.outcomes == {"delivered": 3, "withheld": 1}, result.log
    assert result.totals["effects"] == {"opt_out_kept": 2, "added": 1}
    assert sorted(world.standings().values()) == [
        "Canary3@example.com opted_out",
        "canary1@example.com opted_out",
        "canary2@example.com opted_out",
        "canary4@example.com active",
    ]


def test_p5_only_force_subscribes_again(world):
    world.mail.add_contact(world.audience, "canary1@example.com", standing="opted_out")
    world.deliver(rows([1]), action="addforce", consent="force")
    assert [*world.standings().values()] == ["canary1@example.com active"]


@pytest.mark.parametrize("deleted", [None, DELETED])
def test_p5_who_opts_out_while_the_job_waits_stays_so(world, deleted):
    world.deliver(rows([1, 2]))
    hold = world.sandbox.faults.add(kind="hold", method="POST", path="*/jobs", when="before")
    watch = threading.Thread(target=lambda: (hold.wait_until_held(), world.mail.opt_out("canary1@example.com"),
                                             hold.release()))  # fmt: skip
    watch.start()
    result = world.deliver(rows([1, 2], city="Nice", _sdc_deleted_at=deleted))
    watch.join()
    assert world.contact("canary1@example.com")["standing"] == "opted_out"
    assert result.outcomes == ({"delivered": 1, "withheld": 1} if deleted else {"delivered": 2}), result.log


def test_p5_who_joins_and_opts_out_while_the_job_waits_is_not_doubled(world):
    """The line that would make a contact is refused, and the row goes again, to the contact that is there now."""
    hold = world.sandbox.faults.add(kind="hold", method="POST", path="*/jobs", when="before")
    watch = threading.Thread(
        target=lambda: (hold.wait_until_held(),
                        world.mail.add_contact(world.audience, "canary1@example.com", standing="opted_out"),
                        hold.release())
    )  # fmt: skip
    watch.start()
    result = world.deliver(rows([1, 2]))
    watch.join()
    assert result.outcomes == {"delivered": 2}, result.log
    assert sorted(world.standings().values()) == ["canary1@example.com opted_out", "canary2@example.com active"]


def test_p5_an_opt_out_follows_a_key_to_its_new_address(world):
    world.deliver(rows([1]))
    world.mail.opt_out("canary1@example.com")
    result = world.deliver(rows([1], email="canary.new@example.com"))
    assert sorted(world.standings().values()) == [
        "canary.new@example.com opted_out",
        "canary1@example.com opted_out",
    ], result.log


def test_p5_one_of_two_contacts_of_an_address_opted_out(world):
    """Neither is removed, and each stays as it is when their row is written."""
    world.mail.add_contact(world.audience, "canary1@example.com", standing="opted_out")
    world.mail.add_contact(world.audience, "canary1@example.com")
    assert world.deliver(rows([1])).outcomes == {"delivered": 1}
    assert world.deliver(rows([1], _sdc_deleted_at=DELETED)).outcomes == {"withheld": 1}
    assert sorted(world.standings().values()) == ["canary1@example.com active", "canary1@example.com opted_out"]
