"""Undocumented behaviour of Mailjet, as switches: each default is the likeliest by the Mailjet reference."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Seconds = Annotated[float, Meta(ge=0)]
Number = Annotated[int, Meta(ge=0)]


class Switches(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Behaviours that nobody outside Mailjet could verify, and limits. `docs/sandbox.md` describes each."""

    # transport
    gateway_json_401: bool = False
    body_keys: Literal["insensitive", "sensitive"] = "insensitive"
    idempotency_key: bool = False
    quoted_numbers: bool = False
    max_body_bytes: Number = 5 * 1024 * 1024
    max_csv_bytes: Number = 50 * 1024 * 1024
    max_contacts_per_call: Number = 10_000
    max_lists_per_call: Number = 0

    # listing
    limit_above_maximum: Literal["clamp", "error", "default"] = "clamp"
    unsupported_sort: Literal["error", "ignore"] = "error"
    max_offset: Number = 0
    min_filters: Literal["inclusive", "exclusive"] = "inclusive"
    max_filters: Literal["inclusive", "exclusive"] = "exclusive"
    legacy_anonymised_rows: bool = False
    contactdata_lists_empty: bool = True

    # contacts, lists, properties
    email_case: Literal["fold", "lower", "domain", "exact"] = "fold"
    empty_name: Literal["clear", "keep"] = "clear"
    bool_text: Literal["true", "True", "1"] = "true"
    str_accepts_numbers: bool = False
    property_case: Literal["lower", "exact"] = "lower"
    property_names: Literal["any", "lowercase", "letters"] = "any"
    old_error_codes: bool = True
    max_name_length: Number = 0
    max_value_bytes: Number = 0
    property_delay_seconds: Seconds = 0.0
    list_alt: Literal["name", "address"] = "name"
    subscriber_count_includes_unsubscribed: bool = False
    resubscribe_moves_subscribed_at: bool = True
    remove_creates_contact: bool = True
    unsub_creates_membership: bool = True
    managecontactslists_partial: bool = False
    contact_lists_limit: bool = True
    contact_lists_dates: bool = True

    # bulk jobs
    job_seconds: Seconds = 3.0
    job_polls: Number = 0
    jobs_at_once: Number = 0
    job_404_polls: Number = 0
    job_listed_after_seconds: Seconds = 0.0
    job_retention_days: Seconds = 0.0
    status_words: Literal["full", "short", "aborted"] = "full"
    duplicates: Literal["first", "last"] = "last"
    good_rows_loaded: bool = True
    bad_addresses: Literal["refused", "imported"] = "refused"
    list_bulk_exclusion: bool = True
    error_file: Literal["list", "nested", "text", "missing", "empty"] = "list"
    error_file_path: Literal["relative", "absolute", "empty"] = "relative"
    job_names_lists: bool = True
    bulk_job_type: Literal["Contact list import free format", "Contact list import csv", "Contacts export"] = (
        "Contact list import free format"
    )
    bulk_job_names_list: bool = True
    request_at_zero: bool = False
    batchjob_post: Literal["refused", "accepted"] = "refused"
    keep_received: bool = True

    # CSV imports
    large_data_ids: bool = False
    data_id_reuse: bool = True
    csv_blank_integers: bool = False
    csv_count: Literal["processed", "detected"] = "processed"
    error_threshold: Literal["count", "percent", "ignored"] = "count"
    empty_cell: Literal["keep", "clear"] = "keep"
    headerless_error_header: bool = True
