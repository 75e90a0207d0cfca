"""Undocumented behaviour of Amazon SES, as switches: each default is the likeliest, or the one that finds mistakes."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Seconds = Annotated[float, Meta(ge=0)]
Number = Annotated[int, Meta(ge=0)]
Count = Annotated[int, Meta(ge=1)]


class Switches(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Behaviours that nobody outside AWS could verify, and limits. `docs/sandbox.md` describes each."""

    # requests and answers
    ses_regions: str = "all"
    ses_clock_skew_seconds: Seconds = 300.0
    ses_signature_error: Literal["InvalidSignatureException", "SignatureDoesNotMatch"] = "InvalidSignatureException"
    ses_requests_per_second: Seconds = 0.0
    ses_burst: Count = 1
    ses_rate_scope: Literal["operation", "account"] = "operation"
    ses_error_type: Literal["header", "suffixed", "body"] = "header"
    ses_message_key: Literal["message", "Message"] = "message"
    ses_timestamps: Literal["epoch", "iso"] = "epoch"

    # listing
    ses_last_token: Literal["null", "absent"] = "null"  # noqa: S105
    ses_list_order: Literal["natural", "shuffled"] = "natural"
    ses_next_page: Literal["row", "position"] = "row"
    ses_empty_pages: Literal["never", "first", "between", "last"] = "never"
    ses_filtered_pages: Literal["full", "scanned"] = "full"
    ses_max_page: Count = 1000
    ses_max_jobs_page: Count = 100

    # the account
    ses_production_access: bool = True
    ses_sandbox_error: Literal["BadRequestException", "AccessDeniedException"] = "BadRequestException"
    ses_vdm: bool = True

    # contacts, lists, suppressions
    ses_contact_case: Literal["domain", "exact", "lower"] = "domain"
    ses_suppression_case: Literal["domain", "exact", "lower"] = "domain"
    ses_slash_in_path: Literal["refused", "accepted"] = "refused"
    ses_path_checked: bool = True
    ses_ascii_addresses: bool = True
    ses_attributes_checked: bool = False
    ses_topic_update: Literal["replace", "merge"] = "merge"
    ses_list_update: Literal["replace", "keep"] = "keep"
    ses_contacts_touch_list: bool = False
    ses_date_bounds: Literal["inclusive", "exclusive"] = "inclusive"
    ses_dates_compare: Literal["updated", "added"] = "updated"

    # import jobs, their objects
    ses_job_seconds: Seconds = 3.0
    ses_job_polls: Number = 0
    ses_jobs_at_once: Number = 20
    ses_job_retention_days: Seconds = 0.0
    ses_running_counts: Literal["absent", "zero", "progress"] = "absent"
    ses_ended_counts: Literal["given", "late", "absent"] = "given"
    ses_processed_includes_failed: bool = True
    ses_import_put: Literal["replace", "merge"] = "replace"
    ses_noop_import_touches: bool = True
    ses_row_order: Literal["file", "shuffled"] = "file"
    ses_csv_quoting: Literal["rfc4180", "none"] = "rfc4180"
    ses_byte_order_mark: Literal["refused", "accepted"] = "refused"
    ses_max_contacts_put: Number = 1_000_000
    ses_max_contacts_delete: Number = 0
    ses_max_suppressions_put: Number = 100_000
    ses_max_suppressions_delete: Number = 10_000
    ses_max_file_bytes: Number = 0
    ses_failed_records: Literal["json", "csv", "input", "missing"] = "json"
    ses_failed_url_seconds: Number = 3600
    ses_keep_received: bool = True

    # storage
    ses_s3_endpoint: str = "own"
    ses_bucket_region: Literal["same", "any"] = "same"
    ses_bucket_policy: Literal["ignored", "required"] = "ignored"
