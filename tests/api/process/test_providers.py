"""Providers are found by the entry points of whatever is installed; a wrong one ends a command with one error."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from mailing_api.errors import ConfigurationError
from mailing_api.process.providers import installed
from target_mailing.interface.provider import Provider

GROUP = "target_mailing.providers"
OWN = ["mailjet", "postgrid", "ses"]

PROVIDER = """
from mailing_api.settings import Setting
from target_mailing.interface.provider import Provider

PROVIDER = Provider(
    name="pigeon", title="Pigeon", settings=[Setting(name={setting!r}, title="Key", description="A key.")],
    selected_by=[], connect="pigeon.account:connect",
)
TEXT = "no provider"
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put a package with an entry point on the path, as an installation does."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    yield lambda *args, **options: _install(tmp_path, *args, **options)
    for name in [name for name in sys.modules if name.startswith("pigeon")]:
        del sys.modules[name]


def _install(path, package, entry, *, setting="pigeon_key"):
    (path / f"{package}.py").write_text(PROVIDER.format(setting=setting))
    info = path / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{entry}\n")


def test_a_provider_of_another_package_stands_beside_ours(install):
    install("pigeon", "pigeon = pigeon:PROVIDER")
    assert [one.name for one in installed(GROUP, Provider)] == sorted([*OWN, "pigeon"])


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("pigeon = pigeon_lost:PROVIDER", "cannot be loaded .*No module named 'pigeon_lost'.*uninstall"),
        ("pigeon = pigeon:ABSENT", "cannot be loaded .AttributeError"),
        ("pigeon = pigeon:TEXT", "is not a target_mailing.interface.provider.Provider"),
        ("dove = pigeon:PROVIDER", "'dove' of package 'pigeon' is not a"),
    ],
)
def test_p9_a_provider_that_is_none_is_told_with_its_package(install, entry, said):
    install("pigeon", entry)
    with pytest.raises(ConfigurationError, match=said) as caught:
        installed(GROUP, Provider)
    assert "package 'pigeon'" in str(caught.value)


@pytest.mark.parametrize(
    ("package", "setting", "said"),
    [
        ("pigeon_too", "pigeon_key", "have a provider 'pigeon': package 'pigeon(_too)?' and package 'pigeon"),
        (
            None,
            "mailjet_api_key",
            "have a setting `mailjet_api_key`: .* 'tap-target-mailing' and package 'pigeon'",
        ),
    ],
)
def test_p9_two_packages_of_one_name_or_setting_are_told(install, package, setting, said):
    install("pigeon", "pigeon = pigeon:PROVIDER", setting=setting)
    if package:
        install(package, f"pigeon = {package}:PROVIDER")
    with pytest.raises(ConfigurationError, match=f"Two installed packages {said}"):
        installed(GROUP, Provider)


def test_p9_where_no_provider_is_installed_that_is_told():
    with pytest.raises(ConfigurationError, match=r"No provider is installed: .*Install this project again"):
        installed("nobody.providers", Provider)


def test_p9_a_command_ends_with_one_line_where_a_package_is_broken(install):
    install("pigeon", "pigeon = pigeon_lost:PROVIDER")
    done = subprocess.run(
        [sys.executable, "-m", "target_mailing", "--about"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Provider 'pigeon' of package 'pigeon' cannot be loaded")
    assert done.stderr.count("\n") == 1


def test_only_the_provider_of_a_run_is_loaded_whole():
    code = (
        "import sys; from target_mailing.target import TargetMailing\n"
        "from target_mailing.interface.registry import chosen\n"
        "config = {'mailjet_api_key': 'k', 'mailjet_secret_key': 's', 'list': 'L'}\n"
        "chosen(config).account(config, user_agent='tests').close()\n"
        "print(*sorted(name for name in sys.modules if name.endswith(('.account', 'mailjet.client')) or name in {\n"
        "    'mailing_api.ses.client', 'mailing_api.postgrid.client', 'mailing_api.mpdx', 'tap_mailing',\n"
        "    'botocore', 'psycopg', 'pycountry', 'email_validator'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["mailing_api.mailjet.client", "target_mailing.mailjet.account"]


def test_the_tap_loads_the_streams_of_a_run_only():
    """Also with a STATE and a catalog, which load the providers of the streams that they name."""
    code = (
        "import sys; from tap_mailing.tap import TapMailing\n"
        "streams = [{'tap_stream_id': name, 'stream': name, 'schema': {}, 'metadata': []}\n"
        "           for name in ('mailjet_contacts', 'ses_contacts', 'pigeon_flock')]\n"
        "config = {'mailjet_api_key': 'k', 'mailjet_secret_key': 's'}\n"
        "TapMailing(config=config, catalog={'streams': streams}, state={'bookmarks': {'mailjet_contacts': {}}})\n"
        "for package, end in ('tap_mailing.', '.streams'), ('mailing_api.', '.client'):\n"
        "    print(*sorted(name for name in sys.modules if name.startswith(package) and name.endswith(end)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    streams, clients = done.stdout.splitlines()
    assert streams.split() == ["tap_mailing.mailjet.streams", "tap_mailing.ses.streams", "tap_mailing.streams"]
    assert clients.split() == ["mailing_api.http.client", "mailing_api.mailjet.client", "mailing_api.ses.client"]
