"""The suppression list over the API, of the account and of tenants (SES reference, suppression list)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from mailing_sandbox.ses.contact_routes import address_in_path
from mailing_sandbox.ses.imports import suppress
from mailing_sandbox.ses.received import Sent
from mailing_sandbox.ses.refusal import Refusal, bad_request, not_found

if TYPE_CHECKING:
    from mailing_sandbox.ses.account import Region
    from mailing_sandbox.ses.records import Suppression


def list_suppressed_destinations(region: Region, given: dict[str, Any]) -> dict[str, Any]:
    """Return a page of suppressed addresses. A token is bound to the reasons it was given for."""
    account, switches = region.account, region.switches
    size = account.pager.size(given.get("PageSize"), switches.ses_max_page, switches.ses_max_page)
    reasons = sorted({*given.get("Reasons", [])})
    tenant = given.get("TenantName")
    scope = f"{region.name}:suppressions:{tenant}:{','.join(reasons)}"
    refusal = Refusal("InvalidNextTokenException", "Token is invalid.")
    place = account.pager.place(given.get("NextToken"), scope, switches, refusal)
    start, end = given.get("StartDate"), given.get("EndDate")
    inclusive = switches.ses_date_bounds == "inclusive"

    def keep(row: Suppression) -> bool:
        if reasons and row.reason not in reasons:
            return False
        # botocore cuts dates to whole seconds; so does this comparison at an inclusive end.
        moment = row.updated if switches.ses_dates_compare == "updated" else row.added
        after = start is None or moment > start or (inclusive and moment == start)
        return after and (end is None or moment < end or (inclusive and int(moment) == end))

    rows, token = account.pager.cut(region.suppressed(tenant).ordered(), place, size, switches, keep)
    account.counters.served("ses suppressed destinations", len(rows))
    return {"SuppressedDestinationSummaries": [_summary(row) for row in rows], "NextToken": token}


def get_suppressed_destination(region: Region, given: dict[str, Any]) -> dict[str, Any]:
    """Return one suppressed address, with the fields that the listing omits."""
    row = _found(region, given)
    more = {"Attributes": row.attributes, "TenantName": given.get("TenantName")}
    return {"SuppressedDestination": _summary(row) | more}


def put_suppressed_destination(region: Region, given: dict[str, Any]) -> None:
    """Suppress an address, or change the reason."""
    region.require_production("PutSuppressedDestination")
    if region.refuses(given["EmailAddress"]):
        raise bad_request("Email address is not valid")
    suppress(region, given["EmailAddress"], given["Reason"], region.now(), tenant=given.get("TenantName"))
    _written(region, "PutSuppressedDestination", "PUT", given)


def delete_suppressed_destination(region: Region, given: dict[str, Any]) -> None:
    """Take an address off the list; NotFoundException when it is not there."""
    row = _found(region, given)
    region.suppressed(given.get("TenantName")).remove(row.email)
    _written(region, "DeleteSuppressedDestination", "DELETE", given)


def _found(region: Region, given: dict[str, Any]) -> Suppression:
    email = address_in_path(region, given)
    row = region.suppressed(given.get("TenantName")).get(region.suppression_key(email))
    if row is None:
        raise not_found(f"Email address {email} does not exist on your suppression list.")
    return row


def _written(region: Region, operation: str, action: str, given: dict[str, Any]) -> None:
    if region.switches.ses_keep_received:
        content = msgspec.json.encode(given)
        region.account.received.keep(Sent(None, operation, region.name, None, action, 1, content, "JSON"))


def _summary(row: Suppression) -> dict[str, Any]:
    return {"EmailAddress": row.email, "Reason": row.reason, "LastUpdateTime": row.updated}
