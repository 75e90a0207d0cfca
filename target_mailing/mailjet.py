"""Mailjet as a destination: one list, or the account with any number of lists, by JSON bulk jobs.

Steps: consent (removals only), submit, follow, errors. Facts and what is unverified: docs/mailjet.md.
"""

from __future__ import annotations

import math
import random
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from mailing_api.errors import ConfigurationError, MailingError, NotFound, RequestRefused
from mailing_api.mailjet import Job, MailjetClient
from mailing_api.values import boolean, epoch, integer, number, timestamp
from target_mailing.consent import Actions, Consent, may_remove
from target_mailing.mapping import Converter, Fields, MappedContact, fold_address
from target_mailing.steps import Again, Done, Finished, Progress, Refusal, Step, Work

__all__ = ["ACTIONS", "MailjetDestination", "MailjetTarget"]

ACTIONS: Final = Actions(
    known=frozenset({"addnoforce", "addforce", "remove", "unsub"}),
    remove="remove",
    unsubscribe="unsub",
    respectful={"addforce": "addnoforce"},
    removing_erases_opt_out=True,  # the membership row is deleted, and with it the flag
)

#: A new property has been seen to be unknown to Mailjet for some seconds.
_PROPERTY_DELAY: Final = 3.0
#: Seconds during which an unknown job is taken as not visible yet.
_JOB_APPEARS_WITHIN: Final = 60.0
#: Seconds by which Mailjet's clock and ours may differ.
_CLOCK_SKEW: Final = 120.0
#: Greatest number of properties of an account, the address included.
_MAX_PROPERTIES: Final = 200


class MailjetTarget(msgspec.Struct, frozen=True, kw_only=True):
    """Where contacts are to go.

    Attributes:
        lists: IDs, addresses or names; exactly one unless account_wide.
        account_wide: one call for the account with all lists in it, instead of one list's own call.
        create_list: make a list that is named and does not exist.
        consent: whether removing may erase an opt-out.
        poll_interval: seconds before the first look at a job; grows by half up to poll_max_interval.
    """

    lists: Sequence[str]
    account_wide: bool = False
    create_list: bool = False
    consent: Consent = "respect"
    poll_interval: float = 2.0
    poll_max_interval: float = 30.0
    property_delay: float = _PROPERTY_DELAY


class MailjetDestination:
    """One list, or one account, of Mailjet."""

    def __init__(self, client: MailjetClient, target: MailjetTarget) -> None:
        """Find the lists and read the account's properties.

        Raises:
            ConfigurationError: a list is missing, deleted or named ambiguously.
            MailingError: Mailjet could not be asked.
        """
        if not target.account_wide and len(target.lists) != 1:
            raise ConfigurationError(
                "Setting `list`: give the one Mailjet list to deliver to, by ID, name or address (several, or none, "
                "only with `scope: account`)."
            )
        self._client = client
        self._target = target
        self._lists = [_find_list(client, one, create=target.create_list) for one in target.lists]
        where = f"list:{self._lists[0]}" if not target.account_wide else f"account:{sorted(self._lists)}"
        self.name = f"mailjet:{client.account}:{where}"
        self.fields = self._read_fields()
        # Without a list there is nothing to leave: Mailjet only adds and updates the account's contacts.
        known = ACTIONS.known if self._lists else ACTIONS.known - {ACTIONS.remove, ACTIONS.unsubscribe}
        self.actions = msgspec.structs.replace(ACTIONS, known=known)

    @property
    def list_id(self) -> int | None:
        """The list whose own route is used; None account-wide."""
        return None if self._target.account_wide else self._lists[0]

    def encode(self, contact: MappedContact, action: str) -> bytes:
        """A contact as managemanycontacts takes it; a removal needs only the address."""
        found: dict[str, Any] = {"Email": contact.email}
        if action != ACTIONS.remove:
            columns = contact.columns
            name = columns.get("name") or " ".join(
                columns[part] for part in ("first_name", "last_name") if columns.get(part)
            )
            if name:
                found["Name"] = name
            if contact.properties:
                found["Properties"] = contact.properties
        return msgspec.json.encode(found, order="deterministic")

    def overlay(self, earlier: bytes, later: bytes) -> bytes:
        """Present fields are updated and absent ones untouched, so the later contact is laid over the earlier."""
        if earlier == later:
            return later
        below, above = msgspec.json.decode(earlier), msgspec.json.decode(later)
        properties = {**below.get("Properties", {}), **above.get("Properties", {})}
        found = {**below, **above, **({"Properties": properties} if properties else {})}
        return msgspec.json.encode(found, order="deterministic")

    def steps(self, action: str) -> Sequence[Step]:
        """The steps of the JSON bulk route."""
        submit = _Submit(self._client, self.list_id, self._lists)
        follow = _Follow(self._client, self.list_id, self._target)
        errors = _ReadErrors(self._client)
        if action == ACTIONS.remove:
            return (_ReadConsent(self._client, self._lists, self._target.consent), submit, follow, errors)
        return (submit, follow, errors)

    def create_properties(self, schemas: Mapping[str, Mapping[str, Any]]) -> None:
        """Define a static property for each column, of the type that its JSON Schema has.

        Raises:
            ConfigurationError: the account would have more properties than Mailjet allows.
        """
        if len(self.fields.properties) + len(schemas) >= _MAX_PROPERTIES:
            raise ConfigurationError(
                f"Setting `create_properties`: the account would have more than {_MAX_PROPERTIES} properties, "
                "Mailjet's limit. List fewer columns in `properties`."
            )
        for name, schema in schemas.items():
            self._client.create_property(name, _datatype(schema))
        deadline = time.monotonic() + 60.0
        while True:
            time.sleep(self._target.property_delay)
            self.fields = self._read_fields()
            if schemas.keys() <= self.fields.properties.keys() or time.monotonic() > deadline:
                return

    def _read_fields(self) -> Fields:
        properties: dict[str, Converter] = {}
        for page in self._client.rows("contactmetadata"):
            for row in page:
                if str(row.get("NameSpace", "static")).lower() == "static":
                    properties[str(row["Name"])] = _CONVERTERS.get(str(row.get("Datatype", "str")).lower(), _text)
        return Fields(columns={"name": _text, "first_name": _text, "last_name": _text}, properties=properties)


