"""Names as segments of paths."""

from __future__ import annotations

from urllib.parse import unquote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailing_api.errors import NotFound
from mailing_api.http.paths import segment


@given(st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda text: text not in {".", ".."}))
def test_whatever_a_name_holds_it_is_one_segment(name):
    path = httpx.URL(f"https://api.test/lists/{segment(name)}/jobs").raw_path.decode()
    before, middle, after = path.removeprefix("/").split("/")
    assert (before, unquote(middle), after) == ("lists", name, "jobs")


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_what_means_another_path_is_not_found(name):
    with pytest.raises(NotFound, match="another"):
        segment(name)
