"""Routes of mailing lists and their jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from mailing_sandbox.postgrid.body import read
from mailing_sandbox.postgrid.jobs import MOST
from mailing_sandbox.postgrid.listing import page
from mailing_sandbox.postgrid.received import Sent
from mailing_sandbox.postgrid.refusal import Refusal, invalid
from mailing_sandbox.postgrid.replies import deleted, reply

if TYPE_CHECKING:
    from mailing_sandbox.postgrid.account import Mode
    from mailing_sandbox.postgrid.body import Body
    from mailing_sandbox.postgrid.jobs import Action
    from mailing_sandbox.provider import Call, Reply


def create(mode: Mode, call: Call, _: str) -> Reply:
    """Create a list."""
    account, switches = mode.account, mode.account.switches

    def work() -> Reply:
        body = read(call)
        if switches.postgrid_null_fields == "unset":
            body = body.without_nulls()
        made = mode.store.mailing_list(body.text("description"), body.mapping("metadata"))
        return reply(made.shown(switches), switches.postgrid_create_status)

    strict = switches.postgrid_idempotency_mismatch == "error"
    return mode.store.answers.once(call, account.clock.now(), work, strict=strict)


def list_lists(mode: Mode, call: Call, _: str) -> Reply:
    """Answer a page of lists. This is no poll of any of them."""
    switches = mode.account.switches
    return page(mode.account, call, "mailing_lists", mode.store.lists, lambda row: row.shown(switches))


def read_list(mode: Mode, _: Call, number: str) -> Reply:
    """Answer one list, which is also a poll of its job."""
    found = mode.mailing_list(number)
    mode.jobs.poll(found)
    return reply(found.shown(mode.account.switches))


def update_list(mode: Mode, call: Call, number: str) -> Reply:
    """Change description and metadata of a list."""
    found = mode.mailing_list(number)
    switches = mode.account.switches
    body = read(call)
    changes = changed(body, clears=switches.postgrid_list_null == "clear")
    if "description" in changes:
        found.description = changes["description"]
    if "metadata" in changes:
        kept = found.metadata or {} if switches.postgrid_metadata_update == "merge" else {}
        found.metadata = None if changes["metadata"] is None else kept | changes["metadata"]
    mode.store.lists.touch(found, mode.account.clock.now())
    shown = found.shown(switches)
    if switches.postgrid_list_update_body == "partial":
        shown = {name: shown[name] for name in ("description", "metadata") if name in shown}
    return reply(shown)


def changed(body: Body, *, clears: bool = True, strings: bool = False) -> dict[str, Any]:
    """Return description and metadata where they are given, None where null is to clear them."""
    changes: dict[str, Any] = {}
    for name in ("description", "metadata"):
        if name in body.fields:
            null = body.fields[name] is None and clears
            value = body.text(name) if name == "description" and not null else None
            changes[name] = body.mapping(name, strings=strings) if name == "metadata" and not null else value
    return changes


def delete_list(mode: Mode, _: Call, number: str) -> Reply:
    """Delete a list, with its job if one runs."""
    found = mode.mailing_list(number)
    switches = mode.account.switches
    if found.status != "completed" and switches.postgrid_delete_busy == "refused":
        raise Refusal(422, "mailing_list_busy_error", "A job is running on this mailing list")
    mode.jobs.drop(found)
    mode.store.delete_list(found)
    return deleted(number, "mailing_list" if switches.postgrid_object_member else "")


def submit_job(mode: Mode, call: Call, number: str) -> Reply:
    """Start a job on a list."""
    account, switches = mode.account, mode.account.switches
    found = mode.mailing_list(number)
    action, ids = work_of(read(call))
    mode.jobs.submit(found, action, ids)
    account.counters.received("POST /print-mail/v1/mailing_lists/{id}/jobs", len(ids))
    if switches.postgrid_keep_received:
        about = {"route": "jobs", "live": mode.store.live, "list": number, "action": action}
        account.received.keep(Sent(about, len(ids), list(ids)))
    shown = found.shown(switches)
    if switches.postgrid_job_response_status == "completed":
        shown["status"] = "completed"
    return reply(shown, switches.postgrid_job_status)


def work_of(body: Body) -> tuple[Action, list[str]]:
    """Return what a job is to do with which IDs; a 400 unless it is exactly one thing."""
    given = [name for name in MOST if name in body.fields]
    if len(given) != 1:
        raise invalid(f"exactly one of {', '.join(MOST)} must be given.")
    action, most = given[0], MOST[given[0]]
    ids = body.fields[action]
    if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
        raise invalid(f"'{action}' must be an array of strings.")
    if not 1 <= len(ids) <= most:
        raise invalid(f"'{action}' must have from 1 to {most} items.")
    return cast("Action", action), ids
