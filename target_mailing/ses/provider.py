"""Amazon SES as a provider of the target, and its settings."""

from __future__ import annotations

from typing import Final

from mailing_api.aws.s3_encryption import encryption_settings
from mailing_api.ses.settings import SES_SETTINGS
from mailing_api.settings import Setting
from target_mailing.contact_streams import ContactStream
from target_mailing.provider import Provider

__all__ = ["CONTACT_STREAMS", "OWN_SETTINGS", "PROVIDER"]

OWN_SETTINGS: Final = (
    Setting(
        name="ses_target",
        title="Amazon SES target",
        description="`contact_list`: contacts go to the contact list named in `list`. `suppression_list`: addresses "
        "go to the account's suppression list, and nothing is sent to them any more.",
        default="contact_list",
        allowed=["contact_list", "suppression_list"],
    ),
    Setting(
        name="ses_s3_bucket",
        title="S3 bucket",
        description="The bucket for the objects of import jobs, in the region of `ses_regions`. Its policy must let "
        "ses.amazonaws.com read them. Unset: no import jobs, one contact after the other.",
    ),
    Setting(
        name="ses_s3_prefix",
        title="S3 prefix",
        description="What the keys of these objects begin with.",
        default="target-mailing/",
    ),
    Setting(
        name="ses_s3_endpoint_url",
        title="S3 endpoint",
        description="Where to reach Amazon S3. Unset: AWS's own endpoint, or what AWS's variables and profiles say.",
    ),
    *encryption_settings("ses_s3_", "S3"),
    Setting(
        name="ses_s3_keep_objects",
        title="Keep S3 objects",
        description="Leave objects in the bucket when their job has ended. They hold contact data.",
        type="boolean",
        default=False,
    ),
    Setting(
        name="ses_preserve_unsubscribes",
        title="Preserve unsubscribes",
        description="Read who unsubscribed at Amazon SES, and from which topics, and keep that. Without it contacts "
        "are replaced as a whole, opt-outs included; that needs `consent: force`, too.",
        type="boolean",
        default=True,
    ),
    Setting(
        name="ses_allow_unsuppress",
        title="Allow unsuppress",
        description="With `ses_target: suppression_list`, removals take addresses off the list. Otherwise they are "
        "withheld.",
        type="boolean",
        default=False,
    ),
)

PROVIDER: Final = Provider(
    name="ses",
    title="Amazon SES",
    settings=(*SES_SETTINGS, *OWN_SETTINGS),
    selected_by=SES_SETTINGS[:1],
    routes=("auto", "import", "direct"),
    about_routes="`auto` (the default), by import jobs where there is a bucket and many rows go; `import`, by import "
    "jobs from S3; `direct`, by calls for one contact after the other.",
    most_rows=1_000_000,
    connect="target_mailing.ses.account:connect",
)

#: Streams of contacts that the tap reads here.
CONTACT_STREAMS: Final = (
    ContactStream(name="ses_contacts", columns=("email",), contacts="people with e-mail addresses"),
)
