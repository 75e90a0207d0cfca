"""Streams of contacts that packages declare: which are delivered by e-mail, which by post, and wrong declarations."""

from __future__ import annotations

import sys

import pytest

from mailing_api.errors import ConfigurationError
from target_mailing.interface.channel import BY_EMAIL, BY_POST
from target_mailing.interface.contact_streams import contact_streams
from target_mailing.settings.settings import StreamSettings

PEOPLE = """
from target_mailing.interface.contact_streams import ContactStream

STREAMS = [ContactStream(name={!r}, columns={!r}, contacts="birds")]
"""
COLUMNS = {"provider": {}, "id": {}, "email": {}, "address_line1": {}}


@pytest.fixture
def declare(tmp_path, monkeypatch):
    """Put a package on the path that declares one stream."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(name, columns=("email",), *, source=PEOPLE):
        (tmp_path / "pigeon.py").write_text(source.format(name, columns))
        info = tmp_path / "pigeon-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pigeon\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[target_mailing.contact_streams]\npigeon = pigeon:STREAMS\n")
        contact_streams.cache_clear()

    yield install
    contact_streams.cache_clear()
    sys.modules.pop("pigeon", None)


def accepts(channel, stream, config=None):
    return channel.accepts(stream, COLUMNS, StreamSettings.resolve(config or {}, stream))


def test_a_declared_stream_is_delivered_by_the_addresses_that_it_has(declare):
    declare("pigeon_flock")
    assert accepts(BY_EMAIL, "pigeon_flock")
    with pytest.raises(ConfigurationError, match="it has birds, and no postal addresses"):
        accepts(BY_POST, "pigeon_flock", {"streams": {"pigeon_flock": {}}})


def test_a_stream_that_is_not_declared_goes_by_its_name(declare):
    declare("pigeon_flock", ("address_line1",))
    assert accepts(BY_POST, "pigeon_flock")
    assert accepts(BY_EMAIL, "dove_contacts")
    with pytest.raises(ConfigurationError, match="marks another kind of stream"):
        accepts(BY_EMAIL, "dove_flock")


@pytest.mark.parametrize(
    ("name", "source", "message"),
    [
        ("mpdx_people", PEOPLE, "declare the stream 'mpdx_people': package 'tap-target-mailing' and package 'pigeon'"),
        ("", "STREAMS = 'pigeons'", "'pigeon' of package 'pigeon' does not lead to a sequence of .*ContactStream"),
        ("", "import pigeon_lost", "'pigeon' of package 'pigeon' cannot be loaded .ModuleNotFoundError"),
    ],
)
def test_p9_a_wrong_declaration_is_reported_with_its_package(declare, name, source, message):
    declare(name, source=source)
    with pytest.raises(ConfigurationError, match=message):
        accepts(BY_EMAIL, "pigeon_flock")
