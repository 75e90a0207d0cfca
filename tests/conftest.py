from __future__ import annotations

from tests.searching import LENGTH, register_profiles

register_profiles()


def pytest_report_header(config) -> str:
    return f"searches: {LENGTH}, seed {config.getoption('hypothesis_seed', None) or 'fixed'}"
