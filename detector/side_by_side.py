"""Work on a long file side by side: the next block is read, and the one before is written, while one is scored.

What reads, scores and writes spends its time in compiled code that lets go of the interpreter's lock, so that a thread
for each keeps more than one processor busy. Blocks stay in their order. One is made ahead and one is worked on behind,
never more, so that memory does not depend on the length of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

T = TypeVar("T")


def ahead(blocks: Iterator[T]) -> Iterator[T]:
    """Yield ``blocks`` in their order; while one is worked on, another thread makes the next.

    What making one raises is raised here, in its place. Once this iterator is closed its thread has ended, and
    ``blocks`` is closed too.
    """
    end: Any = object()
    context = copy_context()

    def make() -> T:
        return context.run(lambda: next(blocks, end))

    with ThreadPoolExecutor(1, "reading") as thread:
        try:
            coming = thread.submit(make)
            while (block := coming.result()) is not end:
                coming = thread.submit(make)
                yield block
                # Else it would be held here until the next one comes.
                del block
        finally:
            thread.shutdown(cancel_futures=True)
            close = getattr(blocks, "close", None)
            if close is not None:
                close()


class Behind(Generic[T]):
    """Does ``work`` with one block after the other in a thread of its own; use it as a context.

    On leaving, all of it is done, or what it raised is raised; where the body raised, that counts.
    """

    def __init__(self, work: Callable[[T], None]) -> None:
        self._work = work
        self._context = copy_context()
        self._thread = ThreadPoolExecutor(1, "writing")
        self._doing: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(cancel_futures=error is not None)
        if error is None:
            self._done()

    def __call__(self, block: T) -> None:
        """Hand over a block, once the one before it is done.

        Raises
        ------
        Exception
            What ``work`` raised for the block before.
        """
        self._done()
        self._doing = self._thread.submit(self._context.run, self._work, block)

    def _done(self) -> None:
        doing, self._doing = self._doing, None
        if doing is not None:
            doing.result()
