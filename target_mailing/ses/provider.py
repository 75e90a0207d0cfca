"""Amazon SES as a provider of the target, and its settings."""

from __future__ import annotations

from typing import Final

from mailing_api.aws.s3_encryption import encryption_settings
from mailing_api.ses.settings import SES_SETTINGS
from mailing_api.settings import Setting
from target_mailing.interface.contact_streams import ContactStream
from target_mailing.interface.provider import Provider

__all__ = ["CONTACT_STREAMS", "OWN_SETTINGS", "PROVIDER"]

OWN_SETTINGS: Final = (
    Setting(
        name="ses_target",
        title="Amazon SES target",
        description="`contact_list`: deliver contacts to the contact list named in `list`. `suppression_list`: add "
        "addresses to the account's suppression list, so that Amazon SES sends them no mail.",
        default="contact_list",
        allowed=["contact_list", "suppression_list"],
    ),
    Setting(
        name="ses_s3_bucket",
        title="S3 bucket",
        description="The bucket for the objects of import jobs, in the region of `ses_regions`. Its policy must allow "
        "ses.amazonaws.com to read them. Unset: no import jobs; contacts are delivered one by one.",
    ),
    Setting(
        name="ses_s3_prefix",
        title="S3 prefix",
        description="The beginning of the objects' keys in `ses_s3_bucket`.",
        default="target-mailing/",
    ),
    Setting(
        name="ses_s3_endpoint_url",
        title="S3 endpoint",
        description="URL of Amazon S3. Unset: AWS's endpoint, or that of AWS's environment variables and profiles.",
    ),
    *encryption_settings("ses_s3_", "S3"),
    Setting(
        name="ses_s3_keep_objects",
        title="Keep S3 objects",
        description="Keep objects in the bucket after their job has ended. They hold contact data.",
        type="boolean",
        default=False,
    ),
    Setting(
        name="ses_preserve_unsubscribes",
        title="Preserve unsubscribes",
        description="Read opt-outs at Amazon SES, from everything and from topics, and keep them. If false, contacts "
        "are replaced as a whole, opt-outs included; that also needs `consent: force`.",
        type="boolean",
        default=True,
    ),
    Setting(
        name="ses_allow_unsuppress",
        title="Allow unsuppress",
        description="With `ses_target: suppression_list`, removals remove addresses from the suppression list. "
        "If false, they are withheld.",
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
    about_routes="`auto` (the default), by import jobs if `ses_s3_bucket` is set and there are many rows; `import`, by "
    "import jobs from S3; `direct`, by calls for one contact at a time.",
    most_rows=1_000_000,
    # Before each import the list is read, at a call for 1,000 contacts, however few rows the import has.
    defaults={route: {"batch_rows": 100_000, "batch_bytes": 100_000_000} for route in ("auto", "import")},
    connect="target_mailing.ses.account:connect",
    jobs_in_flight=19,
    erasing="DeleteContact for each list, and DeleteSuppressedDestination; each forgets an opt-out. Then the objects "
    "of import jobs in the bucket of `ses_s3_bucket`, and their versions.",
)

#: Streams of contacts that the tap reads here.
CONTACT_STREAMS: Final = (
    ContactStream(name="ses_contacts", columns=("email",), contacts="people with e-mail addresses"),
)
