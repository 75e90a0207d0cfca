"""`--explain` at PostGrid, whose contacts are known by ID."""

from __future__ import annotations

import httpx
import pytest

from tests.target.conftest import state
from tests.target.explain.answers import answer
from tests.target.postgrid.conftest import delete, household, households, postgrid  # noqa: F401 - a fixture

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("shown", "said"), [("ids", "on this list"), ("objects", "on this list"), ("absent", "its lists are not shown")]
)
def test_the_lists_of_a_contact_are_read_in_any_form(postgrid, shown, said):  # noqa: F811
    postgrid.sandbox.switches.change({"postgrid_contact_lists": shown})
    assert postgrid.deliver([households(), household(1), state(1)]).error is None
    assert said in answer(postgrid, "1")
    assert "not on this list" not in answer(postgrid, "1")


def test_who_moved_or_left_is_told_so(postgrid):  # noqa: F811
    postgrid.config["postgrid_delete_old_contacts"] = True
    postgrid.deliver([households(), household(1), household(2, email="two@example.com", address_line1=None), state(1)])
    postgrid.deliver([households(), household(1, address_line1="9 New Road"), state(2)])
    said = answer(postgrid, "1")
    assert said.count("provider's ID contact_") == 1
    assert ", on this list" in said
    (number,) = postgrid.on_list()
    key = {"x-api-key": postgrid.sandbox.postgrid.test_key}
    assert httpx.delete(f"{postgrid.sandbox.url}/print-mail/v1/contacts/{number}", headers=key).is_success
    assert "does not exist" in answer(postgrid, "1")
    assert "open rejects bad_address, stream 'households'" in answer(postgrid, "two@example.com")
    postgrid.deliver([households(), delete(1), state(3)])
    assert "its delete was delivered" in answer(postgrid, "1")
