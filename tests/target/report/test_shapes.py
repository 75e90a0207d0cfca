"""What is pure in a report: scales, charts, what is kept of many jobs and of a long run."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_mailing.report.charts import jobs_under_way, lines, timeline
from target_mailing.report.job_log import JobLog
from target_mailing.report.markdown import escaped
from target_mailing.report.scale import shares, steps, time_ticks
from target_mailing.report.series import Point, Series
from target_mailing.run.progress import Standing
from target_mailing.run_events import Job


def standing(read=0, ended=0, sent=0, jobs=0):
    return Standing(read=read, delivered=ended, ended=ended, sent=sent, jobs=jobs, is_whole=False)


@given(st.lists(st.integers(0, 10**9), max_size=9))
def test_the_parts_of_a_bar_fill_it_and_can_be_seen(counts):
    widths = shares(counts)
    assert [bool(width) for width in widths] == [bool(count) for count in counts]
    assert sum(widths) == pytest.approx(100 if any(counts) else 0)
    assert all(width >= 0.38 for width in widths if width)
    for (one, narrow), (other, wide) in pairwise(sorted(zip(counts, widths, strict=True))):
        assert one == other or narrow <= wide + 1e-9


@given(st.integers(0, 10**12))
def test_ticks_are_whole_numbers_and_reach_the_greatest_value(most):
    ticks = steps(most)
    assert ticks[0] == 0
    assert ticks[-1] >= most
    assert 2 <= len(ticks) <= 6
    assert len({other - one for one, other in pairwise(ticks)}) == 1
    assert len(ticks) == 2 or ticks[-2] < most


@given(st.floats(0, 10**8))
def test_ticks_of_time_are_few_and_within_the_run(seconds):
    ticks = time_ticks(seconds)
    assert ticks[0] == 0
    assert all(0 <= tick <= seconds + 0.05 for tick in ticks)
    assert len(ticks) <= 6
    assert ticks == sorted(set(ticks))


MOMENTS = st.lists(st.floats(0, 1000), min_size=1, max_size=50).map(sorted)


@given(MOMENTS, st.integers(0, 10**7))
def test_lines_stay_within_their_box(moments, most):
    points = [Point(moment, standing(number * most // len(moments))) for number, moment in enumerate(moments)]
    chart = lines(points, moments[-1], {"read": lambda one: one.read}, height=200, areas="")
    numbers = re.findall(r"[HV]([\d.]+)", chart.paths["read"])
    assert all(0 <= float(one) <= 1000 for one in numbers)
    across = [float(one) for one in re.findall(r"H([\d.]+)", chart.paths["read"])]
    assert across == sorted(across)
    assert all(0 <= tick.at <= 100.1 for tick in chart.axes.across)
    assert all(0 <= tick.at <= 200 for tick in chart.axes.down)


def job(number, submitted=0.0, ended=None, **options):
    status = "completed" if ended is not None else "submitted"
    values = {"destination": "d", "route": "json", "action": "addnoforce", "rows": 2, "status": status} | options
    return Job(batch=number, job_id=str(number), submitted=submitted, ended=ended, **values)


SPANS = st.lists(st.tuples(st.floats(-10, 110), st.floats(0, 50) | st.none()), max_size=60)


@given(SPANS)
def test_jobs_are_drawn_within_the_run_and_not_over_each_other(spans):
    jobs = (
        [job(number, at, None if took is None else at + took) for number, (at, took) in enumerate(sorted(spans))]
        if (all(took is not None for _, took in spans))
        else [
            job(number, at, None if took is None else at + took)
            for number, (at, took) in enumerate(sorted(spans, key=lambda one: one[0]))
        ]
    )
    chart = timeline(jobs, 0.0, 100.0)
    assert [bar.job for bar in chart.bars] == jobs
    lanes: dict[float, list[tuple[float, float]]] = {}
    for bar in chart.bars:
        assert -1e-9 <= bar.at <= bar.at + bar.width <= 100 + 1e-6
        assert 0 <= bar.top <= chart.height - chart.lane + 1e-6
        lanes.setdefault(bar.top, []).append((bar.at, bar.at + bar.width))
    if len(lanes) < 40:
        for drawn in lanes.values():
            assert all(one[1] <= other[0] + 1e-6 for one, other in pairwise(sorted(drawn)))


@given(SPANS)
def test_jobs_under_way_are_counted_at_each_moment(spans):
    jobs = [job(number, at, None if took is None else at + took) for number, (at, took) in enumerate(spans)]
    points = jobs_under_way(jobs, 0.0, 100.0)
    assert [point.seconds for point in points] == sorted({point.seconds for point in points})
    for point in points:
        now = min(point.seconds, 100.0)
        ends = [min(max(one.submitted, 0.0), 100.0) for one in jobs]
        over = [min(max(one.ended, 0.0), 100.0) for one in jobs if one.ended is not None]
        assert point.standing.jobs == sum(at <= now for at in ends) - sum(at <= now for at in over) >= 0


@given(st.lists(st.floats(0, 10), max_size=300), st.integers(4, 20))
def test_a_long_run_takes_few_points_in_order_the_first_and_the_last_among_them(waits, most):
    series, moment = Series(most), 0.0
    for number, wait in enumerate(waits):
        moment += wait
        series.watch(moment, lambda number=number: standing(read=number))
    series.add(moment, standing(read=len(waits)))
    assert len(series.points) <= most
    moments = [point.seconds for point in series.points]
    assert moments == sorted(moments)
    assert series.points[-1] == Point(moment, standing(read=len(waits)))
    if len(waits):
        assert series.points[0].standing.read == 0


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["completed", "divided", "unfinished", "open"])), max_size=60)
)
def test_of_many_jobs_those_stay_that_need_attention_and_all_are_counted(ends):
    log = JobLog(most=10)
    for number, (refused, status) in enumerate(ends):
        log.take(job(number, float(number)))
        if status != "open":
            log.take(job(number, float(number), number + 1.0, status=status, refused=refused))
    kept = log.kept()
    assert len(kept) == min(10, len(ends))
    assert sum(log.statuses.values()) == len(ends)
    assert log.rows == 2 * len(ends)
    alert = sum(status != "completed" or refused > 0 for refused, status in ends)
    assert sum(one.status != "completed" or one.refused > 0 for one in kept) == min(10, alert)
    assert [one.batch for one in kept] == sorted(one.batch for one in kept)


@given(st.text(max_size=60))
def test_nothing_of_a_text_has_a_meaning_in_markdown(text):
    shown = escaped(text)
    assert "\n" not in shown
    assert not re.search(r"(?<!\\)(?:\\\\)*[<>|`*\[\]]", shown)
    assert re.sub(r"\\(.)", r"\1", shown) == " ".join(text.split())
