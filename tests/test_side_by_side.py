from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from detector.side_by_side import Behind, ahead


class Blocks:
    """Numbers 0, 1, 2, ...; counts how many were made, and knows whether it was closed."""

    def __init__(self, most: int, wrong_at: int | None = None) -> None:
        self.made = 0
        self.closed = False
        self._most, self._wrong_at = most, wrong_at

    def __iter__(self) -> Iterator[int]:
        try:
            for number in range(self._most):
                if number == self._wrong_at:
                    raise ValueError(f"block {number}")
                self.made += 1
                yield number
        finally:
            self.closed = True


def test_blocks_come_in_their_order_and_never_more_than_one_ahead() -> None:
    blocks, came = Blocks(200), []
    for number in ahead(iter(blocks)):
        assert number + 1 <= blocks.made <= number + 2
        came.append(number)
    assert came == list(range(200))
    assert blocks.closed


def test_what_making_a_block_raises_is_raised_behind_the_blocks_before_it() -> None:
    blocks, came = Blocks(9, wrong_at=5), []
    with pytest.raises(ValueError, match="block 5"):
        came.extend(ahead(iter(blocks)))
    assert came == [0, 1, 2, 3, 4]
    assert blocks.closed


def test_who_stops_early_closes_the_blocks_and_ends_their_thread() -> None:
    blocks = Blocks(9)
    coming = ahead(iter(blocks))
    assert next(coming) == 0
    coming.close()  # type: ignore[attr-defined]
    assert blocks.closed
    assert blocks.made <= 2
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("reading")]


def test_work_is_done_in_its_order_one_block_behind() -> None:
    done: list[int] = []
    with Behind(done.append) as do:
        for number in range(200):
            do(number)
            assert number <= len(done) + 1
    assert done == list(range(200))


def test_what_the_work_raises_is_raised_with_the_next_block_and_no_other_is_worked_on() -> None:
    done: list[int] = []

    def work(number: int) -> None:
        if number == 1:
            raise OSError("the disk is full")
        done.append(number)

    def all_of_it() -> None:
        with Behind(work) as do:
            for number in range(9):
                do(number)

    with pytest.raises(OSError, match="the disk is full"):
        all_of_it()
    assert done == [0]


def test_what_the_last_block_raises_is_raised_at_the_end() -> None:
    with pytest.raises(ZeroDivisionError), Behind[int](lambda number: 1 // number) as do:
        do(0)


def test_an_error_of_the_body_is_the_one_that_is_raised() -> None:
    def half_of_it() -> None:
        with Behind[int](lambda number: 1 // number) as do:
            do(0)
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        half_of_it()
