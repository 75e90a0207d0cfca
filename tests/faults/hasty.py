"""`target-mailing`, the real command, with less patience: it waits shorter where no setting says how long.

Every STATE that may leave does so at once, retries come after moments, and a job that stays unknown is given up soon.
So each case takes seconds, and a STATE that is ahead of its rows has no time in which they could catch up.

Its one argument is the descriptor of a socket by which a `Nursery` asks for runs; each is a fork of this process.
"""

from __future__ import annotations

import sys
from functools import partial

import botocore.auth
import botocore.awsrequest
import botocore.session
import sqlalchemy.dialects.sqlite

from mailing_api import http, postgrid, s3, ses
from mailing_api.pace import Pace
from mailing_api.retry import RetryPolicy
from target_mailing import mailjet_account, mailjet_csv_steps, mailjet_steps, run, ses_account, ses_steps
from target_mailing.target import TargetMailing
from tests.faults.nursery import serve

#: Modules that are otherwise loaded by each run that needs them.
LOADED = (botocore.auth, botocore.awsrequest, botocore.session, sqlalchemy.dialects.sqlite)
QUICK = RetryPolicy(throttle_base=0.02, throttle_cap=0.1, fault_base=0.02, fault_cap=0.1)

if __name__ == "__main__":
    run._STATE_INTERVAL = 0.0
    http.RetryPolicy = lambda: QUICK  # type: ignore[assignment, misc]
    http.Pace = partial(Pace, floor=100.0)  # type: ignore[assignment, misc]
    postgrid.Pace = partial(Pace, floor=100.0)  # type: ignore[assignment, misc]
    mailjet_account.Pace = partial(Pace, floor=100.0)  # type: ignore[assignment, misc]
    ses_account.PATIENCE = QUICK  # type: ignore[misc]
    ses._SLOWEST = 100.0
    s3.Pace = lambda **_: Pace(floor=100.0)  # type: ignore[assignment, misc]
    for steps in (mailjet_steps, mailjet_csv_steps, ses_steps):
        steps.JOB_APPEARS_WITHIN = 0.4  # type: ignore[misc]
    serve(int(sys.argv[1]))
    TargetMailing.cli()
