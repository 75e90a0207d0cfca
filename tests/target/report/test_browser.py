"""The page in a real browser: nothing overflows or is loaded, charts are drawn, tables are searched and sorted."""

from __future__ import annotations

import pytest

from target_mailing.report.page import html
from tests.browser import Browser, find_browser
from tests.target.report.pages import PAGES

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_browser() is None, reason="neither Chromium nor Chrome is installed"),
]

#: Elements that reach beyond the page, but for what is in a table that scrolls by itself.
WIDE = """[...document.querySelectorAll("body *")].filter((one) => !one.closest(".scroll table")
    && one.getBoundingClientRect().right > document.documentElement.clientWidth + 1).map((one) => one.outerHTML)"""
#: Charts without size, and shapes outside of their chart.
UNDRAWN = """[...document.querySelectorAll("svg[role=img]")].filter((one) => {
    const box = one.getBoundingClientRect();
    const parts = [...one.querySelectorAll("rect, path, line")].map((part) => part.getBoundingClientRect());
    return box.width < 100 || box.height < 10 || !parts.some((part) => part.width > 0 && part.height > 0)
        || parts.some((part) => part.left < box.left - 3 || part.right > box.right + 3);
}).map((one) => one.outerHTML)"""
SHOWN = '[...document.querySelectorAll("table[data-name=%s] tbody tr")].filter((row) => row.offsetHeight > 0)'
#: The contrast of text with what is behind it, at its least (WCAG 2).
CONTRAST = """(() => {
    const light = (color) => color.map((one) => one / 255).map((one) => one <= 0.04045 ? one / 12.92
        : ((one + 0.055) / 1.055) ** 2.4).reduce((sum, one, at) => sum + one * [0.2126, 0.7152, 0.0722][at], 0);
    const parsed = (text) => text.match(/[\\d.]+/g).map(Number);
    const behind = (one) => {
        for (; one; one = one.parentElement) {
            const color = parsed(getComputedStyle(one).backgroundColor);
            if (color.length === 3 || color[3] === 1) return color.slice(0, 3);
        }
        return [255, 255, 255];
    };
    const texts = [...document.querySelectorAll("body *")].filter((one) => one.offsetHeight > 0
        && [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()));
    return Math.min(...texts.map((one) => {
        const both = [light(parsed(getComputedStyle(one).color).slice(0, 3)), light(behind(one))];
        const [low, high] = both.sort((one, other) => one - other);
        return (high + 0.05) / (low + 0.05);
    }));
})()"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(find_browser(), tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def url(tmp_path):
    def write(name):
        path = tmp_path / "page.html"
        path.write_text(html(PAGES[name]()), encoding="utf-8")
        return path.as_uri()

    return write


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_loads_nothing_and_draws_its_charts(browser, url, name):
    address = url(name)
    for width in (320, 768, 1440):
        for dark in (False, True):
            with browser.open(address, width=width, dark=dark) as tab:
                assert tab("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
                assert tab(WIDE) == []
                assert tab(UNDRAWN) == []
                assert tab(CONTRAST) >= 4.5
                assert tab.requests == [address]
                assert tab.complaints == []
                ground = tab("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
                assert (max(ground) < 128) == dark


def test_on_a_telephone_the_reasons_are_counted_well_and_how_a_job_ended_is_seen(browser, url):
    with browser.open(url("rejects"), width=400) as tab:
        words = "[...document.querySelectorAll('table[data-name=reasons] td.number')]"
        shown = tab(f"{words}.map((one) => one.textContent + getComputedStyle(one, '::after').content)")
        assert shown[:2] == ['1" row"', '4" rows"']
        edge = "document.querySelector('[aria-label=Jobs].scroll').getBoundingClientRect().right"
        took = "document.querySelector('table[data-name=jobs] td:nth-child(3)').getBoundingClientRect().right"
        assert tab(f"{took} < {edge}")


def test_search_shows_the_rows_that_have_all_words(browser, url):
    with browser.open(url("rejects")) as tab:
        assert tab(f"{SHOWN % 'jobs'}.length") == 25
        field = "[data-searches=jobs] input"
        tab.type_into(field, "refused rows")
        assert tab(f"{SHOWN % 'jobs'}.map((row) => row.cells[0].textContent)") == ["3563300003"]
        assert tab("document.querySelector('[data-searches=jobs] output').textContent") == "1 of 25 shown"
        tab.type_into(field, " nothing")
        assert tab(f"{SHOWN % 'jobs'}.length") == 0
        assert tab(f"{SHOWN % 'reasons'}.length") == 5
        assert tab.complaints == []


def test_a_click_on_a_head_sorts_by_value_and_a_second_one_turns_it_around(browser, url):
    head = "table[data-name=jobs] th:nth-child(3) button"
    took = f"{SHOWN % 'jobs'}.map((row) => Number(row.cells[2].dataset.value))"
    with browser.open(url("rejects")) as tab:
        before = tab(took)
        tab.click(head)
        assert tab(took) == sorted(before) != before
        assert tab(f"document.querySelector('{head}').parentElement.getAttribute('aria-sort')") == "ascending"
        tab.click(head)
        assert tab(took) == sorted(before, reverse=True)
        assert tab("document.querySelectorAll('[aria-sort]').length") == 1
        assert tab.complaints == []


def test_without_scripts_everything_is_there_but_search(browser, url):
    with browser.open(url("rejects")) as tab:
        tab.without_scripts()
        assert tab(f"{SHOWN % 'jobs'}.length") == 25
        assert tab("document.querySelectorAll('thead button').length") == 0
        assert tab("[...document.querySelectorAll('.search')].every((one) => one.offsetHeight === 0)")


def test_a_script_that_is_not_the_pages_own_does_nothing(browser, tmp_path):
    path = tmp_path / "page.html"
    page = html(PAGES["first"]())
    path.write_text(page.replace("</body>", "<script>document.title = 'taken'</script></body>"), encoding="utf-8")
    with browser.open(path.as_uri()) as tab:
        assert tab("document.title") == "Delivery to Newsletter: completed"
        assert any("Content Security Policy" in one for one in tab.complaints)
