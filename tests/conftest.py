from __future__ import annotations

import pytest

from tests.searching import LENGTH, register_profiles

register_profiles()


def pytest_report_header(config) -> str:
    return f"searches: {LENGTH}, seed {config.getoption('hypothesis_seed', None) or 'fixed'}"


@pytest.fixture(scope="session", autouse=True)
def _state_folder_of_the_tests(tmp_path_factory):
    """Nothing is kept in the home of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield
