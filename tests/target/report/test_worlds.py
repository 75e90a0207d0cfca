"""Reports of every destination and route: the numbers are those of the run, and nobody's data is in them."""

from __future__ import annotations

import pytest

from mailing_sandbox.server import Sandbox
from tests.reports import check_report
from tests.target.plan.test_canaries import CANARY, rows
from tests.target.plan.test_plans import WORLDS
from tests.target.plan.worlds import world

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(job_seconds=0.0) as sandbox:
        yield sandbox


@pytest.mark.parametrize("name", WORLDS)
def test_p7_a_report_of_any_route_adds_up_and_shows_nobody(sandbox, tmp_path, name):
    path = tmp_path / "reports" / "report.html"
    with world(name, sandbox, tmp_path) as here:
        for later, config in (
            (False, {}),
            (True, {"mode": "plan"}),
            (True, {"max_removals": 0}),
            (True, {"max_rejected": 0}),
            (True, {"history_path": "off"}),
        ):
            page_path = path.with_stem("report-plan") if "mode" in config else path
            page_path.unlink(missing_ok=True)
            result = here.account.deliver(rows(here, later=later), report_path=str(path), **config)
            page = check_report(page_path, result.outcomes)
            assert ("failed" in page.text) == (result.error is not None)
            for text in (page.source, page_path.with_suffix(".md").read_text()):
                assert CANARY not in text
                assert here.account.sandbox.secret_key not in text
                assert "%40example" not in text
