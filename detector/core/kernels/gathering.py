"""Walking trees sixteen rows at a time, on processors whose vectors can load from sixteen places at once.

A node is one 32-bit number: where its column lies in a tile, and the place of its threshold among all thresholds of
that column. Rows hold, for each column, how many thresholds are below their value; so ``value <= threshold`` is a
comparison of two small whole numbers, exactly. The first 63 nodes of a tree stay in registers while rows walk it.

The numbers are those of :func:`~detector.core.kernels.walking.path_lengths`, bit for bit, for two fifths of the time.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic, register_jitable

from detector.core.kernels.compiling import compiled

#: Whether this processor does so fast. The first that do without a mitigation that makes such loads slower than single
#: ones (Gather Data Sampling, CVE-2022-40982) know these numbers of 16 bits, too.
GATHERS = bool(
    not getattr(config, "CPU_NAME", None)
    and not getattr(config, "CPU_FEATURES", None)
    and llvm.get_process_triple().startswith("x86_64")
    and {"avx512f", "avx512fp16"} <= {name for name, has in llvm.get_host_cpu_features().items() if has}
)
#: Rows of a tile, and rows that walk side by side: while one vector is loaded the others are compared.
TILE, _TOGETHER = 256, 64
#: A tile has room for so many columns, and a column for so many different thresholds: 16 bits hold each.
MOST_COLUMNS, MOST_THRESHOLDS = (1 << 16) // TILE, 1 << 16
#: Nodes of a tree that are kept in registers, and levels that these are.
_IN_REGISTERS, _LEVELS = 63, 6

_I64, _I32, _BYTES = ir.IntType(64), ir.IntType(32), ir.IntType(8).as_pointer()
_LANES = 16
_WHOLE, _FLOATS = ir.VectorType(_I32, _LANES), ir.VectorType(ir.FloatType(), _LANES)
_DOUBLES, _FLAGS = ir.VectorType(ir.DoubleType(), _LANES), ir.VectorType(ir.IntType(1), _LANES)


def _same(number):
    return ir.Constant(_WHOLE, [number] * _LANES)


def _spread(builder, number):
    """Return a vector of the same 32-bit number."""
    nothing = ir.Constant(_WHOLE, ir.Undefined)
    return builder.shuffle_vector(builder.insert_element(nothing, number, _I32(0)), nothing, _same(0))


def _call(builder, name, result, *arguments):
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.avx512.{name}.512"), arguments)


def _load_at(builder, base, places, kind=_WHOLE):
    """Load 32 bits from each of sixteen places behind ``base``."""
    name = "mask.gather.dpi" if kind is _WHOLE else "mask.gather.dps"
    nothing = ir.Constant(kind, [0 if kind is _WHOLE else 0.0] * _LANES)
    return _call(builder, name, kind, nothing, base, places, ir.Constant(_FLAGS, [1] * _LANES), _I32(4))


def _vector(builder, base, place, kind=_WHOLE):
    """Return a pointer to the sixteen values from ``place`` (int64) on."""
    size = _I64(8 if kind is _DOUBLES else 4)
    return builder.bitcast(builder.gep(base, [builder.mul(place, size)]), kind.as_pointer())


def _load(builder, pointer):
    value = builder.load(pointer)
    value.align = 4
    return value


def _store(builder, value, pointer):
    builder.store(value, pointer).align = 4


def _data(context, builder, kind, array):
    return builder.bitcast(context.make_array(kind)(context, builder, array).data, _BYTES)


@intrinsic
def _rank(_typing, table, steps, tile, at):
    """Replace 64 values of a tile by how many entries of ``table`` (ascending, 2**steps - 1) are below each."""

    def generate(context, builder, signature, arguments):
        entries, tiles = (_data(context, builder, signature.args[n], arguments[n]) for n in (0, 2))
        count, begin = arguments[1], arguments[3]
        pointers = [_vector(builder, tiles, builder.add(begin, _I64(at))) for at in range(0, _TOGETHER, _LANES)]
        values = [_load(builder, pointer) for pointer in pointers]
        found = [cgutils.alloca_once_value(builder, _same(0)) for _ in pointers]
        for place in found:
            builder.store(_same(0), place)
        half = cgutils.alloca_once(builder, _I32)
        builder.store(builder.lshr(builder.shl(_I32(1), builder.trunc(count, _I32)), _I32(1)), half)
        with cgutils.for_range(builder, count):
            step = _spread(builder, builder.load(half))
            for value, place in zip(values, found, strict=True):
                below = builder.load(place)
                probe = _load_at(builder, entries, builder.add(below, builder.sub(step, _same(1))))
                further = builder.add(below, step)
                builder.store(builder.select(builder.icmp_signed("<", probe, value), further, below), place)
            builder.store(builder.lshr(builder.load(half), _I32(1)), half)
        for place, pointer in zip(found, pointers, strict=True):
            _store(builder, builder.load(place), pointer)
        return context.get_dummy_value()

    return types.void(table, steps, tile, at), generate


@intrinsic
def _walk(_typing, words, tile, leaf, depth, lane, sums):
    """Walk 64 rows of a tile, from ``lane`` on, through one tree; add their leaf values to ``sums``."""

    def generate(context, builder, signature, arguments):
        nodes_of, tiles, leaves, totals = (
            _data(context, builder, signature.args[n], arguments[n]) for n in (0, 1, 2, 5)
        )
        levels, begin = arguments[3], arguments[4]
        first = _spread(builder, builder.trunc(begin, _I32))
        groups = range(0, _TOGETHER, _LANES)
        lanes = [builder.add(first, ir.Constant(_WHOLE, [at + n for n in range(_LANES)])) for at in groups]
        nodes = [cgutils.alloca_once_value(builder, _same(0)) for _ in groups]
        for node in nodes:
            builder.store(_same(0), node)

        def descend(word_of):
            now = [builder.load(node) for node in nodes]
            words = [word_of(node) for node in now]
            places = [builder.add(builder.and_(w, _same(0xFFFF)), at) for w, at in zip(words, lanes, strict=True)]
            values = [_load_at(builder, tiles, place) for place in places]
            for slot, node, word, value in zip(nodes, now, words, values, strict=True):
                right = builder.zext(builder.icmp_signed(">", value, builder.lshr(word, _same(16))), _WHOLE)
                builder.store(builder.add(builder.add(builder.shl(node, _same(1)), _same(1)), right), slot)

        def loaded(node):
            return _load_at(builder, nodes_of, node)

        top, fifth, low, high = (_load(builder, _vector(builder, nodes_of, _I64(at))) for at in (0, 15, 31, 47))
        with builder.if_else(builder.icmp_signed(">=", levels, _I64(_LEVELS))) as (deep, shallow):
            with deep:
                for _ in range(4):
                    descend(lambda node: _call(builder, "permvar.si", _WHOLE, top, node))
                descend(lambda node: _call(builder, "permvar.si", _WHOLE, fifth, builder.sub(node, _same(15))))
                descend(
                    lambda node: _call(builder, "vpermi2var.d", _WHOLE, low, builder.sub(node, _same(31)), high),
                )
                with cgutils.for_range(builder, builder.sub(levels, _I64(_LEVELS))):
                    descend(loaded)
            with shallow, cgutils.for_range(builder, levels):
                descend(loaded)
        inner = _spread(builder, builder.trunc(builder.sub(builder.shl(_I64(1), levels), _I64(1)), _I32))
        for at, node in zip(groups, nodes, strict=True):
            said = _load_at(builder, leaves, builder.sub(builder.load(node), inner), _FLOATS)
            pointer = _vector(builder, totals, builder.add(begin, _I64(at)), _DOUBLES)
            _store(builder, builder.fadd(_load(builder, pointer), builder.fpext(said, _DOUBLES)), pointer)
        return context.get_dummy_value()

    return types.void(words, tile, leaf, depth, lane, sums), generate


@register_jitable
def _ordered(bits):
    """Return a whole number for the bits of a 32-bit float; the numbers compare as the floats do."""
    return bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF))


def ranked(split_column: Any, threshold: Any) -> tuple[Any, ...] | None:
    """Return what :func:`gathered_path_lengths` needs of a forest, or ``None`` where a node does not fit into a word.

    Returns
    -------
    columns : (m,) int64, the columns that trees ask for.
    tables : int32, the thresholds of each of them, ascending; one behind the other.
    begins, steps : (m,) int64, where each begins, and how many halvings find a place in it.
    words : (trees, nodes) uint32.
    """
    cuts = _ordered((threshold + np.float32(0.0)).view(np.int32))  # -0.0 would come before 0.0
    columns = np.unique(split_column).astype(np.int64)
    if len(columns) > MOST_COLUMNS:
        return None
    trees, nodes = cuts.shape
    words = np.zeros((trees, max(nodes + 1, _IN_REGISTERS + 1)), np.uint32)
    tables, steps = [], []
    for place, column in enumerate(columns.tolist()):
        asks = split_column == column
        known, ranks = np.unique(cuts[asks], return_inverse=True)
        if len(known) > MOST_THRESHOLDS:
            return None
        words[:, :nodes][asks] = ranks.astype(np.uint32) << np.uint32(16) | np.uint32(place * TILE)
        steps.append(len(known).bit_length())
        table = np.full((1 << steps[-1]) - 1, np.iinfo(np.int32).max, np.int32)
        table[: len(known)] = known
        tables.append(table)
    begins = np.cumsum([0, *map(len, tables[:-1])])
    return columns, np.concatenate(tables), begins.astype(np.int64), np.array(steps, np.int64), words


def _path_lengths(rows, columns, tables, begins, steps, words, leaf, depth, start, stop, out):
    trees = words.shape[0]
    tile = np.zeros(columns.shape[0] * TILE, np.int32)
    values = tile.view(np.float32)
    sums = np.empty(TILE, np.float64)
    for a in range(start, stop, TILE):
        b = min(a + TILE, stop)
        for i in range(a, b):
            for j in range(columns.shape[0]):
                values[j * TILE + i - a] = rows[i, columns[j]] + np.float32(0.0)  # -0.0 would come before 0.0
        for k in range(tile.shape[0]):
            tile[k] = _ordered(tile[k])
        for j in range(columns.shape[0]):
            for at in range(0, b - a, _TOGETHER):
                _rank(tables[begins[j] :], steps[j], tile, j * TILE + at)
        sums[:] = 0.0
        for t in range(trees):
            for at in range(0, b - a, _TOGETHER):  # rows beyond the last are walked, too, and nobody looks
                _walk(words[t], tile, leaf[t], depth, at, sums)
        for i in range(a, b):
            out[i] = sums[i - a] / trees


if GATHERS:
    gathered_path_lengths = compiled(
        "void(f4[:,::1], i8[::1], i4[::1], i8[::1], i8[::1], u4[:,::1], f4[:,::1], i8, i8, i8, f8[::1])"
    )(_path_lengths)
else:
    # Where it cannot be compiled nobody asks for it.
    gathered_path_lengths = _path_lengths
