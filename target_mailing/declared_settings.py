"""The target's settings that belong to no provider, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mailing_api.settings import ALLOW_HTTP, Setting, lookup

__all__ = ["BY_NAME", "TARGET_SETTINGS", "value_of"]

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
        '{"email": "email_address"}. Columns with canonical names need none. Null leaves a column of that name out.',
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
        description="How contacts travel.",  # the registry adds what each provider says
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
        description="Rows per bulk job at most",  # the registry adds the numbers
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
        name="create_journal",
        title="Create journal",
        description="Make the journal where there is none. `false`: the run ends with an error instead, before "
        "anything is sent. Set that once a first run has made the journal, if its volume may be missing in a later "
        "one.",
        type="boolean",
        default=True,
    ),
    Setting(
        name="journal_hash_key",
        title="Key of the journal's hashes",
        description="A secret without which nobody can tell from the journal whose addresses it has hashes of: at "
        "least 16 characters at random, such as those of `openssl rand -hex 32`. It must stay as it is for as long as "
        "the journal does. A journal that was made without it takes it on. Unset: the key lies in the journal.",
        secret=True,
        credential=True,
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
        description="Requests per second never exceeded; unset, each provider's own pace, as the README has it.",
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

BY_NAME: Final = {setting.name: setting for setting in TARGET_SETTINGS}


def value_of(name: str, config: Mapping[str, Any]) -> Any:
    """The value of the setting of that name, or its default."""
    return lookup(BY_NAME[name], config)
