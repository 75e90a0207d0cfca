"""The target's settings: declared, read, and resolved for each stream."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from mailing_api.errors import ConfigurationError
from mailing_api.folders import NoHomeError, expanded, state_folder
from mailing_api.postgresql import is_database
from mailing_api.settings import ALLOW_HTTP, Setting, duration, filled, lookup
from mailing_api.suggestions import did_you_mean
from target_mailing.reject_limit import RejectLimit
from target_mailing.stores import FileStore, MemoryStore, PostgresStore, Store

__all__ = [
    "NO_JOURNAL",
    "TARGET_SETTINGS",
    "StreamSettings",
    "check_entries",
    "default_folder",
    "is_entry_of",
    "journal_store",
    "place_of",
    "reject_limit",
]

#: Value of `journal` for none.
NO_JOURNAL: Final = "off"

#: Those that belong to no provider.
TARGET_SETTINGS: Final = (
    Setting(
        name="list",
        title="List",
        description="The list to deliver to: its ID, name or address. With `scope: account` it may be an array of any "
        "number of lists, or unset; with `route: contact` it may be unset, too.",
        type=["string", "integer", "array"],
        form="an ID, a name or an address, or an array of these",
    ),
    Setting(
        name="scope",
        title="Scope",
        description="`list`: contacts go to the one list. `account`: they go to the account, and to all lists named.",
        default="list",
        allowed=["list", "account"],
    ),
    Setting(
        name="create_list",
        title="Create list",
        description="Make the list if no list has that name.",
        type="boolean",
        default=False,
    ),
    Setting(
        name="action",
        title="Action",
        description="What is done with each contact: `addnoforce` adds and updates but never re-subscribes; `addforce` "
        "also re-subscribes, only with `consent: force`; `remove` takes off the list; `unsub` records an opt-out; "
        "`excludemarketing` excludes from all campaigns of the account; `includemarketing` undoes that, only with "
        "`consent: force`.",
        default="addnoforce",
        allowed=["addnoforce", "addforce", "remove", "unsub", "excludemarketing", "includemarketing"],
    ),
    Setting(
        name="action_column",
        title="Action column",
        description="A column that holds the row's own action; where it is null, `action` applies.",
    ),
    Setting(
        name="mapping",
        title="Mapping",
        description="Canonical column or property -> the stream's column that holds it, such as "
        '{"email": "email_address"}. Columns with canonical names need none.',
        type="object",
        default={},
        form='an object of column names, such as {"email": "email_address"}',
    ),
    Setting(
        name="properties",
        title="Properties",
        description="Other columns that go to contact properties of the same name: an array of columns, or `all`.",
        type=["array", "string"],
        form="an array of column names, or `all`",
    ),
    Setting(
        name="create_properties",
        title="Create properties",
        description="Define properties that are listed and do not exist, typed by the stream's schema.",
        type="boolean",
        default=False,
    ),
    Setting(
        name="nulls",
        title="Nulls",
        description="`skip`: a null leaves the property as it is. `clear`: it clears the property.",
        default="skip",
        allowed=["skip", "clear"],
    ),
    Setting(
        name="validate_records",
        title="Validate records",
        description="Reject rows whose values do not fit the tap's own SCHEMA. Only columns that are used are looked "
        "at: those that are sent, mapped or in the key. `false`: values need only fit what the destination takes.",
        type="boolean",
        default=True,
    ),
    Setting(
        name="consent",
        title="Consent",
        description="`respect`: opt-outs at the provider are never undone. `force`: `action: addforce` re-subscribes, "
        "`includemarketing` lifts exclusions. A row's own `subscription_status` is obeyed in either case, and no "
        "removal erases an opt-out.",
        default="respect",
        allowed=["respect", "force"],
    ),
    Setting(
        name="route",
        title="Route",
        description="How contacts travel. Mailjet: `json` (the default), by JSON bulk jobs; `csv`, in CSV files "
        "wherever one can hold the row; `auto`, in CSV files where one can hold many rows, so that Mailjet ends up "
        "with the same; `contact`, by calls for one contact after the other, for small loads: rows may then name "
        "their own lists in a column `lists`. Amazon SES: `import`, by import jobs from S3; `direct`, by calls for one "
        "contact after the other; `auto` (the default), by import jobs where there is a bucket and many rows go. "
        "PostGrid: `contacts` (the default), a contact for each row; `import`, in CSV files, which leave the list only "
        "as a whole. A list of PostGrid's stays with its route.",
        allowed=["json", "csv", "auto", "contact", "contacts", "import", "direct"],
    ),
    Setting(
        name="send",
        title="Send",
        description="`changed`: rows confirmed with the same content within `resend_window` are not sent again. `all`: "
        "every row is sent.",
        default="changed",
        allowed=["changed", "all"],
    ),
    Setting(
        name="resend_window",
        title="Resend window",
        description="How long a confirmed row counts as known: seconds, or ISO 8601 such as P7D, which is the default.",
        type=["number", "string"],
        default=604_800,
    ),
    Setting(
        name="batch_rows",
        title="Batch rows",
        description="Rows per bulk job at most; Mailjet takes 10000, Amazon SES a million.",
        type="integer",
        default=5000,
    ),
    Setting(
        name="batch_bytes",
        title="Batch bytes",
        description="Bytes of contacts per bulk job at most.",
        type="integer",
        default=4_000_000,
    ),
    Setting(
        name="batch_max_age",
        title="Batch age",
        description="A batch goes when it is this old although it is not full, also while no input comes: seconds, or "
        "ISO 8601.",
        type=["number", "string"],
        default=60,
    ),
    Setting(
        name="jobs_in_flight",
        title="Jobs in flight",
        description="Bulk jobs under way at the same time.",
        type="integer",
        default=4,
    ),
    Setting(
        name="job_timeout",
        title="Job timeout",
        description="The run fails when a job takes longer; the next run follows it again. Seconds, or ISO such as "
        "PT6H, which is the default.",
        type=["number", "string"],
        default=21_600,
    ),
    Setting(
        name="job_abandon",
        title="Job abandon",
        description="A job that takes longer is given up and its rows are `unconfirmed`. Seconds, or ISO 8601 such as "
        "PT48H, which is the default. Less than `job_timeout` makes that one meaningless.",
        type=["number", "string"],
        default=172_800,
    ),
    Setting(
        name="poll_interval",
        title="Poll interval",
        description="Seconds before the first look at a job; grows by half each time.",
        type=["number", "string"],
        default=2,
    ),
    Setting(
        name="poll_max_interval",
        title="Longest poll interval",
        description="Seconds between looks at a job at most.",
        type=["number", "string"],
        default=30,
    ),
    Setting(
        name="max_rejected",
        title="Max rejected",
        description="Rejects beyond which nothing more is sent, no STATE leaves and the run fails: a number of rows, "
        "or a share of the rows read, such as `10%`. A share is judged from 1000 rows on and at the end, and counts "
        "from 10 rejects on (`0%`: from the first).",
        type=["integer", "string"],
        default="10%",
    ),
    Setting(
        name="max_line_bytes",
        title="Longest line",
        description="Bytes of a line of the input at most; a longer one is an error.",
        type="integer",
        default=67_108_864,
    ),
    Setting(
        name="rejects_path",
        title="Rejects path",
        description="Folder for the rejects files; by default `rejects` beside the journal.",
    ),
    Setting(
        name="rejects_keep",
        title="Rejects kept",
        description="How long rejects files are kept: seconds, or ISO 8601 such as P30D. Older ones in the folder are "
        "deleted when a run starts. Unset: they are never deleted.",
        type=["number", "string"],
    ),
    Setting(
        name="journal",
        title="Journal",
        description="Where the target remembers what is under way and what was confirmed: a file, or a postgresql:// "
        "URL for workers that share no disk. By default a file per account and list in "
        "$MELTANO_PROJECT_ROOT/.meltano/target-mailing, else in the XDG state folder. `off` keeps it in memory: "
        "delivery is then at-least-once, and an interrupted job is not followed again.",
        secret=True,  # a URL may hold a password
    ),
    Setting(
        name="on_unknown_stream",
        title="On unknown stream",
        description="What to do with a stream that is not one of contacts and not named in `streams`.",
        default="fail",
        allowed=["fail", "skip"],
    ),
    Setting(
        name="on_key_change",
        title="On key change",
        description="When a row's address changes under the same key, `remove` takes the old address off the list.",
        default="remove",
        allowed=["remove", "keep"],
    ),
    Setting(
        name="streams",
        title="Streams",
        description="Stream name or pattern -> settings that differ for it, such as "
        '{"crm-*": {"mapping": {"email": "mail"}}}. Naming a stream also accepts it. The run fails at its end if an '
        "entry with `action`, `action_column`, `consent`, `list` or `scope` fitted no stream and some stream had none.",
        type="object",
        default={},
    ),
    Setting(
        name="max_requests_per_second",
        title="Requests per second",
        description="Requests per second never exceeded; by default only the provider's own refusals slow down.",
        type="number",
    ),
    Setting(
        name="request_timeout",
        title="Request timeout",
        description="Seconds to wait for a connection, and for a whole answer; a large one has longer, as long as it "
        "keeps coming.",
        type=["number", "string"],
        default=60,
    ),
    ALLOW_HTTP,
)

_BY_NAME: Final = {setting.name: setting for setting in TARGET_SETTINGS}
_DURATIONS: Final = frozenset(
    {"resend_window", "batch_max_age", "job_timeout", "job_abandon", "poll_interval", "poll_max_interval"}
)


#: Seconds between two looks at a job at least.
_LEAST_POLL: Final = 0.01


class StreamSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that may differ between streams, resolved for one; durations in seconds."""

    list: str | int | Sequence[str | int] | None
    scope: Literal["list", "account"]
    create_list: bool
    action: str
    action_column: str | None
    mapping: dict[str, str]
    properties: Sequence[str] | str | None
    create_properties: bool
    nulls: Literal["skip", "clear"]
    validate_records: bool
    consent: Literal["respect", "force"]
    route: str | None
    send: Literal["changed", "all"]
    resend_window: float
    batch_rows: int
    batch_bytes: int
    batch_max_age: float
    job_timeout: float
    job_abandon: float
    poll_interval: float
    poll_max_interval: float
    on_unknown_stream: Literal["fail", "skip"]
    on_key_change: Literal["remove", "keep"]
    named: bool

    @classmethod
    def resolve(cls, config: Mapping[str, Any], stream: str | None) -> StreamSettings:
        """The settings for a stream: its exact name's overrides win over those of patterns that match.

        Raises:
            ConfigurationError: a value is of the wrong type or out of bounds, or cannot differ between streams.
        """
        names = [name for name in cls.__struct_fields__ if name != "named"]
        values = {name: lookup(_BY_NAME[name], config) for name in names}
        overrides = _overrides(config, stream) if stream is not None else []
        for pattern, given in overrides:
            if not isinstance(given, Mapping):
                raise ConfigurationError(f"Setting `streams.{pattern}` must be an object of settings for the stream.")
            if wrong := sorted(set(given) - set(names)):
                _refuse_split_name(pattern, given, names)
                raise ConfigurationError(
                    f"Setting `streams.{pattern}`: {', '.join(wrong)} cannot be set for a stream."
                    f"{did_you_mean(wrong, names)} These can: {', '.join(names)}."
                )
            values |= filled(given)
        for name in _DURATIONS:
            values[name] = duration(name, values[name])
        for name, value in values.items():
            values[name] = _convert(name, value)
        found = cls(**values, named=bool(overrides))
        for name in ("poll_interval", "poll_max_interval"):
            if values[name] < _LEAST_POLL:
                raise ConfigurationError(
                    f"Setting `{name}` is {values[name]:g} seconds, which would flood the provider; it must be "
                    f"{_LEAST_POLL} or more."
                )
        if found.batch_rows < 1:
            raise ConfigurationError(f"Setting `batch_rows` is {found.batch_rows}; it must be 1 or more.")
        if found.batch_bytes < 1:
            raise ConfigurationError(f"Setting `batch_bytes` is {found.batch_bytes}; it must be positive.")
        return found

    @property
    def lists(self) -> Sequence[str]:
        """The lists named, as text."""
        if self.list is None:
            return []
        if isinstance(self.list, (str, int)):
            return [str(self.list)]
        return [str(one) for one in self.list]


