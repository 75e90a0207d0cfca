"""What an error of Amazon SES says of the row whose call it is."""

from __future__ import annotations

import msgspec

from mailing_api.errors import ProviderFault, RequestRefused
from mailing_api.ses.words import is_invalid
from target_mailing.delivery.one_by_one import why_failing
from target_mailing.interface.destination import Refusal

__all__ = ["refusal_of", "unasked"]


def refusal_of(error: RequestRefused | ProviderFault) -> Refusal:
    """The refusal of a row, for a request that Amazon SES refused because of the row.

    A `ProviderFault` is that of a single contact; see `take_each_that_works`.

    Raises:
        RequestRefused: the request was refused for another reason.
    """
    if isinstance(error, ProviderFault):
        return Refusal("refused_by_provider", f"looking for the contact: {why_failing(error)}")
    if not is_invalid(error):
        raise error
    return Refusal("refused_by_provider", error.said or error.code_or_status)


def unasked(error: RequestRefused | ProviderFault) -> Refusal:
    """The refusal of a row whose contact's opt-out is unknown; see `refusal_of`."""
    return msgspec.structs.replace(refusal_of(error), is_unasked=True)
