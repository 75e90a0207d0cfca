from __future__ import annotations

import pytest

from mailing_sandbox.server import Sandbox
from tests.faults.accounts import ACCOUNTS
from tests.faults.world import Ground


@pytest.fixture(scope="session")
def ground(tmp_path_factory):
    with Sandbox(job_seconds=0.05) as sandbox:
        yield Ground(sandbox, tmp_path_factory.mktemp("ground"), ACCOUNTS)
