"""Routes of mailing list imports, and of their files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mailing_sandbox.postgrid.body import Upload, read
from mailing_sandbox.postgrid.csvfile import FIELDS, Mappings
from mailing_sandbox.postgrid.download import Download, is_loopback, is_url
from mailing_sandbox.postgrid.links import csv_reply, forbidden
from mailing_sandbox.postgrid.list_routes import changed
from mailing_sandbox.postgrid.listing import page
from mailing_sandbox.postgrid.refusal import Refusal, invalid
from mailing_sandbox.postgrid.replies import deleted, reply

if TYPE_CHECKING:
    from mailing_sandbox.postgrid.account import Account, Mode
    from mailing_sandbox.postgrid.body import Body
    from mailing_sandbox.postgrid.records import Import
    from mailing_sandbox.postgrid.switches import Switches
    from mailing_sandbox.provider import Call, Reply


def shown(mode: Mode, call: Call, imported: Import) -> dict[str, Any]:
    """Return the answer about an import, with links of its own."""
    links = mode.account.links
    file, report = (links.sign(call, imported.id, name) for name in ("file.csv", "report.csv"))
    return imported.shown(mode.account.switches, file, report)


def create(mode: Mode, call: Call, _: str) -> Reply:
    """Take a file in; its validation begins."""
    account, switches = mode.account, mode.account.switches

    def work() -> Reply:
        body = read(call, multipart=switches.postgrid_multipart)
        if switches.postgrid_null_fields == "unset":
            body = body.without_nulls()
        if body.text("fileType") != "csv":
            raise invalid("'fileType' must be csv.")
        mappings = mappings_of(body)
        description, metadata = body.text("description"), body.mapping("metadata")
        file = file_of(body, switches)
        imported = mode.validation.submit(mappings, file, description=description, metadata=metadata)
        if isinstance(file, bytes):
            mode.keep_file(imported.id, file)
        return reply(shown(mode, call, imported), switches.postgrid_create_status)

    strict = switches.postgrid_idempotency_mismatch == "error"
    return mode.store.answers.once(call, account.clock.now(), work, strict=strict)


def mappings_of(body: Body) -> Mappings:
    """Return the mappings; a 400 where one does not fit."""
    receiver = body.mapping("receiverAddressMapping", strings=True)
    if receiver is None:
        raise invalid("'receiverAddressMapping' must be given.")
    found = Mappings(
        receiver,
        body.mapping("receiverMergeVariableMapping", strings=True),
        body.mapping("senderAddressMapping", strings=True),
        body.mapping("senderMergeVariableMapping", strings=True),
    )
    for name, addresses in (("receiver", found.receiver), ("sender", found.sender or {})):
        if unknown := [field for field in addresses if field not in FIELDS]:
            raise invalid(f"{name}.addressMapping.is.invalid: {', '.join(unknown)}")
    for name, variables in (("receiver", found.receiver_variables), ("sender", found.sender_variables)):
        if any("." in variable for variable in variables or {}):
            raise invalid(f"{name}.variableMapping.is.invalid: a name must not contain a period")
    return found


def file_of(body: Body, switches: Switches) -> bytes | Download:
    """Return the file, or the fetching of it; a 400 where there is neither."""
    file = body.fields.get("file")
    if isinstance(file, Upload):
        return file.content
    if not isinstance(file, str) or not file:
        raise invalid("'file' must be given.")
    if is_url(file):
        fetch = switches.postgrid_fetch
        return Download(file, allowed=fetch == "anywhere" or (fetch == "loopback" and is_loopback(file)))
    if switches.postgrid_inline_csv:
        return file.encode()
    raise invalid("'file' must be a URL or an uploaded file.")


def list_imports(mode: Mode, call: Call, _: str) -> Reply:
    """Answer a page of imports. This is no poll of any of them."""
    return page(mode.account, call, "mailing_list_imports", mode.store.imports, lambda row: shown(mode, call, row))


def read_import(mode: Mode, call: Call, number: str) -> Reply:
    """Answer one import, which is also a poll of it."""
    imported = mode.imported(number)
    mode.validation.poll(imported)
    return reply(shown(mode, call, imported))


def update_import(mode: Mode, call: Call, number: str) -> Reply:
    """Change description and metadata of an import."""
    imported = mode.imported(number)
    for name, value in changed(read(call), strings=True).items():
        setattr(imported, name, value)
    mode.store.imports.touch(imported, mode.account.clock.now())
    return reply(shown(mode, call, imported))


def delete_import(mode: Mode, _: Call, number: str) -> Reply:
    """Delete an import."""
    imported = mode.imported(number)
    switches = mode.account.switches
    if switches.postgrid_delete_used_import == "refused" and mode.store.lists_with(imported):
        raise Refusal(422, "mailing_list_import_in_use_error", "The import is on a mailing list")
    mode.validation.drop(imported)
    mode.store.delete_import(imported)
    return deleted(number, "mailing_list_import" if switches.postgrid_object_member else "")


def download(account: Account, call: Call) -> Reply:
    """Return a file: one that a test hosts, or one of an import for a valid link."""
    if call.method != "GET" or len(call.segments) != 3:
        return csv_reply(None)
    _, number, name = call.segments
    if number == "hosted":
        return csv_reply(account.links.hosted.get(name))
    if not account.links.good(call):
        return forbidden()
    for mode in account.modes:
        imported = mode.store.imports.get(number)
        if imported is not None and not imported.lost:
            return csv_reply(imported.content if name == "file.csv" else mode.validation.report(imported))
    return csv_reply(None)
