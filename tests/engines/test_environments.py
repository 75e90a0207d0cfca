"""The environments of the orchestrators: apart from that of the plugins."""

from __future__ import annotations

import subprocess
from importlib.util import find_spec

import pytest


@pytest.mark.parametrize("engine", ["dagster", "airflow"])
def test_an_engine_and_the_plugins_do_not_share_an_environment(engine, request):
    programs = request.getfixturevalue(engine)
    assert find_spec(engine) is None
    question = "import importlib.util as of, sys; sys.exit(of.find_spec('target_mailing') is not None)"
    assert subprocess.run([programs / "python", "-I", "-c", question], check=False).returncode == 0
