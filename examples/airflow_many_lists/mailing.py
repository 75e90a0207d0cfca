"""Airflow: a task for each account, mapped over the account's rows of the table `pipelines`, in the account's pool."""

import logging
import os
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from airflow.sdk import dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException
from pipeline import Pipeline, ProgramMissing, accounts, pipelines, run

LOG = logging.getLogger("airflow.task.mailing")
OUTCOMES = ("rows", "delivered", "unchanged", "superseded", "withheld", "skipped", "rejected", "resubmitted", "reasons")


@task
def read_pipelines(account: str) -> list[dict[str, str]]:
    """Read the account's rows of the table when the run begins."""
    return [asdict(pipeline) for pipeline in pipelines() if pipeline.account == account]


#: A list that another run holds, a network that was away: half a minute later, then after one, two, four, eight.
@task(
    retries=5,
    retry_delay=timedelta(seconds=float(os.environ.get("RETRY_SECONDS", "30"))),
    retry_exponential_backoff=True,
    map_index_template="{{ pipeline_name }}",
)
def deliver(pipeline: dict[str, str]) -> dict[str, Any]:
    """Run tap and target for one row; the totals are the task's XCom."""
    row = Pipeline(**pipeline)
    get_current_context()["pipeline_name"] = row.name
    try:
        outcomes = run(row, LOG.info)
    except ProgramMissing as error:
        raise AirflowFailException(str(error)) from None  # without retries
    if outcomes["rejected"]:
        LOG.warning("%s: %s rows were rejected: %s", row.name, outcomes["rejected"], outcomes["reasons"])
    return {name: outcomes[name] for name in OUTCOMES}


@task
def none_unconfirmed(outcomes: list[dict[str, Any]]) -> None:
    """Fail if of some rows nobody knows whether they arrived; running the pipelines again would not tell."""
    unconfirmed = sum(each["reasons"].get("unconfirmed", 0) for each in outcomes)
    if unconfirmed:
        raise AirflowFailException(f"{unconfirmed} rows are unconfirmed: see their rejects")


@dag(schedule="15 * * * *", catchup=False, max_active_runs=1)
def mailing() -> None:
    """Every pipeline of every account; accounts do not wait for each other."""
    for account in accounts():
        rows = read_pipelines.override(task_id=f"pipelines_of_{account}")(account)
        pooled = deliver.override(task_id=f"deliver_{account}", pool=f"mailing_{account}")
        none_unconfirmed.override(task_id=f"none_unconfirmed_{account}")(pooled.expand(pipeline=rows))


DAG = mailing()

if __name__ == "__main__":
    DAG.test()
