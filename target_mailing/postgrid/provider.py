"""PostGrid as a provider of the target, and its settings."""

from __future__ import annotations

from typing import Final

from mailing_api.aws.s3_encryption import encryption_settings
from mailing_api.postgrid.settings import POSTGRID_SETTINGS
from mailing_api.settings import Setting
from target_mailing.channel import BY_POST
from target_mailing.contact_streams import ContactStream
from target_mailing.provider import Provider

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

LIVE: Final = next(one for one in POSTGRID_SETTINGS if one.name == "postgrid_live")
API_KEY: Final = next(one for one in POSTGRID_SETTINGS if one.name == "postgrid_api_key")

DELETE_OLD: Final = Setting(
    name="postgrid_delete_old_contacts",
    title="PostGrid: delete old contacts",
    description="Contacts that are taken off the list, because their row was deleted or changed, are deleted at "
    "PostGrid, if it says that they are on no other list.",
    type="boolean",
    default=False,
)


REPLACE: Final = Setting(
    name="postgrid_replace",
    title="PostGrid: replace",
    description="With `route: import`: the input is all that is to be on the list. What earlier runs delivered is "
    "taken off it when all rows of this one are on it and the run has ended well; only then STATE leaves.",
    type="boolean",
    default=False,
)

ALLOW_DUPLICATES: Final = Setting(
    name="postgrid_allow_duplicate_import",
    title="PostGrid: allow duplicate imports",
    description="With `route: import`: deliver also with `journal: off`, or with another journal than the one that "
    "filled the list, although people who are on it may then be on it twice and get two letters.",
    type="boolean",
    default=False,
)

LINK_SETTINGS: Final = (
    Setting(
        name="postgrid_s3_bucket",
        title="PostGrid: S3 bucket",
        description="With `route: import`: files are put into this bucket of Amazon S3, by the credentials that AWS's "
        "own chain finds; PostGrid is told a link to each, and the file is deleted when PostGrid has read it. Unset: "
        "files are uploaded to PostGrid.",
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
        description="What the keys of these files begin with.",
        default="target-mailing/",
    ),
    Setting(
        name="postgrid_s3_endpoint_url",
        title="PostGrid: S3 endpoint",
        description="Where to reach Amazon S3, or a service like it. Unset: AWS's own endpoint, or what AWS's "
        "variables and profiles say.",
    ),
    *encryption_settings("postgrid_s3_", "PostGrid: S3"),
)

PROVIDER: Final = Provider(
    name="postgrid",
    title="PostGrid",
    settings=(*POSTGRID_SETTINGS, DELETE_OLD, REPLACE, ALLOW_DUPLICATES, *LINK_SETTINGS),
    selected_by=(API_KEY,),
    routes=("contacts", "import"),
    about_routes="`contacts` (the default), a contact for each row; `import`, in CSV files, which leave the list only "
    "as a whole. A list of PostGrid's stays with its route.",
    connect="target_mailing.postgrid.account:connect",
    channel=BY_POST,
    batches_at_once=1,
)

#: Streams of contacts that the tap reads here.
CONTACT_STREAMS: Final = (
    ContactStream(name="postgrid_contacts", columns=("address_line1",), contacts="households with postal addresses"),
)
