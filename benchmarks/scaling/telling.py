"""The figures as Markdown: a table an axis, and the slopes."""

from __future__ import annotations

from benchmarks.scaling.axes import AXES
from benchmarks.scaling.growth import Slope
from benchmarks.scaling.results import Results

#: A slope tells nothing of sizes beyond so many times the largest that was measured.
REACH = 10
_PEER = ", scikit-learn"


def axis_table(results: Results, name: str) -> str:
    """Return what each work cost at each size, with its slope and what one more costs at the upper end."""
    axis, points = AXES[name], results.points[name]
    sizes = [point.size for point in points if point.figures]
    beyond = axis.beyond if axis.beyond and sizes and sizes[-1] < axis.beyond <= REACH * sizes[-1] else None
    head = ["work", *(f"{size:,}" for size in sizes), *([f"{beyond:,}, extrapolated"] if beyond else [])]
    rows = [[*head, "slope", "one more"]]
    for work, unit in results.works(name):
        at = dict(zip(*results.values(name, work), strict=True))
        found = results.slope(name, work)
        row = [work, *(shown(at[size], unit) if size in at else "" for size in sizes)]
        if beyond:
            reaches = found is not None and unit == "s" and REACH * max(at) >= beyond
            row.append(shown(found.at(beyond), unit) if found and reaches else "")
        rows.append([*row, slope_text(found), _one_more(found, results.values(name, work), unit)])
        where, peaks = results.peaks(name, work)
        if peaks and max(peaks) >= 1e6:
            held = dict(zip(where, peaks, strict=True))
            cells = [shown(held[size], "B") if size in held else "" for size in sizes]
            rows.append([f"{work}: memory", *cells, *([""] if beyond else []), "", ""])
    text = table(rows)
    ratios = peer_ratios(results, name)
    if ratios:
        told = ", ".join(f"{ratio:.2g} at {size:,}" for size, ratio in ratios)
        text += f"\n\nFit and score, ours in parts of scikit-learn's: {told}."
    cut = [f"{point.size:,} {axis.counts} were not measured: {point.cut}." for point in points if point.cut]
    return "\n\n".join([text, *cut])


def _one_more(found: Slope | None, values: tuple[list[int], list[float]], unit: str) -> str:
    """Return what one more costs, where that is most of the cost; else noise would be told for growth."""
    sizes, costs = values
    return shown(found.each, unit) if found and found.each * sizes[-1] > 0.3 * costs[-1] else ""


def peer_ratios(results: Results, name: str) -> list[tuple[int, float]]:
    """Return at each size what fitting and scoring takes in parts of the peer's time; empty without a peer."""
    both = [
        dict(zip(*results.values(name, work + peer), strict=True)) for peer in ("", _PEER) for work in ("fit", "score")
    ]
    shared = sorted(set.intersection(*(set(one) for one in both)))
    return [(size, (both[0][size] + both[1][size]) / (both[2][size] + both[3][size])) for size in shared]


def conditions(results: Results, name: str) -> str:
    """Return a line on what an axis was measured on."""
    machine = results.machine[name]
    return (
        f"{machine['processors']} processors, load {machine['load']} at the end, Python {machine['python']}, "
        f"numpy {machine['numpy']}, scikit-learn {machine['scikit-learn']}."
    )


def slope_text(found: Slope | None) -> str:
    """Return an exponent with its standard error."""
    if found is None:
        return ""
    return f"{found.exponent + 0.0:.2f}" + ("" if found.error is None else f" ± {found.error:.2f}")


def shown(value: float, unit: str) -> str:
    """Return a time or a number of bytes with three digits, in the unit that suits it."""
    steps = {
        "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")),
        "B": ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")),
    }[unit]
    for step, name in steps:
        if abs(value) >= step or name in ("ns", "B"):
            return f"{plain(value / step)} {name}"
    raise AssertionError(unit)


def plain(value: float) -> str:
    """Return a number with three digits that count, and with commas."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(rows: list[list[str]], *, numbers: bool = True) -> str:
    """Return a Markdown table of a head and its rows; ``numbers``: all columns but the first stand right."""
    head, *body = rows
    lines = [head, ["---", *["---:" if numbers else "---"] * (len(head) - 1)], *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
