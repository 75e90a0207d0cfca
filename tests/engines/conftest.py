from __future__ import annotations

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.engine)
            item.add_marker(pytest.mark.slow)


def programs_of(engine):
    """The folder of the engine's programs; the test is skipped if there is no environment of the engine."""
    folder = REPOSITORY / f".venv-{engine}"
    if not (folder / ".ready").exists():
        pytest.skip(f"there is no environment {folder.name}; `make engines` makes it")
    return folder / "bin"


@pytest.fixture(scope="session")
def dagster():
    return programs_of("dagster")


@pytest.fixture(scope="session")
def airflow():
    return programs_of("airflow")
