"""What an entity usually does, event by event: decayed counts and sums, and how an event compares with them.

The state of an entity is one row in each of seven arrays; its number is found through ``table``, an open-addressed hash
table of row numbers counted from 1 (0 is an empty place). With ``K`` periods and ``C`` columns of which first times are
told, the arrays are:

- ``keys`` (e,): 64-bit hash of the entity's text, never 0.
- ``times`` (e, 3): first event, last event, and the one before the last (``NaN`` when there was none), in seconds.
- ``figures`` (e, 3 K + 1 + C): decayed number of events, of amounts, and sum of amounts, each in ``K`` periods and as
  of the last event; the plain number of events; and for each column how many events were a first time.
- ``recent`` (e, 8): hashes of the events that came last, the newest first.
- ``seen`` (e, 2 C): a Bloom filter of 128 bits for the values of each column.
- ``fresh`` (e,): one bit a column, whether the newest event was a first time.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from detector.core.kernels.compiling import compiled

_U = np.uint64
#: Seconds over which counts fade to 1/e: a steady pace of r events a second comes to r times the period.
HOUR, DAY, WEEK, MONTH = 3_600.0, 86_400.0, 604_800.0, 2_592_000.0
PERIODS = 4
#: The last period is the habit that the shorter ones are compared with.
WINDOWS = PERIODS - 1
#: Events of habit that are added on both sides of each comparison, so that a handful of events makes no headline.
PRIOR = 3.0
RECENT = 8
#: What an event is compared by, before the first times: the amount; events, sums and amounts an event in each window;
#: the gap.
COMPARISONS = 2 + 3 * WINDOWS
#: An amount below this share of an event is nothing but rounding.
_LEAST = 1e-4


@njit(inline="always")
def _period(k):
    return HOUR if k == 0 else DAY if k == 1 else WEEK if k == 2 else MONTH


@njit(inline="always")
def _scrambled(h):
    # The finaliser of MurmurHash3 for 64 bits (A. Appleby, public domain).
    h = _U(h)
    h ^= h >> _U(33)
    h *= _U(0xFF51AFD7ED558CCD)
    h ^= h >> _U(33)
    h *= _U(0xC4CEB9FE1A85EC53)
    return h ^ (h >> _U(33))


@njit(inline="always")
def _place(table, keys, key):
    """Return where in ``table`` the key is, or the empty place where it belongs."""
    mask = _U(table.shape[0] - 1)
    place = key & mask
    while table[place] != 0 and keys[_U(table[place] - 1)] != key:
        place = (place + _U(1)) & mask
    return place


@njit(inline="always")
def _has(seen, entity, column, value):
    first, second = value & _U(127), (value >> _U(7)) & _U(127)
    base = _U(2) * _U(column)
    one = (seen[entity, base + (first >> _U(6))] >> (first & _U(63))) & _U(1)
    two = (seen[entity, base + (second >> _U(6))] >> (second & _U(63))) & _U(1)
    return one == _U(1) and two == _U(1)


@njit(inline="always")
def _remember(seen, entity, column, value):
    base = _U(2) * _U(column)
    first, second = value & _U(127), (value >> _U(7)) & _U(127)
    seen[entity, base + (first >> _U(6))] |= _U(1) << (first & _U(63))
    seen[entity, base + (second >> _U(6))] |= _U(1) << (second & _U(63))


@njit(nogil=True, cache=True, boundscheck=False)
def _compare(times, figures, recent, seen, fresh, entity, time, amount, values, mark, out):
    """Write how one event compares with its entity's habit to ``out``; return whether it has been counted already."""
    columns = values.shape[0]
    out[:] = np.nan
    first, last = times[entity, 0], times[entity, 1]
    repeated = False
    for place in range(RECENT):
        if recent[entity, place] == mark:
            repeated = True
    gap = max(0.0, time - last)
    newest = repeated and recent[entity, 0] == mark and time == last
    if newest:
        gap = time - times[entity, 2]
    # What was not yet known at its time tells nothing: a first event, seen again, is still a first one.
    if not time > first:
        return repeated
    own = 1.0 if repeated else 0.0
    known = 0.0 if math.isnan(amount) else own
    money = 0.0 if math.isnan(amount) else abs(amount)
    late = max(0.0, last - time)
    month = math.exp(-max(0.0, time - last) / MONTH)
    faded = math.exp(-late / MONTH)
    events = figures[entity, 3] * month - own * faded
    amounts = figures[entity, 7] * month - known * faded
    total = figures[entity, 11] * month - known * money * faded
    observed = max(DAY, -MONTH * math.expm1(-(max(time, last) - first) / MONTH))
    pace = max(0.0, events) / observed
    usual = total / amounts if amounts > _LEAST * month and total > 0.0 else math.nan
    spend = usual * amounts / observed
    priced = not math.isnan(amount) and usual > 0.0
    if priced:
        out[0] = money / usual
    for k in range(WINDOWS):
        period = _period(k)
        now = math.exp(-max(0.0, time - last) / period)
        then = math.exp(-late / period)
        lately = max(0.0, figures[entity, k] * now - own * then)
        out[1 + k] = (lately + 1.0 + PRIOR) / (pace * period + 1.0 + PRIOR)
        if priced:
            paid = max(0.0, figures[entity, PERIODS + k] * now - known * then)
            spent = max(0.0, figures[entity, 2 * PERIODS + k] * now - known * money * then)
            spent += money + PRIOR * usual
            out[1 + WINDOWS + k] = spent / (spend * period + (1.0 + PRIOR) * usual)
            out[1 + 2 * WINDOWS + k] = spent / ((paid + 1.0 + PRIOR) * usual)
    if not math.isnan(gap):
        out[1 + 3 * WINDOWS] = gap * pace
    for column in range(columns):
        out[COMPARISONS + column] = 1.0
        value = values[column]
        if value != _U(0):
            was_fresh = newest and (fresh[entity] >> np.uint8(column)) & np.uint8(1) == 1
            if was_fresh or not _has(seen, entity, column, value):
                before = figures[entity, 3 * PERIODS] - own
                new = figures[entity, 3 * PERIODS + 1 + column] - (1.0 if was_fresh else 0.0)
                out[COMPARISONS + column] = (before + 2.0) / (new + 1.0)
    return repeated