_TYPES: Final = msgspec.structs.fields(StreamSettings)


def _convert(name: str, value: Any) -> Any:
    annotation = next(field.type for field in _TYPES if field.name == name)
    try:
        return msgspec.convert(value, annotation)
    except msgspec.ValidationError:
        shown = msgspec.json.encode(value).decode()
        raise ConfigurationError(f"Setting `{name}` is {shown}; it must be {_BY_NAME[name].expected}.") from None


def _overrides(config: Mapping[str, Any], stream: str) -> list[tuple[str, dict[str, Any]]]:
    streams = config.get("streams") or {}
    matching = [(pattern, given or {}) for pattern, given in streams.items() if is_entry_of(pattern, stream)]
    return sorted(matching, key=lambda one: one[0] == stream)


def _refuse_split_name(pattern: str, given: Mapping[str, Any], known: Sequence[str]) -> None:
    """Raise ConfigurationError for an entry that is the first part of a name with dots, at which Meltano splits."""
    rest = next((name for name, one in given.items() if name not in known and isinstance(one, Mapping)), None)
    if rest is None:
        return
    parts, inner = [pattern, rest], given[rest]
    while len(inner) == 1 and isinstance(one := inner[name := next(iter(inner))], Mapping) and name not in known:
        parts.append(name)
        inner = one
    raise ConfigurationError(
        f"Setting `streams.{pattern}` has no setting `{rest}`. Meltano splits names at dots: for the stream "
        f"'{'.'.join(parts)}' write `{'?'.join(parts)}`, whose question marks stand for the dots."
    )


