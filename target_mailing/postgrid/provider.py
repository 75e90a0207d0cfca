"""PostGrid as a provider of the target, and its settings."""

from __future__ import annotations

from typing import Final

from mailing_api.aws.s3_encryption import encryption_settings
from mailing_api.postgrid.settings import POSTGRID_SETTINGS
from mailing_api.settings import Setting
from target_mailing.interface.channel import BY_POST
from target_mailing.interface.contact_streams import ContactStream
from target_mailing.interface.provider import Provider

__all__ = [
    "ALLOW_DUPLICATES",
    "API_KEY",
    "CONTACT_STREAMS",
    "DELETE_OLD",
    "LINK_SETTINGS",
    "LIVE",
    "PROVIDER",
    "REPLACE",
]

LIVE: Final = next(setting for setting in POSTGRID_SETTINGS if setting.name == "postgrid_live")
API_KEY: Final = next(setting for setting in POSTGRID_SETTINGS if setting.name == "postgrid_api_key")

DELETE_OLD: Final = Setting(
    name="postgrid_delete_old_contacts",
    title="PostGrid: delete old contacts",
    description="Delete contacts from PostGrid when they leave the list because their row was deleted or changed, if "
    "PostGrid shows that they are on no other list.",
    type="boolean",
    default=False,
)

REPLACE: Final = Setting(
    name="postgrid_replace",
    title="PostGrid: replace the list",
    description="With `route: import`: the input is the complete list. When the run has succeeded and all of its rows "
    "are on the list, the contacts of earlier runs are removed; STATE is written after that.",
    type="boolean",
    default=False,
)

ALLOW_DUPLICATES: Final = Setting(
    name="postgrid_allow_duplicate_import",
    title="PostGrid: allow duplicate imports",
    description="With `route: import`: deliver even with `journal: off` or with another journal than the one that "
    "filled the list. Contacts may then be on the list twice and get two letters.",
    type="boolean",
    default=False,
)

LINK_SETTINGS: Final = (
    Setting(
        name="postgrid_s3_bucket",
        title="PostGrid: S3 bucket",
        description="With `route: import`: write files to this Amazon S3 bucket, with credentials from AWS's default "
        "chain, and give PostGrid links to them; each file is deleted when PostGrid has read it. Unset: files are "
        "uploaded to PostGrid.",
    ),
    Setting(
        name="postgrid_s3_region",
        title="PostGrid: S3 region",
        description="The AWS region of `postgrid_s3_bucket`, such as us-east-1.",
        env="AWS_REGION",
    ),
    Setting(
        name="postgrid_s3_prefix",
        title="PostGrid: S3 prefix",
        description="Start of the keys of these files.",
        default="target-mailing/",
    ),
    Setting(
        name="postgrid_s3_endpoint_url",
        title="PostGrid: S3 endpoint",
        description="Endpoint of Amazon S3 or a compatible service. Unset: the endpoint from AWS's environment "
        "variables and profiles, or AWS's default.",
    ),
    *encryption_settings("postgrid_s3_", "PostGrid: S3"),
)

PROVIDER: Final = Provider(
    name="postgrid",
    title="PostGrid",
    settings=(*POSTGRID_SETTINGS, DELETE_OLD, REPLACE, ALLOW_DUPLICATES, *LINK_SETTINGS),
    selected_by=(API_KEY,),
    routes=("contacts", "import"),
    about_routes="`contacts` (the default), one contact for each row; `import`, CSV files, whose contacts can only "
    "leave the list together. A PostGrid list keeps its route.",
    connect="target_mailing.postgrid.account:connect",
    channel=BY_POST,
    batches_at_once=1,
    erasing="DELETE /print-mail/v1/contacts/{id} for each ID; imports keep their files until they are deleted, "
    "too, as may the bucket of `postgrid_s3_bucket`. Letters that were sent stay.",
)

#: Streams of contacts that the tap reads here.
CONTACT_STREAMS: Final = (
    ContactStream(name="postgrid_contacts", columns=("address_line1",), contacts="households with postal addresses"),
)
