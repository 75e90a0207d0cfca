"""What shows that the provider fails for one contact, and not for all."""

from __future__ import annotations

import pytest

from mailing_api.answered_calls import note_answered
from mailing_api.errors import ProviderFault
from target_mailing.delivery.one_by_one import take_each_that_works

WRITE = "PUT /contacts/{contact}"
READ = "GET /contacts/{contact}"


def fault(status=500):
    error = ProviderFault("it failed", status=status)
    error.call = WRITE
    return error


def probe():
    note_answered(READ)


def test_a_contact_that_needs_only_reads_does_not_show_that_writes_work():
    def take(contact):
        if contact == "writes":
            raise fault(503)
        note_answered(READ)

    with pytest.raises(ProviderFault):
        take_each_that_works(["reads", "writes"], take, probe=probe)


def test_what_was_answered_before_a_contact_failed_again_does_not_show_that_it_works_now():
    """The first contact has nothing more to write once it is written."""
    taken = []

    def take(contact):
        taken.append(contact)
        if contact == "odd" or (taken.count("odd") > 1 and contact == "first"):
            raise fault(503)
        note_answered(READ if contact == "last" and taken.count("odd") > 1 else WRITE)

    with pytest.raises(ProviderFault):
        take_each_that_works(["odd", "first", "last"], take, probe=probe)


def test_a_call_without_a_response_is_not_made_again_for_the_same_contact():
    taken = []

    def take(contact):
        taken.append(contact)
        if contact == 2:
            raise fault(None)
        note_answered(WRITE)

    with pytest.raises(ProviderFault):
        take_each_that_works([1, 2, 3], take, probe=probe)
    assert taken == [1, 2]
