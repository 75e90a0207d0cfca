"""The settings by which a run reports instead of delivering, as data."""

from __future__ import annotations

from typing import Final

from mailing_api.settings import Setting

__all__ = ["MODE_SETTINGS"]

MODE_SETTINGS: Final = (
    Setting(
        name="mode",
        title="Mode",
        description="`deliver`: deliver the input. `plan`: report what a delivery would do. A plan reads at the "
        "provider what a delivery would read, and writes nothing there, to the journal or to rejects files; no STATE "
        "leaves. `reconcile`: compare the input with what the list holds, and write nothing.",
        default="deliver",
        allowed=["deliver", "plan", "reconcile"],
    ),
    Setting(
        name="plan_path",
        title="Plan path",
        description="With `mode: plan`: the file for the plan as JSON, such as plan.json; plan.md beside it has the "
        "same for people. Only their owner may read them.",
    ),
    Setting(
        name="plan_sample",
        title="Plan sample",
        description="How many rows of each kind the plan in `plan_path` shows, such as rows that would be removed.",
        type="integer",
        default=20,
    ),
    Setting(
        name="plan_contacts",
        title="Plan with contacts",
        description="Show addresses and values of these rows. `false`: addresses are masked, and only the names of "
        "fields are shown.",
        type="boolean",
        default=False,
    ),
    Setting(
        name="reconcile_path",
        title="Reconciliation path",
        description="With `mode: reconcile`: the file for the contacts that differ, a line of JSON each, with "
        "addresses and the values that differ. Only its owner may read it.",
    ),
    Setting(
        name="reconcile_tolerance",
        title="Reconciliation tolerance",
        description="With `mode: reconcile`: how many contacts may be missing, extra or different: a number, or a "
        "share of all that were compared, such as `1%`. Beyond it the run exits with 1.",
        type=["integer", "string"],
        default=0,
    ),
    Setting(
        name="report_path",
        title="Report path",
        description="A page about each run, in HTML and in Markdown: a folder, in which each run has its own, or a "
        "file such as report.html, which each run replaces. Only their owner may read them.",
    ),
    Setting(
        name="report_keep",
        title="Reports kept",
        description="How long reports in a folder are kept: seconds, or ISO 8601 such as P30D. A run that has written "
        "its own deletes older ones of runs and plans. Unset: none is deleted.",
        type=["number", "string"],
    ),
)
