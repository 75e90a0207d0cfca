"""Unverified behaviour of MPDX, as switches: each default is the likeliest by the MPDX reference."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Seconds = Annotated[float, Meta(gt=0)]
Number = Annotated[int, Meta(ge=0)]


class Switches(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Behaviours that could not be verified, and limits. `docs/sandbox.md` describes each."""

    mpdx_rate_limit: Number = 50
    mpdx_rate_seconds: Seconds = 10.0
    mpdx_rate_scope: Literal["address", "token"] = "address"
    mpdx_rate_headers: Literal["reset", "retry_after", "both", "none"] = "reset"
    mpdx_token_days: Seconds = 30.0
    mpdx_max_per_page: Number = 0
    mpdx_pages_of_none: Number = 0
    mpdx_contact_status: Literal["honoured", "default", "ignored"] = "honoured"
    mpdx_people_repeated: Literal["always", "unfiltered", "never"] = "always"
    mpdx_any_filter: bool = False
    mpdx_tags: Literal["folded", "exact"] = "folded"
    mpdx_string_filter: Literal["parsed", "error"] = "parsed"
    mpdx_array_ids: Literal["honoured", "ignored"] = "honoured"
    mpdx_csv_columns: Literal["known", "more"] = "known"
