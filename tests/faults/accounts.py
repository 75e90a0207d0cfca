"""The accounts of the fault table, by the name that routes call them."""

from __future__ import annotations

from collections.abc import Mapping

from tests.faults.account import Account
from tests.faults.mailjet_account import MailjetAccount
from tests.faults.postgrid_account import PostgridAccount
from tests.faults.ses_accounts import SesAccount, SuppressionAccount

__all__ = ["ACCOUNTS"]

ACCOUNTS: Mapping[str, type[Account]] = {
    "mailjet": MailjetAccount,
    "ses": SesAccount,
    "suppressions": SuppressionAccount,
    "postgrid": PostgridAccount,
}
