"""The setting of a rate that several processes share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mailing_api.errors import ConfigurationError
from mailing_api.http.shared_pace import Budget
from mailing_api.settings import Setting, lookup

__all__ = ["RATE_BUDGET", "rate_budget"]

#: A setting of tap and target that belongs to no provider.
RATE_BUDGET: Final = Setting(
    name="rate_budget",
    title="Rate budget",
    description="A PostgreSQL database, postgresql://, in which all processes with this setting share the rate of "
    "requests of each account. Unset: each process finds the rate alone.",
    secret=True,  # a URL may hold a password
)


def rate_budget(config: Mapping[str, Any]) -> Budget | None:
    """Return the budget that the settings name, connected if the database answers; None for none.

    Raises:
        ConfigurationError: it is not a URL of PostgreSQL, or psycopg is not installed.
    """
    url = lookup(RATE_BUDGET, config)
    if url is None:
        return None
    try:
        from mailing_api.storage.postgres_budget import PostgresBudget  # noqa: PLC0415 - loads psycopg, an extra
    except ImportError:
        raise ConfigurationError(
            f"Setting `{RATE_BUDGET.name}` needs the package psycopg: install this project with its extra `postgresql`."
        ) from None
    return Budget(PostgresBudget(url, setting=RATE_BUDGET.name, error=ConfigurationError))
