"""Threads share one arena, unless the environment says otherwise."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mailing_api.process import allocator


@pytest.mark.parametrize(
    ("library", "environment", "calls"),
    [
        ("glibc", {}, [(-8, 1)]),
        ("glibc", {"MALLOC_ARENA_MAX": "4"}, []),
        ("another", {}, []),
    ],
)
def test_threads_share_one_arena_where_the_c_library_has_more(monkeypatch, library, environment, calls):
    made = []
    loaded = SimpleNamespace(mallopt=lambda *arguments: made.append(arguments)) if library == "glibc" else object()
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda _: loaded)
    monkeypatch.setattr(allocator.os, "environ", environment)
    allocator.share_arena()
    assert made == calls
