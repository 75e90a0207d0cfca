from __future__ import annotations

import gc
import os
import random
import tempfile

import pytest

import mailing_api.http.client
import mailing_api.mpdx.client
from mailing_api.process.secret_values import SECRETS, SecretValues
from tests.dealing import dealt
from tests.fork_server import FORKS
from tests.memory import memory
from tests.remembered import remember_between_runs
from tests.searching import LENGTH, register_profiles

register_profiles()
# A thread that outlives its test waits by numbers of its own: those that Hypothesis draws by must not change meanwhile.
for module in (mailing_api.http.client, mailing_api.mpdx.client):
    vars(module)["random"] = random.Random(0)
remember_between_runs()
if "TMPDIR" not in os.environ and (folder := memory()) is not None:
    os.environ["TMPDIR"] = tempfile.tempdir = folder


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Thousands of cases are made, none of which is garbage: neither now nor later are they searched for any."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Searches are the longest tests; most of all in `make test-all`."""
    workers = getattr(config, "workerinput", {}).get("workercount")
    if workers is not None:
        items[:] = dealt(
            items, workers, is_long=lambda item: item.get_closest_marker("machine"), file=lambda item: item.path
        )


def pytest_report_header(config) -> str:
    return f"searches: {LENGTH}, seed {config.getoption('hypothesis_seed', None) or 'fixed'}"


@pytest.fixture(scope="session", autouse=True)
def _forks_end():
    yield
    FORKS.close()


@pytest.fixture(scope="session", autouse=True)
def _state_folder_of_the_tests(tmp_path_factory):
    """Nothing is kept in the home of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True)
def _secrets_of_other_tests_are_forgotten():
    """A process hides in its logs every secret that it had; tests have some that are words, such as "List"."""
    vars(SECRETS).update(vars(SecretValues()))
