"""The measurement of growth: it runs, is taken up again, tells slopes, and its document says what its figures say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import scale
from benchmarks.scaling.axes import AXES
from benchmarks.scaling.document import beside, rewritten
from benchmarks.scaling.drawing import picture
from benchmarks.scaling.growth import slope
from benchmarks.scaling.measuring import Figure, Meter
from benchmarks.scaling.results import Point, Results
from benchmarks.scaling.telling import axis_table, shown

DOCUMENT = Path(__file__).parents[1] / "docs" / "scaling.md"


def made_up(*, largest: int = 10_000, **cut: str) -> Results:
    """Rows at four sizes, where fitting grows in proportion and scoring does not grow."""
    results = Results()
    for size in (largest // 1_000, largest // 100, largest // 10, largest):
        figures = (Figure("fit", size * 1e-3, peak=2_000_000), Figure("score", 0.5), Figure("model file", 2_500.0, "B"))
        results.add("rows", Point(size, figures))
    for size, why in cut.items():
        results.add("rows", Point(int(size.removeprefix("at_")), cut=why))
    return results


def test_all_axes_are_measured_in_small_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scale.main(["--quick", "--out", str(tmp_path)])
    printed = capsys.readouterr().out
    kept = Results.read(tmp_path / "scale.json")
    for name, axis in AXES.items():
        assert f"## {name}" in printed
        assert [point.size for point in kept.points[name]] == list(axis.quick)
        works = dict(kept.works(name))
        assert {work for work in axis.drawn if "rows" not in work} <= set(works)
        assert all(figure.value >= 0.0 for point in kept.points[name] for figure in point.figures)
    assert "1,000 requests a second with an entity" in printed
    assert sum(kept.written.values()) >= 4
    assert (tmp_path / "scale.md").read_text().count("## ") == len(AXES)
    assert (tmp_path / "scale.svg").read_text().startswith("<svg")


def test_a_run_is_taken_up_where_it_was_broken_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def child(name: str, size: int, timeout: float) -> tuple[list[Figure], float]:
        if size > 100 and not asked.count(1_000):
            asked.append(size)
            raise KeyboardInterrupt
        asked.append(size)
        return [Figure("fit", 1.0)], 1.0

    monkeypatch.setattr(scale, "measured_apart", child)
    command = ["--axis", "versions", "--out", str(tmp_path)]
    with pytest.raises(KeyboardInterrupt):
        scale.main(command)
    scale.main([*command, "--resume"])
    assert asked == [1, 10, 100, 1_000, 1_000, 3_000, 10_000]
    assert [point.size for point in Results.read(tmp_path / "scale.json").points["versions"]] == [
        1, 10, 100, 1_000, 3_000, 10_000,
    ]  # fmt: skip


def test_what_an_axis_has_no_time_for_is_named_and_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scale, "measured_apart", lambda *_, **__: pytest.fail("There is no time for it."))
    scale.main(["--axis", "cases", "--budget", "-1", "--out", str(tmp_path)])
    assert "1,000,000 open cases were not measured" in capsys.readouterr().out


def test_what_a_size_is_likely_to_take_follows_from_those_before_it() -> None:
    took = scale.Took(0.0)
    assert took.likely(100) == 0.0
    took = took.then(10, 1.0, starting=5.0)
    assert took.likely(100) == pytest.approx(15.0)
    took = took.then(100, 2.0, starting=5.0)
    assert took.likely(1_000) == pytest.approx(9.0)
    assert took.then(1_000, 2_000.0, starting=5.0).exponent == 2.0


def test_one_size_is_measured_in_a_process_of_its_own() -> None:
    figures, working = scale.measured_apart("signatures", 2, timeout=120.0)
    assert working > 0.0
    assert {"first request of each", "each again, in turn"} <= {figure.work for figure in figures}


def test_a_process_that_does_not_come_to_its_end_says_so() -> None:
    with pytest.raises(scale.NotMeasuredError, match="1,000 took more than 0 s"):
        scale.measured_apart("cases", 1_000, timeout=0.0)
    with pytest.raises(scale.NotMeasuredError, match="at 5 the process ended with code 1"):
        scale.measured_apart("no such axis", 5, timeout=120.0)


def test_the_slope_is_the_exponent_over_the_upper_sizes() -> None:
    sizes = [10, 100, 1_000, 10_000, 100_000]
    found = slope(sizes, [500.0, *(3e-4 * size**1.5 for size in sizes[1:])])
    assert found is not None
    assert (found.exponent, found.error) == (pytest.approx(1.5), pytest.approx(0.0, abs=1e-9))
    assert found.at(1e6) == pytest.approx(3e-4 * 1e9)
    noisy = slope(sizes, [1.0, 1.1, 0.9, 1.05, 1.0])
    assert noisy is not None
    assert noisy.error is not None
    assert abs(noisy.exponent) < 3 * noisy.error
    assert slope([10], [1.0]) is None


def test_the_standard_error_is_that_of_a_line_through_the_logarithms() -> None:
    sizes, costs = [10, 100, 1_000, 10_000], [1.0, 9.0, 140.0, 900.0]
    found = slope(sizes, costs)
    assert found is not None
    (exponent, _), covariance = np.polyfit(np.log(sizes), np.log(costs), 1, cov=True)
    assert found.exponent == pytest.approx(exponent)
    assert found.error == pytest.approx(np.sqrt(covariance[0, 0]))


def test_what_is_extrapolated_says_so() -> None:
    told = axis_table(made_up(largest=10_000_000), "rows")
    assert "100,000,000, extrapolated" in told
    (fit,) = [line for line in told.splitlines() if line.startswith("| fit |")]
    assert [cell.strip() for cell in fit.split("|")[-4:-1]] == ["100,000 s", "1.00 ± 0.00", "1 ms"]
    assert "| fit: memory | 2 MB |" in told
    (file,) = [line for line in told.splitlines() if line.startswith("| model file |")]
    assert file.split("|")[-4].strip() == ""
    assert "extrapolated" not in axis_table(made_up(largest=1_000_000), "rows")


def test_what_was_not_measured_is_named_below_its_table() -> None:
    told = axis_table(made_up(at_100000="it would take about 5 s"), "rows")
    assert told.endswith("100,000 rows were not measured: it would take about 5 s.")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(1.5e-7, "s", "150 ns"), (0.00234, "s", "2.34 ms"), (1234.6, "s", "1,235 s"), (58.0, "B", "58 B"),
     (1.37e8, "B", "137 MB"), (0.5, "B", "0.5 B")],
)  # fmt: skip
def test_figures_are_told_in_a_unit_that_suits_them(value: float, unit: str, text: str) -> None:
    assert shown(value, unit) == text


def test_the_best_time_of_one_work_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([0.0, 0.4, 1.0, 1.1, 2.0, 2.3])
    monkeypatch.setattr("benchmarks.scaling.measuring.time.perf_counter", lambda: next(ticks))
    meter = Meter()
    assert meter.time("work", lambda: "done", runs=3, of=10) == "done"
    assert meter.figures[0].value == pytest.approx(0.01)


def test_only_what_stands_between_marks_is_told_anew() -> None:
    text = "Before\n<!-- figures: rows -->\nold\n<!-- end -->\n<!-- figures: cases -->\nkept\n<!-- end -->\nafter\n"
    told = rewritten(text, made_up())
    assert told.startswith("Before\n<!-- figures: rows -->\n\n| work | 10 | 100 |")
    assert told.endswith("<!-- end -->\n<!-- figures: cases -->\nkept\n<!-- end -->\nafter\n")
    assert rewritten(told, made_up()).splitlines()[:3] == told.splitlines()[:3]


def test_the_document_says_what_its_figures_say() -> None:
    figures, drawn = beside(DOCUMENT)
    results = Results.read(figures)
    assert list(results.points) == list(AXES)
    text = DOCUMENT.read_text()
    assert rewritten(text, results) == text
    assert picture(results) == drawn.read_text()


def test_the_picture_of_the_document_is_light_and_its_figures_are_whole() -> None:
    figures, drawn = beside(DOCUMENT)
    assert drawn.stat().st_size < 100_000
    for name, points in json.loads(figures.read_text())["axes"].items():
        assert [point["size"] for point in points] == list(AXES[name].sizes)
        assert all(bool(point["figures"]) is (point["cut"] is None) for point in points)
