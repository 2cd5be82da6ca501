import pytest
from hypothesis import given
from hypothesis import strategies as some
from scipy.stats import binomtest

from detector.core.intervals import wilson


@given(some.integers(1, 5_000).flatmap(lambda of: some.tuples(some.integers(0, of), some.just(of))))
def test_the_interval_is_the_one_that_scipy_gives(counted):
    hits, of = counted
    peer = binomtest(hits, of).proportion_ci(0.95, method="wilson")
    assert wilson(hits, of) == pytest.approx((peer.low, peer.high), abs=1e-9)


@given(some.integers(1, 10**9).flatmap(lambda of: some.tuples(some.integers(0, of), some.just(of))))
def test_the_share_lies_in_its_interval_and_the_interval_in_0_to_1(counted):
    hits, of = counted
    low, high = wilson(hits, of)
    assert 0.0 <= low <= hits / of <= high <= 1.0


@pytest.mark.parametrize(("hits", "of"), [(0, 0), (-1, 5), (6, 5)])
def test_what_is_no_share_is_refused(hits, of):
    with pytest.raises(ValueError, match=f"{hits} of {of} is no share"):
        wilson(hits, of)