def check_entries(config: Mapping[str, Any]) -> None:
    """See that the settings are right, those of each entry of `streams` included.

    Raises:
        ConfigurationError: they are not.
    """
    StreamSettings.resolve(config, None)
    for pattern in config.get("streams") or {}:
        StreamSettings.resolve(config, pattern)


def is_entry_of(pattern: str, stream: str) -> bool:
    """Whether an entry of `streams` holds for a stream."""
    return pattern == stream or fnmatchcase(stream, pattern)


def reject_limit(value: Any) -> RejectLimit:
    """The limit of `max_rejected`.

    Raises:
        ConfigurationError: neither a number of rows nor a share.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return RejectLimit(count=value)
    if isinstance(value, str):
        if match := re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", value):
            return RejectLimit(share=float(match[1]) / 100.0)
        if value.strip().isdecimal():
            return RejectLimit(count=int(value))
    raise ConfigurationError(f"Setting `max_rejected` is {value!r}; give a number of rows, or a share such as 10%.")


def default_folder(name: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Where journals and rejects are kept unless a setting says otherwise.

    Raises:
        ConfigurationError: there is no such place; `name` is the setting to choose one by.
    """
    if root := environ.get("MELTANO_PROJECT_ROOT"):
        return Path(root) / ".meltano" / "target-mailing"
    try:
        return state_folder("target-mailing", environ)
    except NoHomeError:
        raise ConfigurationError(f"Setting `{name}` is not set, and {_NO_HOME}, or set `{name}`.") from None


