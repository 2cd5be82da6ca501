from __future__ import annotations

import os
import threading
from hashlib import sha256
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from detector.store.model_cache import ModelCache

A, B, C = b"a" * 40, b"b" * 40, b"c" * 40


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def never() -> bytes:
    raise AssertionError("it was fetched")


@pytest.fixture
def cache(tmp_path: Path) -> ModelCache:
    return ModelCache(tmp_path / "data" / "cache", 100)


def kept(cache: ModelCache) -> set[bytes]:
    return {path.read_bytes() for path in cache.folder.glob("*.model")}


def age(cache: ModelCache, content: bytes, seconds: int) -> None:
    path = cache.folder / f"{digest(content)}.model"
    os.utime(path, (path.stat().st_mtime - seconds,) * 2)


def test_what_was_fetched_is_read_from_disk_the_next_time(cache: ModelCache) -> None:
    assert cache.get(digest(A), lambda: A) == A
    assert cache.get(digest(A), never) == A
    assert cache.folder.stat().st_mode & 0o077 == 0


def test_a_file_that_was_damaged_on_disk_is_fetched_again(cache: ModelCache) -> None:
    cache.keep(digest(A), A)
    next(cache.folder.glob("*.model")).write_bytes(B)
    with capture_logs() as logs:
        assert cache.get(digest(A), lambda: A) == A
    assert "damaged" in logs[0]["event"]
    assert cache.get(digest(A), never) == A


def test_what_comes_with_another_content_is_not_kept(cache: ModelCache) -> None:
    assert cache.get(digest(A), lambda: B) == B
    cache.keep(digest(A), B)
    assert kept(cache) == set()


def test_what_was_used_least_lately_makes_room(cache: ModelCache) -> None:
    for content, seconds in ((A, 30), (B, 20)):
        cache.keep(digest(content), content)
        age(cache, content, seconds)
    assert cache.get(digest(A), never) == A
    cache.keep(digest(C), C)
    assert kept(cache) == {A, C}
    assert [path.suffix for path in cache.folder.iterdir()] == [".model", ".model"]


def test_a_file_larger_than_the_cache_is_kept_until_the_next_one(cache: ModelCache) -> None:
    cache.keep(digest(A), A)
    large = b"l" * 200
    cache.keep(digest(large), large)
    assert kept(cache) == {large}
    cache.keep(digest(B), B)
    assert kept(cache) == {B}


def test_of_many_that_want_a_file_at_once_one_fetches_it(cache: ModelCache) -> None:
    fetched, found = [], []
    begun = threading.Event()

    def fetch() -> bytes:
        fetched.append(1)
        begun.wait(10)
        return A

    threads = [threading.Thread(target=lambda: found.append(cache.get(digest(A), fetch))) for _ in range(4)]
    for thread in threads:
        thread.start()
    begun.set()
    for thread in threads:
        thread.join()
    assert (found, fetched) == ([A] * 4, [1])


def test_a_fetch_that_fails_keeps_nobody_from_the_next_try(cache: ModelCache) -> None:
    with pytest.raises(AssertionError):
        cache.get(digest(A), never)
    assert cache.get(digest(A), lambda: A) == A


def test_a_disk_that_refuses_costs_a_fetch_each_time_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    cache = ModelCache(tmp_path / "file" / "cache", 100)
    with capture_logs() as logs:
        assert cache.get(digest(A), lambda: A) == A
        cache.keep(digest(A), A)
    assert {entry["event"] for entry in logs} == {"the cache of models cannot be used"}
    assert cache.get(digest(A), lambda: A) == A
