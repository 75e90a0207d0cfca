"""Dagster: an asset and a pool for each account, whose partitions are the account's rows of the table `pipelines`."""

import os
from collections.abc import Iterator
from typing import Any

import dagster as dg
from pipeline import Pipeline, ProgramMissing, accounts, pipelines, run

#: A list that another run holds, a network that was away: half a minute later, then after one, two, four, eight.
RETRIES = dg.RetryPolicy(
    max_retries=5,
    delay=float(os.environ.get("RETRY_SECONDS", "30")),
    backoff=dg.Backoff.EXPONENTIAL,
    jitter=dg.Jitter.PLUS_MINUS,
)
OUTCOMES = ("rows", "delivered", "unchanged", "superseded", "withheld", "skipped", "rejected", "resubmitted")


def asset_of(account: str) -> dg.AssetsDefinition:
    """Make the asset of an account; materializing a partition of it is one run of tap and target."""

    @dg.asset(
        name=account,
        key_prefix="mailing",
        partitions_def=dg.DynamicPartitionsDefinition(name=f"pipelines_of_{account}"),
        pool=f"mailing_{account}",
        retry_policy=RETRIES,
        check_specs=[
            dg.AssetCheckSpec("none_rejected", asset=["mailing", account]),
            dg.AssetCheckSpec("none_unconfirmed", asset=["mailing", account]),
        ],
    )
    def deliver(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        try:
            outcomes = run(_row(account, context.partition_key), context.log.info)
        except dg.DagsterExecutionInterruptedError:
            # Otherwise the retry policy would run it again.
            raise dg.Failure("The run was cancelled", allow_retries=False) from None
        except ProgramMissing as error:
            raise dg.Failure(str(error), allow_retries=False) from None
        return dg.MaterializeResult(
            metadata={name: outcomes[name] for name in OUTCOMES} | {"reasons": outcomes["reasons"]},
            check_results=[*_checks(outcomes)],
        )

    return deliver


def _row(account: str, partition: str) -> Pipeline:
    for pipeline in pipelines():
        if (pipeline.account, pipeline.name) == (account, partition):
            return pipeline
    raise dg.Failure(f"{partition!r} of {account!r} is no longer in the table `pipelines`", allow_retries=False)


def _checks(outcomes: dict[str, Any]) -> Iterator[dg.AssetCheckResult]:
    """Rejected rows are a fault of the data; of unconfirmed ones nobody knows whether they arrived."""
    unconfirmed = outcomes["reasons"].get("unconfirmed", 0)
    yield dg.AssetCheckResult(
        check_name="none_rejected",
        passed=outcomes["rejected"] == 0,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"rejected": outcomes["rejected"], "reasons": outcomes["reasons"]},
    )
    yield dg.AssetCheckResult(
        check_name="none_unconfirmed", passed=unconfirmed == 0, metadata={"unconfirmed": unconfirmed}
    )


ASSETS = {account: asset_of(account) for account in accounts()}
JOBS = {account: dg.define_asset_job(f"deliver_{account}", selection=[asset]) for account, asset in ASSETS.items()}


@dg.sensor(jobs=[*JOBS.values()], default_status=dg.DefaultSensorStatus.RUNNING, minimum_interval_seconds=30)
def new_pipelines(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Keep the partitions as the table is, and run each new one."""
    table: dict[str, set[str]] = {account: set() for account in ASSETS}
    for pipeline in pipelines():
        if pipeline.account in table:
            table[pipeline.account].add(pipeline.name)
        else:
            context.log.error("%r is not delivered: accounts.json has no %r", pipeline.name, pipeline.account)
    changes: list[Any] = []
    requests: list[dg.RunRequest] = []
    _limit_pools(context.instance)
    for account, names in table.items():
        partitions: Any = ASSETS[account].partitions_def
        known = set(context.instance.get_dynamic_partitions(partitions.name))
        new, gone = sorted(names - known), sorted(known - names)
        changes += [partitions.build_add_request(new)] if new else []
        changes += [partitions.build_delete_request(gone)] if gone else []
        requests += [dg.RunRequest(job_name=JOBS[account].name, partition_key=name) for name in new]
    return dg.SensorResult(run_requests=requests, dynamic_partitions_requests=changes)


def _limit_pools(instance: dg.DagsterInstance) -> None:
    """Give each new pool its limit. Otherwise Dagster does so while it starts the first runs, and starts too many."""
    storage = instance.event_log_storage
    for pool in {f"mailing_{account}" for account in ASSETS} - set(storage.get_concurrency_keys()):
        storage.set_concurrency_slots(pool, 1)


def hourly(account: str) -> dg.ScheduleDefinition:
    """Make the schedule that runs every pipeline of an account; switch it on in Dagster."""

    @dg.schedule(job=JOBS[account], name=f"hourly_{account}", cron_schedule="15 * * * *")
    def every_pipeline(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest]:
        names = context.instance.get_dynamic_partitions(f"pipelines_of_{account}")
        return [dg.RunRequest(partition_key=name) for name in names]

    return every_pipeline


defs = dg.Definitions(
    assets=[*ASSETS.values()],
    jobs=[*JOBS.values()],
    sensors=[new_pipelines],
    schedules=[hourly(account) for account in ASSETS],
    executor=dg.in_process_executor,
)