def place_of(name: str, value: str) -> Path:
    """The path that a setting names.

    Raises:
        ConfigurationError: no file can have this name, or its `~` stands for nothing.
    """
    try:
        return expanded(value)
    except NoHomeError:
        raise ConfigurationError(
            f"Setting `{name}` begins with `~`, but {_NO_HOME}, or give an absolute path."
        ) from None
    except ValueError as exc:
        raise ConfigurationError(f"Setting `{name}` is no path: {exc}.") from None


_NO_HOME: Final = (
    "there is no home folder: HOME is no absolute path, and this user has no entry in the password file. Set HOME"
)


def journal_store(config: Mapping[str, Any], account: str, environ: Mapping[str, str] = os.environ) -> Store:
    """Where the journal is kept.

    The default's name tells account and list, so that pipelines to different lists can run side by side; so does a
    schema's in PostgreSQL.

    Raises:
        ConfigurationError: it is a path that cannot be used.
        JournalError: it is a URL that cannot be used.
    """
    journal = lookup(_BY_NAME["journal"], config)
    if journal == NO_JOURNAL:
        return MemoryStore()
    where = f"{account}-{config.get('scope') or 'list'}-{config.get('list')}"
    if journal is None:
        slug = re.sub(r"[^A-Za-z0-9]+", "-", where).strip("-")[:60]
        digest = hashlib.blake2b(where.encode(), digest_size=4).hexdigest()
        return FileStore(default_folder("journal", environ) / f"{slug}-{digest}.sqlite")
    if is_database(journal):
        return PostgresStore(journal, where)
    return FileStore(place_of("journal", journal))
