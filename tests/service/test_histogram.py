from __future__ import annotations

import numpy as np

from detector.service.histogram import Histogram


def test_each_severity_falls_into_the_bin_of_its_point() -> None:
    found = Histogram.of(np.array([0.0, 0.99, 1.0, 99.0, 100.0]))
    assert (found.counts[0], found.counts[1], found.counts[99]) == (2, 1, 2)
    assert (len(found.edges), len(found.counts), found.edges[0], found.edges[-1]) == (101, 100, 0.0, 100.0)
    assert found.rows == 5


def test_histograms_add_up() -> None:
    one, other = Histogram.of(np.array([1.0, 50.0])), Histogram.of(np.array([50.0]))
    assert one.plus(other) == Histogram.of(np.array([1.0, 50.0, 50.0]))
    assert one.plus(Histogram.empty()) == one


def test_a_histogram_survives_json() -> None:
    found = Histogram.of(np.array([1.0, 50.0]))
    assert Histogram.from_dict(found.to_dict()) == found
