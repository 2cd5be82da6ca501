"""How often a caller may ask: wrong keys strictly, requests as the settings say.

The library ``limits`` counts, in the memory of the process. A count costs some ten microseconds, more than all the rest
of admission, so it is taken where it matters: for wrong keys always, for good requests only where a limit is set.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from math import ceil, inf
from time import monotonic, time

from limits import RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter, SlidingWindowCounterRateLimiter


class FailedKeys:
    """Slows down who tries keys: so many wrong ones a minute from one address, then none is even looked at.

    Wrong secrets for a known id are counted for that id. So a program that repeats an old key, or somebody who tries
    secrets for one, does not lock out the other keys behind the same address.
    """

    def __init__(self, per_minute: int) -> None:
        self._item = RateLimitItemPerMinute(per_minute)
        self._limiter: MovingWindowRateLimiter | None = None
        self._watchful_until = -inf

    @property
    def watchful(self) -> bool:
        """Whether somebody has presented a wrong key lately; else nobody has to wait."""
        return monotonic() <= self._watchful_until

    def wait(self, peer: str, key_id: str) -> int:
        """Return the seconds until another try is looked at; 0 when it may be now."""
        if self._limiter is None or not self.watchful:
            return 0
        names = _network(peer), key_id
        if self._limiter.test(self._item, *names):
            return 0
        return max(1, ceil(self._limiter.get_window_stats(self._item, *names).reset_time - time()))

    def count(self, peer: str, key_id: str) -> None:
        """Count a wrong key; ``key_id`` is empty where no such key is known."""
        if self._limiter is None:
            self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._limiter.hit(self._item, _network(peer), key_id)
        self._watchful_until = monotonic() + self._item.get_expiry()


class RequestRate:
    """Limits the requests of one caller, when a limit is set."""

    def __init__(self, per_second: int, burst_seconds: int) -> None:
        self.limited = per_second > 0
        if self.limited:
            self._item = RateLimitItemPerSecond(per_second * burst_seconds, burst_seconds)
            self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def wait(self, name: str) -> int:
        """Count a request of ``name``; return the seconds that it has to wait, 0 when it is within the limit."""
        if not self.limited or self._limiter.hit(self._item, name):
            return 0
        return max(1, ceil(self._limiter.get_window_stats(self._item, name).reset_time - time()))


def _network(peer: str) -> str:
    """Return what one person controls: an address, of IPv6 the network of 64 bits that providers hand out."""
    try:
        address = ip_address(peer)
    except ValueError:
        return peer
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(IPv6Address(int(address) >> 64 << 64))
    return peer