# Lists


def _find_list(client: MailjetClient, wanted: str, *, create: bool) -> int:
    """The ID of a list given by ID, name or address."""
    if wanted.isdecimal():
        row = _list_at(client, wanted)
        if row is None:
            raise ConfigurationError(f"Setting `list`: Mailjet has no list with the ID {wanted}.")
    else:
        # Mailjet ignores a filter that it does not know, so what comes back is compared.
        rows = [row for row in client.page("contactslist", {"Name": wanted, "Limit": 100}) if row.get("Name") == wanted]
        if len(rows) > 1:
            ids = ", ".join(str(row["ID"]) for row in rows)
            raise ConfigurationError(
                f"Setting `list`: several Mailjet lists are named {wanted!r} ({ids}); give the ID."
            )
        row = rows[0] if rows else _list_at(client, wanted)
        if row is None and create:
            row = client.create_list(wanted)
        if row is None:
            raise ConfigurationError(
                f"Setting `list`: Mailjet has no list with the name or address {wanted!r}. Correct it, or set "
                "`create_list: true`."
            )
    if boolean(row.get("IsDeleted")):
        raise ConfigurationError(f"Setting `list`: the Mailjet list {wanted!r} is deleted; choose another.")
    return int(row["ID"])


def _list_at(client: MailjetClient, key: str) -> dict[str, Any] | None:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", key):
        return None
    try:
        return client.one("contactslist", key)
    except NotFound:
        return None


# Property types


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("no text")
    return str(value)


def _int(value: Any) -> int:
    if isinstance(value, bool):
        raise ValueError("no whole number")
    try:
        found = integer(value)
    except (ValueError, TypeError):
        found = None
    if found is None:
        raise ValueError("no whole number")
    return found


