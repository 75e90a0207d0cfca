"""Undocumented behaviour of PostGrid, as switches: each default is the choice of the PostGrid reference."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Seconds = Annotated[float, Meta(ge=0)]
Number = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, lt=1)]


class Switches(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Behaviours that nobody outside PostGrid could verify, and limits. `docs/sandbox.md` describes each.

    Every name begins with the provider's, because all providers' switches are set in one place.
    """

    # transport
    postgrid_create_status: Literal[200, 201] = 201
    postgrid_job_status: Literal[200, 201, 202] = 200
    postgrid_not_found_style: Literal["specific", "generic"] = "specific"
    postgrid_idempotency_mismatch: Literal["replay", "error"] = "replay"
    postgrid_idempotent_contacts: bool = True
    postgrid_rate: Seconds = 0.0
    postgrid_burst: Number = 1
    postgrid_retry_after: Number = 0
    postgrid_milliseconds: bool = True
    postgrid_object_member: bool = False
    postgrid_deleted: Literal["missing", "shown"] = "missing"

    # listing
    postgrid_limit_over_max: Literal["error", "clamp"] = "error"
    postgrid_limit_zero: Literal["empty", "error", "default"] = "empty"
    postgrid_order: Literal["created_desc", "updated_desc", "created_asc"] = "created_desc"
    postgrid_search_delay_seconds: Seconds = 0.0

    # contacts
    postgrid_dedupe_status: Literal[200, 201] = 201
    postgrid_dedupe_compares: Literal["standardised", "sent"] = "standardised"
    postgrid_dedupe_includes_metadata: bool = False
    postgrid_dedupe_includes_email: bool = True
    postgrid_dedupe_includes_flags: bool = True
    postgrid_repeat_without_description: Literal["keep", "clear"] = "keep"
    postgrid_repeat_moves_updated_at: bool = True
    postgrid_null_fields: Literal["error", "unset"] = "error"
    postgrid_unset_fields: Literal["absent", "null"] = "absent"
    postgrid_email_check: bool = False
    postgrid_merge_unit: bool = False
    postgrid_hides_secret: bool = False
    postgrid_contact_lists: Literal["ids", "objects", "absent"] = "ids"
    postgrid_membership_moves_updated_at: bool = False

    # mailing lists and their jobs
    postgrid_list_update_body: Literal["full", "partial"] = "full"
    postgrid_list_null: Literal["clear", "error"] = "clear"
    postgrid_metadata_update: Literal["replace", "merge"] = "replace"
    postgrid_busy_status: Literal[400, 409, 422] = 422
    postgrid_delete_busy: Literal["allowed", "refused"] = "allowed"
    postgrid_job_response_status: Literal["new", "completed"] = "new"
    postgrid_job_seconds: Seconds = 3.0
    postgrid_job_polls: Number = 0
    postgrid_job_delay_seconds: Seconds = 0.0
    postgrid_counting_share: Share = 0.25
    postgrid_errors_cleared: bool = True
    postgrid_status_moves_updated_at: bool = True
    postgrid_unknown_contact: Literal["job_error", "reject"] = "job_error"
    postgrid_unready_import: Literal["job_error", "reject"] = "job_error"
    postgrid_partial_jobs: Literal["applied", "nothing"] = "applied"

    # mailing list imports
    postgrid_import_seconds: Seconds = 3.0
    postgrid_import_polls: Number = 0
    postgrid_multipart: bool = True
    postgrid_inline_csv: bool = False
    postgrid_fetch: Literal["loopback", "anywhere", "never"] = "loopback"
    postgrid_multi_country: Literal["error", "allow"] = "error"
    postgrid_min_rows: Number = 1
    postgrid_max_rows: Number = 0
    postgrid_test_row_cap: Number = 0
    postgrid_delete_used_import: Literal["allowed", "refused"] = "allowed"

    # the sandbox itself
    postgrid_keep_received: bool = True
    postgrid_seed_most: Number = 10_000
