"""Texts of rows and answers, however long: the time that they take grows with their length (P9)."""

from __future__ import annotations

import contextlib
import logging

import pytest

from mailing_api.addresses import fold_address
from mailing_api.postgrid.answers import redacted
from mailing_api.process.log_filter import LogFilter
from target_mailing.contacts.consent_words import choice_of
from target_mailing.contacts.dates import is_date
from target_mailing.contacts.deletion import is_moment
from target_mailing.contacts.values import decimal, flag, moment, trimmed, whole
from target_mailing.delivery.named_addresses import NamedAddresses
from target_mailing.mailjet.csv_file import errors_of
from tests.growth import grows_with_length

ADDRESSES = NamedAddresses(["a@b.test"])


def caught(function):
    def look(text):
        with contextlib.suppress(ValueError):
            function(text)

    return look


LOOKS = {
    "text": trimmed,
    "number": caught(decimal),
    "whole": caught(whole),
    "flag": caught(flag),
    "moment": caught(moment),
    "date": is_date,
    "deletion": is_moment,
    "choice": caught(choice_of),
    "address": fold_address,
    "log": lambda text: LogFilter().filter(
        logging.LogRecord("target-mailing", logging.INFO, "", 1, "%s", (text,), None)
    ),
    "PostGrid's message": lambda text: redacted(text, "key"),
    "Mailjet's error file": lambda text: errors_of(text.encode(), ADDRESSES),
    "who is meant": ADDRESSES.subject,
}

#: Beginning, what is repeated, and end.
TEXTS = [
    ("", "a", ""), ("", "1", "x"), ("", "1.", ""), ("", "1e1", ""), ("\u00e9", " ", "b"),
    ("a", "\t\u200b", "b"), ("2024-01-01", " ", "x"), ("2024-01-01 00:00:00", " ", "x"), ("a,", " ", "x"),
    ("", ", ", ""), ("", '"', ""), ("", "\\", ""), ("", "(", ""), ("", "<@", ""), ("a", " ", "@ b"),
    ("a@b", ".", "c"), ("", "https://", ""), ("", "https://a?", ""), ("", "%40", ""), ("", "@", ""),
    ("", "\u00e9", ""), ("first", " ", "w a@b.test"), ("of", ".", "a@b.test"), ("", "a@b.test ", ""),
    ("", "test_", "-"),
]  # fmt: skip


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_p9_the_time_for_a_text_grows_with_its_length(look):
    for head, piece, end in TEXTS:
        assert grows_with_length(look, lambda size: head + piece * size + end), (head, piece, end)  # noqa: B023
