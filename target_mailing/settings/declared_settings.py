"""The target's settings that belong to no provider, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mailing_api.rate_budget import RATE_BUDGET
from mailing_api.settings import ALLOW_HTTP, PROGRESS, Setting, lookup
from target_mailing.settings.mode_settings import MODE_SETTINGS

__all__ = ["BATCH_DEFAULTS", "BY_NAME", "NO_JOURNAL", "TARGET_SETTINGS", "value_of"]

#: The settings that belong to no provider.
TARGET_SETTINGS: Final = (
    *MODE_SETTINGS,
    Setting(
        name="list",
        title="List",
        description="The list to deliver to: its ID, name or address. With `scope: account` it may be an array of "
        "lists, or unset; with `route: contact` it may be unset, too.",
        type=["string", "integer", "array"],
        form="an ID, a name or an address, or an array of these",
    ),
    Setting(
        name="scope",
        title="Scope",
        description="`list`: deliver contacts to one list. `account`: deliver them to the account, and to every list "
        "in `list`.",
        default="list",
        allowed=["list", "account"],
    ),
    Setting(
        name="create_list",
        title="Create list",
        description="Create the list if no list has that name.",
        type="boolean",
        default=False,
    ),
    Setting(
        name="action",
        title="Action",
        description="What to do with each contact: `addnoforce` adds and updates but does not re-subscribe; `addforce` "
        "also re-subscribes, only with `consent: force`; `remove` removes from the list; `unsub` records an opt-out; "
        "`excludemarketing` excludes from all campaigns of the account; `includemarketing` undoes that, only with "
        "`consent: force`.",
        default="addnoforce",
        allowed=["addnoforce", "addforce", "remove", "unsub", "excludemarketing", "includemarketing"],
    ),
    Setting(
        name="action_column",
        title="Action column",
        description="The column that holds a row's own action. Where it is null, `action` applies.",
    ),
    Setting(
        name="mapping",
        title="Mapping",
        description="Canonical column or property -> the stream's column that holds it, such as "
        '{"email": "email_address"}. Columns with canonical names need no entry. With null the column is not read.',
        type="object",
        default={},
        form='an object of column names, such as {"email": "email_address"}',
    ),
    Setting(
        name="properties",
        title="Properties",
        description="Other columns to send as contact properties of the same name: an array of columns, or `all`.",
        type=["array", "string"],
        form="an array of column names, or `all`",
    ),
    Setting(
        name="create_properties",
        title="Create properties",
        description="Define listed properties that do not exist at the provider, with types from the stream's SCHEMA.",
        type="boolean",
        default=False,
    ),
    Setting(
        name="nulls",
        title="Nulls",
        description="`skip`: a null leaves the property unchanged. `clear`: a null clears the property.",
        default="skip",
        allowed=["skip", "clear"],
    ),
    Setting(
        name="validate_records",
        title="Validate records",
        description="Reject rows whose values do not fit the tap's SCHEMA. Only columns that are sent, mapped or in "
        "the key are checked. `false`: values need only fit the destination's fields.",
        type="boolean",
        default=True,
    ),
    Setting(
        name="consent",
        title="Consent",
        description="`respect`: no opt-out at the provider is undone. `force`: `action: addforce` re-subscribes, and "
        "`includemarketing` lifts exclusions. In either case a row's own `subscription_status` is obeyed, and no "
        "removal erases an opt-out.",
        default="respect",
        allowed=["respect", "force"],
    ),
    Setting(
        name="route",
        title="Route",
        description="How contacts are sent.",  # the registry adds what each provider says
    ),
    Setting(
        name="send",
        title="Send",
        description="`changed`: do not send a row again if the same content was confirmed within `resend_window`. "
        "`all`: send every row.",
        default="changed",
        allowed=["changed", "all"],
    ),
    Setting(
        name="resend_window",
        title="Resend window",
        description="How long a confirmed row is not sent again: seconds, or ISO 8601 such as P7D, the default.",
        type=["number", "string"],
        default=604_800,
    ),
    Setting(
        name="batch_rows",
        title="Batch rows",
        description="Maximum rows per bulk job",  # the registry adds the numbers
        type="integer",
    ),
    Setting(
        name="batch_bytes",
        title="Batch bytes",
        description="Maximum bytes of contacts per bulk job.",  # likewise
        type="integer",
    ),
    Setting(
        name="batch_max_age",
        title="Batch age",
        description="Maximum age of a batch: it is then sent although it is not full, even while the input is silent. "
        "Seconds, or ISO 8601.",
        type=["number", "string"],
        default=60,
    ),
    Setting(
        name="jobs_in_flight",
        title="Jobs in flight",
        description="Maximum number of bulk jobs under way at the same time",  # the registry adds the numbers
        type="integer",
    ),
    Setting(
        name="job_timeout",
        title="Job timeout",
        description="The run fails when a job makes no progress for longer; the next run resumes waiting for it. "
        "Seconds, or ISO 8601 such as PT6H, the default.",
        type=["number", "string"],
        default=21_600,
    ),
    Setting(
        name="job_abandon",
        title="Job abandon",
        description="A job that makes no progress for longer is abandoned. In the run that submitted it, its rows are "
        "rejected as `unconfirmed` unless the provider has them; in a later run they are sent again. Seconds, or "
        "ISO 8601 such as PT48H, the default. A value below `job_timeout` makes `job_timeout` useless.",
        type=["number", "string"],
        default=172_800,
    ),
    Setting(
        name="poll_interval",
        title="Poll interval",
        description="Minimum seconds before a job is polled for the first time, and between two polls of it. The "
        "polls of a run follow from how long its jobs take.",
        type=["number", "string"],
        default=0.2,
    ),
    Setting(
        name="poll_max_interval",
        title="Longest poll interval",
        description="Maximum seconds between two polls of a job.",
        type=["number", "string"],
        default=30,
    ),
    Setting(
        name="max_rejected",
        title="Max rejected",
        description="Maximum number of rejected rows, or their share of the rows read, such as `10%`. Beyond it "
        "nothing more is sent, no STATE is written and the run fails. A share is checked after 1000 rows and at the "
        "end, and needs at least 10 rejects (`0%`: one).",
        type=["integer", "string"],
        default="10%",
    ),
    Setting(
        name="max_removals",
        title="Max removals",
        description="Maximum number of contacts that runs within 24 hours take off a destination, or their share of "
        "the contacts in the journal, such as `10%` (at least 20); moved keys are counted apart. Removals wait for the "
        "end of the input. Beyond the limit none is made, all other rows are delivered, no STATE passes them and the "
        "run fails. `100%`: no limit, and nothing waits.",
        type=["integer", "string"],
        default="10%",
    ),
    Setting(
        name="allow_removals_once",
        title="Allow removals once",
        description="Allow one run to exceed `max_removals`: the number of contacts that its error names. Any other "
        "number allows nothing. Unset it after that run.",
        type="integer",
    ),
    Setting(
        name="max_line_bytes",
        title="Longest line",
        description="Maximum bytes of a line of the input; a longer line is an error.",
        type="integer",
        default=67_108_864,
    ),
    Setting(
        name="rejects_path",
        title="Rejects path",
        description="Folder of the rejects files; by default `rejects` beside the journal.",
    ),
    Setting(
        name="rejects_keep",
        title="Rejects kept",
        description="How long rejects are kept: seconds, or ISO 8601 such as P30D. Older files in the folder, and "
        "older open rejects in the journal, are deleted when a run starts. Unset: no file is deleted, and open rejects "
        "after 90 days.",
        type=["number", "string"],
    ),
    Setting(
        name="history_path",
        title="History path",
        description="Folder of the history files, in which each run writes the outcome of every row, as Singer streams "
        "for any loader; `off` for none. By default `history` beside the rejects.",
    ),
    Setting(
        name="history_contacts",
        title="Contacts in the history",
        description="How keys that are addresses, names or telephone numbers appear in the history: `hashed` with the "
        "journal's secret, or `plain`.",
        default="hashed",
        allowed=["hashed", "plain"],
    ),
    Setting(
        name="history_keep",
        title="History kept",
        description="How long history files are kept: seconds, or ISO 8601 such as P30D. Older files in the folder are "
        "deleted when a run starts. The journal remembers its runs as long.",
        type=["number", "string"],
        default="P30D",
    ),
    Setting(
        name="journal",
        title="Journal",
        description="Where the target remembers unfinished jobs and confirmed rows: a file, or a postgresql:// URL for "
        "workers that share no disk. By default a file per account and list in "
        "$MELTANO_PROJECT_ROOT/.meltano/target-mailing, else in the XDG state folder. `off` keeps it in memory: "
        "delivery is then at-least-once, and the next run does not resume an interrupted job.",
        secret=True,  # a URL may hold a password
    ),
    Setting(
        name="create_journal",
        title="Create journal",
        description="Create the journal if it does not exist. `false`: the run then fails before anything is sent. Set "
        "`false` after the first run, if the journal's volume could be missing in a later one.",
        type="boolean",
        default=True,
    ),
    Setting(
        name="journal_hash_key",
        title="Key of the journal's hashes",
        description="A secret that protects the hashed addresses in the journal: without it they cannot be matched "
        "with addresses. At least 16 random characters, such as those of `openssl rand -hex 32`. Do not change it as "
        "long as the journal is used. A journal without one adopts it. Unset: the key is stored in the journal.",
        secret=True,
        credential=True,
    ),
    Setting(
        name="on_unknown_stream",
        title="On unknown stream",
        description="What to do with a stream that has no contacts and no entry in `streams`: `fail` or `skip`.",
        default="fail",
        allowed=["fail", "skip"],
    ),
    Setting(
        name="on_key_change",
        title="On key change",
        description="When the address of a key changes: `remove` removes the old address from the list, `keep` keeps "
        "it.",
        default="remove",
        allowed=["remove", "keep"],
    ),
    Setting(
        name="sync",
        title="Sync",
        description="`upsert`: add and update the contacts of the stream. `mirror`: also take off the list whom the "
        "stream put there and no longer names, if its input is proven to be whole: see `whole_count` and `whole`.",
        default="upsert",
        allowed=["upsert", "mirror"],
    ),
    Setting(
        name="mirror_scope",
        title="Mirror scope",
        description="Whom `sync: mirror` takes off: `stream`, only whom the stream put on the list; `list`, everybody "
        "on the list whom the input does not name, but for those whom another stream put there.",
        default="stream",
        allowed=["stream", "list"],
    ),
    Setting(
        name="mirror_action",
        title="Mirror action",
        description="What `sync: mirror` does with an absent contact: `remove` it from the list, or `unsubscribe` it.",
        default="remove",
        allowed=["remove", "unsubscribe"],
    ),
    Setting(
        name="whole_count",
        title="Column of the whole count",
        description="With `sync: mirror`: a column in which each row has the number of all rows, such as "
        "`count(*) over ()` of a view. The input is whole if just as many rows came.",
    ),
    Setting(
        name="whole",
        title="Whole",
        description="With `sync: mirror`: the input is always whole, by your word. Only who is absent in two such runs "
        "in a row is taken off.",
        type="boolean",
        default=False,
    ),
    Setting(
        name="streams",
        title="Streams",
        description="Stream name or pattern -> settings that differ for it, such as "
        '{"crm-*": {"mapping": {"email": "mail"}}}. An entry also accepts the stream as one of contacts. The run '
        "fails at its end if an entry with `action`, `action_column`, `consent`, `list` or `scope` matched no stream, "
        "and some stream matched no entry.",
        type="object",
        default={},
    ),
    Setting(
        name="max_requests_per_second",
        title="Requests per second",
        description="Upper limit of requests per second. Unset: the limit that is known for the provider, if any. In "
        "either case requests slow down after HTTP 429 (too many requests).",
        type="number",
    ),
    Setting(
        name="request_timeout",
        title="Request timeout",
        description="Seconds to wait for a connection, and for a complete response; a large response may take longer "
        "while data keeps arriving.",
        type=["number", "string"],
        default=60,
    ),
    RATE_BUDGET,
    ALLOW_HTTP,
    PROGRESS,
)

BY_NAME: Final = {setting.name: setting for setting in TARGET_SETTINGS}

#: The value of `journal` that keeps it in memory.
NO_JOURNAL: Final = "off"

#: Defaults where a provider declares no other for its route; none is declared with the setting, so that it stays unset.
BATCH_DEFAULTS: Final = {"batch_rows": 5000, "batch_bytes": 4_000_000}


def value_of(name: str, config: Mapping[str, Any]) -> Any:
    """The value of the setting of that name, or its default."""
    return lookup(BY_NAME[name], config)
