"""`target-mailing`, the real command, with less patience: it waits shorter where no setting says how long.

Every STATE that may leave does so at once, retries come after moments, and a job that stays unknown is given up soon.
So each case takes seconds, and a STATE that is ahead of its rows has no time in which they could catch up.

Only a `ForkServer` runs it.
"""

from __future__ import annotations

from mailing_api.aws import s3
from mailing_api.http import client as http_client
from mailing_api.http import downloads
from mailing_api.http.pace import Pace
from mailing_api.http.retry import RetryPolicy
from mailing_api.ses import client as ses_client
from target_mailing.delivery import jobs
from target_mailing.run import run
from target_mailing.ses import account as ses_account
from target_mailing.target import TargetMailing

QUICK = RetryPolicy(throttle_base=0.02, throttle_cap=0.04, throttle_tries=6, fault_base=0.02, fault_cap=0.04)

if __name__ == "__main__":
    run._STATE_INTERVAL = 0.0
    http_client.RetryPolicy = lambda: QUICK  # type: ignore[assignment, misc]
    Pace.__init__.__kwdefaults__["floor"] = 100.0
    ses_account.PATIENCE = QUICK  # type: ignore[misc]
    ses_client._SLOWEST = 100.0
    for module in (s3, downloads):
        module.Pace = lambda **_: Pace(floor=100.0)  # type: ignore[assignment, misc]
    jobs._APPEARS_WITHIN = 0.4  # type: ignore[misc]
    TargetMailing.cli()
