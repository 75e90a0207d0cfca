"""What PostGrid says of one contact now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailing_api.errors import NotFound
from mailing_api.postgrid.client import PostgridClient
from mailing_api.values import seconds_of

__all__ = ["today"]


def today(client: PostgridClient, list_id: str, numbers: Sequence[str]) -> Iterator[str]:
    """The state of each of these contacts, given by ID.

    The form of `mailingLists`, which may be missing, is unverified: IDs, or objects with one.

    Raises:
        MailingError: PostGrid could not be asked.
    """
    for number in numbers:
        try:
            row = client.contact(number)
        except NotFound:
            yield f"{number} does not exist"
            continue
        times = {"made": row.get("createdAt"), "changed": row.get("updatedAt")}
        known = [f"{word} {moment}" for word, value in times.items() if (moment := seconds_of(value))]
        lists = row.get("mailingLists")
        if not isinstance(lists, list):
            where = "its lists are not shown"
        else:
            known_lists = [one.get("id") if isinstance(one, dict) else one for one in lists]
            others = [one for one in known_lists if one != list_id]
            where = f"{'on' if list_id in known_lists else 'not on'} this list"
            where += f", and on {len(others)} other{'s' * (len(others) != 1)}" if others else ""
        yield ", ".join([number, *known, where])
