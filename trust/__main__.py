"""``python -m trust [P1 P5 ...] [--short] [--broken] [--times N]``: check the promises and print what was found.

Exit code 0 when every promise was kept (with ``--broken``: when every broken one was caught), else 1.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from trust.promise import FAULTS_SHOWN, Outcome, Promise, Size
from trust.promises import all_promises


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the checks that were asked for, by default all."""
    parser = argparse.ArgumentParser(prog="python -m trust", description="Check what is promised, and print a table.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="promises to check, such as P1; all by default")
    parser.add_argument("--short", action="store_true", help="the short form that the tests run")
    parser.add_argument("--broken", action="store_true", help="break each promise on purpose; the checks must notice")
    parser.add_argument("--times", type=int, default=1, help="draw so many times as many random calls (I2)")
    options = parser.parse_args(arguments)
    promises = all_promises()
    unknown = set(options.names) - {promise.name for promise in promises}
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(p.name for p in promises)}")
    chosen = [promise for promise in promises if not options.names or promise.name in options.names]
    print("| promise | says | asked | found | verdict | s |\n|---|---|---|---|---|---|", flush=True)
    right = True
    for promise in chosen:
        begun = perf_counter()
        outcome = checked(promise, Size(not options.short, options.times), options.broken)
        seconds = perf_counter() - begun
        expected = outcome.kept is not options.broken
        right = right and expected
        verdict = ("kept" if outcome.kept else "BROKEN") + ("" if expected else " (!)")
        print(
            f"| {promise.name} | {promise.breaks if options.broken else promise.says} | {promise.asked} "
            f"| {outcome.figure} | {verdict} | {seconds:.0f} |",
            flush=True,
        )
        for fault in outcome.faults[:FAULTS_SHOWN]:
            print(f"    {promise.name}: {fault}", file=sys.stderr, flush=True)
        if len(outcome.faults) > FAULTS_SHOWN:
            print(f"    {promise.name}: and {len(outcome.faults) - FAULTS_SHOWN:,} more", file=sys.stderr, flush=True)
    return 0 if right else 1


def checked(promise: Promise, size: Size, broken: bool) -> Outcome:
    """Check one promise in a folder of its own; a check that itself fails has not shown anything."""
    with tempfile.TemporaryDirectory(prefix=f"trust-{promise.name}-", ignore_cleanup_errors=True) as folder:
        try:
            return promise.check(Path(folder), size, broken)
        except Exception:  # noqa: BLE001 - the other promises are still to be checked
            traceback.print_exc()
            return Outcome("the check itself failed", ("the check raised an error",) if not broken else ())


if __name__ == "__main__":
    sys.exit(main())