def _float(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError("no number")
    try:
        found = number(value)
    except (ValueError, TypeError):
        found = None
    if found is None or not math.isfinite(found):
        raise ValueError("no number")
    return found


def _bool(value: Any) -> bool:
    try:
        found = boolean(value)
    except ValueError:
        found = None
    if found is None:
        raise ValueError("neither true nor false")
    return found


def _datetime(value: Any) -> str:
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            found = epoch(int(value))
        else:
            found = timestamp(value)
    except (ValueError, TypeError, OverflowError):
        found = None
    if found is None:
        raise ValueError("no date-time")
    return f"{found[:19]}Z"


_CONVERTERS: Final[Mapping[str, Converter]] = {
    "str": _text,
    "int": _int,
    "float": _float,
    "bool": _bool,
    "datetime": _datetime,
}


def _datatype(schema: Mapping[str, Any]) -> str:
    types = schema.get("type", "string")
    names = {types} if isinstance(types, str) else set(types)
    if schema.get("format") in {"date-time", "date"}:
        return "datetime"
    for name, datatype in (("boolean", "bool"), ("number", "float"), ("integer", "int")):
        if name in names and "string" not in names:
            return datatype
    return "str"


# Steps


class _ReadConsent(msgspec.Struct, frozen=True):
    """Finds who opted out: removing them would erase that."""

    client: MailjetClient
    lists: Sequence[int]
    consent: Consent
    name: str = "consent"
    repeatable: bool = True
    watches: bool = False

    def run(self, work: Work) -> Progress:
        withheld = [at for at, row in enumerate(work.rows) if not self._may_go(row.email)]
        if len(withheld) == len(work.rows):
            return Finished(withheld=withheld)
        return Done({"withheld": withheld})

    def recover(self, work: Work) -> Done | None:  # noqa: ARG002 - it is repeatable
        return None

    def _may_go(self, email: str) -> bool:
        if self.consent == "force":
            return True
        try:
            memberships = self.client.memberships(email)
        except NotFound:
            return True
        opted_out = any(
            boolean(row.get("IsUnsub", row.get("IsUnsubscribed")))
            for row in memberships
            if integer(row.get("ListID")) in self.lists
        )
        return may_remove(ACTIONS, unsubscribed=opted_out, consent=self.consent)


class _Submit(msgspec.Struct, frozen=True):
    """Starts the job. Not repeatable: a second call would start a second job."""

    client: MailjetClient
    list_id: int | None
    lists: Sequence[int]
    name: str = "submit"
    repeatable: bool = False
    watches: bool = False

    def run(self, work: Work) -> Progress:
        contacts = b",".join(row.contact for at, row in enumerate(work.rows) if at not in _withheld(work))
        head: dict[str, Any] = {"Action": work.action}
        if self.list_id is None:
            head = {"ContactsLists": [{"ListID": one, "Action": work.action} for one in self.lists]}
        body = msgspec.json.encode(head)[:-1] + b',"Contacts":[' + contacts + b"]}"
        try:
            return Done({"job": self.client.submit_contacts(body, list_id=self.list_id)})
        except RequestRefused as error:
            # A 400 for the whole call: nothing was done, and no row is named.
            return Finished(unresolved=True, reason=f"refused ({error.code or error.status})", withheld=_withheld(work))

    def recover(self, work: Work) -> Done | None:
        """Adopt the one job that fits list, action and time and is nobody else's.

        Which fields of `batchjob` a JSON bulk job fills is unverified: a job that shows nothing of the list is not
        adopted. Account-wide jobs show no list, so they never are.
        """
        if self.list_id is None:
            return None
        ours = {noted.get("job") for noted in work.known}
        rows = self.client.page("batchjob", {"RefID": self.list_id, "Sort": "ID DESC", "Limit": 100})
        found = [
            job
            for row in rows
            if integer(row.get("RefId")) == self.list_id
            and str(row.get("Method", "")).lower() == work.action
            and (job := integer(row.get("ID"))) not in ours
            and _is_near(row, work.begun_at)
        ]
        return Done({"job": found[0], "adopted": True}) if len(found) == 1 else None


def _is_near(row: Mapping[str, Any], begun_at: float) -> bool:
    requested = integer(row.get("RequestAt")) or integer(row.get("JobStart"))
    if not requested:
        return True  # an unset time fits: the job may be waiting
    return begun_at - _CLOCK_SKEW <= requested <= time.time() + _CLOCK_SKEW


class _Follow(msgspec.Struct, frozen=True):
    """Looks at the job until it has ended."""

    client: MailjetClient
    list_id: int | None
    target: MailjetTarget
    name: str = "follow"
    repeatable: bool = True
    watches: bool = True

    def run(self, work: Work) -> Progress:
        submitted = work.evidence["submit"]
        job_id = int(submitted["job"])
        try:
            job = self.client.job(job_id, list_id=self.list_id)
        except NotFound:
            if time.time() - work.begun_at < _JOB_APPEARS_WITHIN:
                return self._again(work)
            return Finished(
                job=str(job_id), unresolved=True, reason="the job is unknown to Mailjet", withheld=_withheld(work)
            )
        if not job.is_terminal:
            return self._again(work)
        sent = len(work.rows) - len(_withheld(work))
        if submitted.get("adopted") and job.count is not None and job.count not in {0, sent}:
            # It was somebody else's after all.
            rows = [at for at in range(len(work.rows)) if at not in _withheld(work)]
            return Finished(job=str(job_id), resend=rows, withheld=_withheld(work))
        if job.status == "completed" and not job.error and not job.error_file:
            return Finished(job=str(job_id), withheld=_withheld(work))
        return Done({"status": job.status, "error_file": job.error_file, "error": _code(job)})

    def recover(self, work: Work) -> Done | None:  # noqa: ARG002 - it is repeatable
        return None

    def _again(self, work: Work) -> Again:
        wait = min(self.target.poll_max_interval, self.target.poll_interval * 1.5 ** min(work.polls, 40))
        return Again(wait * random.uniform(0.8, 1.2))  # noqa: S311


class _ReadErrors(msgspec.Struct, frozen=True):
    """Reads the job's error file into row outcomes.

    The file's schema is not published, so any shape is understood that names addresses. Whether the good rows of a
    job in `Error` were imported is unverified: they are sent again, which changes nothing if they were.
    """

    client: MailjetClient
    name: str = "errors"
    repeatable: bool = True
    watches: bool = False

    def run(self, work: Work) -> Progress:
        job_id = int(work.evidence["submit"]["job"])
        ended = work.evidence["follow"]
        withheld = _withheld(work)
        refusals = self._refusals(work, job_id, str(ended.get("error_file", "")))
        reason = f"the job ended in {ended['status']} without naming rows ({ended.get('error')})"
        if not refusals:
            return Finished(job=str(job_id), unresolved=True, reason=reason, withheld=withheld)
        rest = [at for at in range(len(work.rows)) if at not in refusals and at not in withheld]
        return Finished(job=str(job_id), rejected=refusals, resend=rest, withheld=withheld)

    def recover(self, work: Work) -> Done | None:  # noqa: ARG002 - it is repeatable
        return None

    def _refusals(self, work: Work, job_id: int, error_file: str) -> dict[int, Refusal]:
        try:
            content = self.client.job_errors(job_id, error_file)
        except NotFound:
            return {}
        except MailingError as error:
            if error.status is not None and error.status < 500:
                return {}
            raise
        named = _named_addresses(content)
        return {
            at: Refusal("refused_by_provider", named[row.address])
            for at, row in enumerate(work.rows)
            if row.address in named
        }


_ADDRESS_IN_TEXT = re.compile(r"[^\s@\"'<>,;:()\[\]{}\\]+@[^\s@\"'<>,;:()\[\]{}\\]+")


def _named_addresses(content: bytes) -> dict[str, str]:
    """Address -> what is said of it, from an error file of any shape: JSON entries that hold an address, or lines."""
    try:
        entries = list(_entries(msgspec.json.decode(content)))
    except ValueError:
        entries = content.decode("utf-8", "replace").splitlines()
    found: dict[str, str] = {}
    for entry in entries:
        text = entry if isinstance(entry, str) else msgspec.json.encode(entry).decode()
        for address in _ADDRESS_IN_TEXT.findall(text):
            found.setdefault(fold_address(address), text[:500])
    return found


def _entries(value: Any) -> list[Any]:
    """The innermost objects, or texts, of a JSON value."""
    if isinstance(value, list):
        return [entry for one in value for entry in _entries(one)]
    if isinstance(value, dict):
        nested = [one for one in value.values() if isinstance(one, list)]
        return [entry for one in nested for entry in _entries(one)] if nested else [value]
    return [str(value)]


def _withheld(work: Work) -> list[int]:
    return list(work.evidence.get("consent", {}).get("withheld", ()))


def _code(job: Job) -> str:
    """A word for the job's error that holds no data: Mailjet's text may quote addresses."""
    match = re.search(r"\b[A-Z]{2}\d{2}\b", job.error)
    return match[0] if match else ("error given" if job.error else "no error given")