@njit(nogil=True, cache=True, boundscheck=False)
def _count(times, figures, recent, seen, fresh, entity, time, amount, values, mark):
    """Let one event into its entity's state; a late one counts as much as if it had come in time."""
    columns = values.shape[0]
    last = times[entity, 1]
    if time >= last:
        for k in range(PERIODS):
            weight = math.exp(-(time - last) / _period(k))
            figures[entity, k] *= weight
            figures[entity, PERIODS + k] *= weight
            figures[entity, 2 * PERIODS + k] *= weight
        times[entity, 2] = last if figures[entity, 3 * PERIODS] > 0.0 else np.nan
        times[entity, 1] = time
    elif not times[entity, 2] > time:
        times[entity, 2] = time
    times[entity, 0] = min(times[entity, 0], time)
    late = max(0.0, last - time)
    for k in range(PERIODS):
        weight = math.exp(-late / _period(k))
        figures[entity, k] += weight
        if not math.isnan(amount):
            figures[entity, PERIODS + k] += weight
            figures[entity, 2 * PERIODS + k] += weight * abs(amount)
    figures[entity, 3 * PERIODS] += 1.0
    new = np.uint8(0)
    for column in range(columns):
        value = values[column]
        if value != _U(0) and not _has(seen, entity, column, value):
            figures[entity, 3 * PERIODS + 1 + column] += 1.0
            _remember(seen, entity, column, value)
            new |= np.uint8(1) << np.uint8(column)
    fresh[entity] = new
    for place in range(RECENT - 1, 0, -1):
        recent[entity, place] = recent[entity, place - 1]
    recent[entity, 0] = mark


@njit(nogil=True, cache=True, boundscheck=False)
def _begin(keys, times, figures, recent, seen, fresh, entity, key, time):
    keys[entity] = key
    times[entity, 0] = time
    times[entity, 1] = time
    times[entity, 2] = np.nan
    figures[entity] = 0.0
    recent[entity] = 0
    seen[entity] = 0
    fresh[entity] = 0


_STATE = "u4[::1], u8[::1], f8[:,::1], f4[:,::1], u4[:,::1], u8[:,::1], u1[::1]"
_EVENTS = "u8[::1], f8[::1], f8[::1], u8[:,::1], u4[::1]"


@compiled(f"i8({_STATE}, i8, {_EVENTS}, i8[::1], b1, f8[:,::1])")
def follow_events(
    table, keys, times, figures, recent, seen, fresh, size,
    event_keys, event_times, amounts, values, marks, order, counting, out,
):  # fmt: skip
    """Compare each event with its entity's habit, then let it in; return how many entities are known now.

    Parameters
    ----------
    size : entities known; the arrays must have room for those that may come.
    event_keys : (n,) the entities' hashes, 0 for none.
    event_times : (n,) seconds, ``NaN`` for none; events without entity or time are passed over.
    amounts : (n,), ``NaN`` for none.
    values : (n, C) hashes, 0 for none.
    marks : (n,) what makes an event the same as another of its entity, never 0.
    order : (n,) the events in the order in which they are taken.
    counting : whether events are let in; if not, the state stays as it is.
    out : (n, 11 + C), ``NaN`` where nothing is known of the entity.
    """
    for i in range(order.shape[0]):
        event = order[i]
        key, time = event_keys[event], event_times[event]
        out[event] = np.nan
        if key == _U(0) or math.isnan(time):
            continue
        place = _place(table, keys, key)
        if table[place] == 0:
            if not counting:
                continue
            _begin(keys, times, figures, recent, seen, fresh, _U(size), key, time)
            size += 1
            table[place] = size
            repeated = False
        else:
            entity = _U(table[place] - 1)
            repeated = _compare(
                times, figures, recent, seen, fresh, entity, time, amounts[event], values[event], marks[event],
                out[event],
            )  # fmt: skip
        if counting and not repeated:
            entity = _U(table[place] - 1)
            _count(
                times, figures, recent, seen, fresh, entity, time, amounts[event], values[event], marks[event]
            )  # fmt: skip
    return size


@compiled("void(u4[::1], u8[::1], u8[::1], i8[::1])")
def find_entities(table, keys, wanted, out):
    """Write the state's row of each of the ``wanted`` keys to ``out``, -1 where there is none."""
    for i in range(wanted.shape[0]):
        out[i] = np.int64(table[_place(table, keys, wanted[i])]) - 1


@compiled("void(u4[::1], u8[::1], i8)")
def index_entities(table, keys, size):
    """Fill an empty ``table`` with the first ``size`` keys, which must differ."""
    for entity in range(size):
        table[_place(table, keys, keys[entity])] = entity + 1


@compiled("u8[::1](u8[::1])")
def scrambled(values):
    """Return 64-bit hashes of 64-bit numbers."""
    out = np.empty(values.shape[0], np.uint64)
    for i in range(values.shape[0]):
        out[i] = _scrambled(values[i])
    return out
