"""The command line: ``python -m detector serve | train | score | update | info | sample | keys | ...``.

Results go to standard output, progress and errors to standard error. Exit codes: 0 done, 2 it could not be done and
standard error says why, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from detector.commands import backup, database, keys, models, verify_log, versions
from detector.commands.opening import ACTOR, UsageError, open_workspace, read_settings
from detector.errors import DetectorError
from detector.synthetic import SAMPLE_ROWS, SAMPLE_SEED
from detector.terminal import print_error, progress_line, say

if TYPE_CHECKING:
    from detector.files import ReadOptions

ROLES = ("input", "amount", "id", "time", "entity", "label", "ignored")
#: Unreadable values printed after a command.
CELLS_SHOWN = 5
FAILED, INTERRUPTED = 2, 130
#: The number by which glibc's ``mallopt`` knows the size from which memory is taken from the system by itself.
M_MMAP_THRESHOLD = -3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], None] = options.command
    try:
        command(options)
    except DetectorError as error:
        print_error(error)
        if error.details.get("can_set_aside"):
            say("With --set-aside FILE the other rows are used, and the faulty ones are written to FILE.")
        return FAILED
    except OSError as error:
        print(f"error: {error.strerror or error}: {error.filename or ''}".rstrip(": "), file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("Stopped; nothing was kept.", file=sys.stderr)
        return INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m detector",
        description="Find anomalous transactions, also while their columns change.",
        epilog="The workspace is the folder that DETECTOR_HOME names, by default the working directory.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="serve the dashboard and the API until Ctrl-C")
    serve.set_defaults(command=_serve)
    serve.add_argument("--host", help="address on which both listen (default 127.0.0.1: this machine only)")
    serve.add_argument("--dashboard-port", type=_port, metavar="PORT", help="port of the dashboard (default 8501)")
    serve.add_argument("--api-port", type=_port, metavar="PORT", help="port of the API (default 8000)")

    train = commands.add_parser("train", help="train a new model on a file and make it champion")
    train.set_defaults(command=_train)
    _add_file(train)
    train.add_argument("--contamination", type=float, default=0.1, metavar="SHARE", help="share to flag (default 0.1)")
    train.add_argument("--n-estimators", type=int, default=100, metavar="N", help="number of trees (default 100)")
    train.add_argument("--max-samples", type=_max_samples, default="auto", metavar="N",
                       help="rows a tree is grown from: a number, a share, or auto (default)")  # fmt: skip
    train.add_argument("--scaler-type", default="robust", metavar="NAME", help="scale of deviations (default robust)")
    train.add_argument("--random-state", type=int, default=42, metavar="SEED", help="seed of all choices (default 42)")
    train.add_argument("--role", type=_role, action="append", default=[], metavar="COLUMN=ROLE",
                       help=f"what a column is: {', '.join(ROLES)}; may be repeated")  # fmt: skip

    score = commands.add_parser("score", help="score a file with the champion, in bounded memory")
    score.set_defaults(command=_score)
    _add_file(score)
    score.add_argument("--out", type=Path, required=True, metavar="FILE", help="scored file: .csv or .parquet")

    update = commands.add_parser("update", help="let the champion learn from a file")
    update.set_defaults(command=_update)
    _add_file(update)

    versions.add_to(commands)

    info = commands.add_parser("info", help="tell what the champion is and knows")
    info.set_defaults(command=_info)

    keys.add_to(commands)

    sample = commands.add_parser("sample", help="write five weeks of made-up card transactions")
    sample.set_defaults(command=_sample)
    sample.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the files")
    sample.add_argument("--rows", type=int, default=SAMPLE_ROWS, metavar="N", help="rows a week (default %(default)s)")
    sample.add_argument("--seed", type=int, default=SAMPLE_SEED, help="another world (default %(default)s)")
    database.add_to(commands)
    models.add_to(commands)
    verify_log.add_to(commands)

    backup.add_to(commands)
    return parser


def _add_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="CSV, Parquet, JSON, NDJSON or Excel")
    parser.add_argument("--encoding", help="such as cp1252 or latin-1; found out when not given")
    parser.add_argument("--delimiter", help="what stands between columns; found out when not given")
    parser.add_argument("--decimal", choices=(".", ","), help="the decimal mark of the numbers in a text file")
    parser.add_argument(
        "--header", action=argparse.BooleanOptionalAction, help="whether the first line names the columns"
    )
    parser.add_argument("--set-aside", type=Path, metavar="FILE",
                        help="go on without rows that cannot be read, and write them to this .csv file")  # fmt: skip


def _require_own_file(options: argparse.Namespace) -> None:
    """Refuse a file for faulty rows that would replace another file of the command."""
    aside: Path | None = options.set_aside
    if aside is None:
        return
    if aside.suffix.lower() != ".csv":
        raise UsageError(f"--set-aside must end in .csv, not {aside.name!r}.")
    if aside.resolve() in {path.resolve() for path in (options.file, getattr(options, "out", None)) if path}:
        raise UsageError("--set-aside names another file of this command; choose another.")


def _reading(options: argparse.Namespace) -> ReadOptions:
    from detector.files import ReadOptions

    return ReadOptions(options.encoding, options.delimiter, options.header, decimal=options.decimal)


def _print_set_aside(options: argparse.Namespace, rows: int) -> None:
    if rows:
        print(f"Faulty rows set aside: {rows:,}. Written to {options.set_aside}.")


def _port(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= 65_535):
        raise argparse.ArgumentTypeError(f"a port is a number from 1 to 65535, not {text!r}")
    return int(text)


def _max_samples(text: str) -> int | float | Literal["auto"]:
    if text == "auto":
        return "auto"
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a number of rows, a share such as 0.5, or auto; not {text!r}") from None


def _role(text: str) -> tuple[str, str]:
    column, equals, role = text.rpartition("=")
    if not (column and equals and role in ROLES):
        raise argparse.ArgumentTypeError(f"{text!r} is not COLUMN=ROLE with a role among {', '.join(ROLES)}")
    return column, role


def _serve(options: argparse.Namespace) -> None:
    from detector.serving import serve

    chosen = {
        "api_host": options.host,
        "dashboard_host": options.host,
        "api_port": options.api_port,
        "dashboard_port": options.dashboard_port,
    }
    settings = read_settings().model_copy(update={name: value for name, value in chosen.items() if value is not None})
    keys.require_closed_servers(settings)
    serve(settings, say)


def _train(options: argparse.Namespace) -> None:
    from detector.service.versions.training import TrainParameters, train_path

    _require_own_file(options)
    parameters = TrainParameters(
        contamination=options.contamination,
        n_estimators=options.n_estimators,
        max_samples=options.max_samples,
        scaler_type=options.scaler_type,
        random_state=options.random_state,
    )
    with open_workspace() as workspace, progress_line() as progress:
        result = train_path(workspace, options.file, parameters, dict(options.role), actor=ACTOR, progress=progress,
                            set_aside=options.set_aside, reading=_reading(options))  # fmt: skip
    print(f"Version {result.version} is champion: trained on {result.rows:,} rows of {options.file.name}.")
    print(f"Learned {len(result.features)} columns: {', '.join(result.features)}.")
    for name, reason in result.left_out:
        print(f"Left out {name}: {reason}")
    for note in result.notes:
        print(note)
    _print_set_aside(options, result.set_aside)


@contextmanager
def _loading() -> Iterator[None]:
    """Import without a look for garbage: what is imported stays, and going through it takes half a second."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _score(options: argparse.Namespace) -> None:
    with _loading():
        import pyarrow as pa

        from detector.files import read_alone
        from detector.service.scoring import score_path

    if options.out.suffix.lower() not in {".csv", ".parquet"}:
        raise UsageError(f"--out must end in .csv or .parquet, not {options.out.name!r}.")
    if options.out.exists() and options.file.exists() and options.out.samefile(options.file):
        raise UsageError("--out names the file that is to be scored; choose another.")
    _require_own_file(options)
    # Arrow's own pool keeps what was given back to it; in a file of millions of rows that adds up.
    pa.set_memory_pool(pa.system_memory_pool())
    _give_back_blocks()
    read_alone()
    with open_workspace() as workspace, progress_line() as progress:
        result = score_path(workspace, options.file, options.out, progress=progress, set_aside=options.set_aside,
                            reading=_reading(options))  # fmt: skip
    share = f" ({result.flagged / result.rows:.2%})" if result.rows else ""
    print(f"Scored {result.rows:,} rows with version {result.version}: {result.flagged:,} flagged{share}.")
    print(f"Cutoff: severity {result.cutoff:g}. Written to {result.path}.")
    _print_set_aside(options, result.set_aside)
    _print_differences(result.report)


def _give_back_blocks() -> None:
    """Let memory of more than 4 MB go back to the system once it is let go of; glibc would come to keep such blocks."""
    # Other C libraries have no such function.
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 4 << 20)


def _update(options: argparse.Namespace) -> None:
    from detector.service.versions.updating import update_path

    _require_own_file(options)
    with open_workspace() as workspace, progress_line() as progress:
        result = update_path(workspace, options.file, actor=ACTOR, progress=progress, set_aside=options.set_aside,
                             reading=_reading(options))  # fmt: skip
    did = "is champion" if result.promoted else "waits for a person"
    print(f"Version {result.version} {did}: learned from {result.rows:,} rows of {options.file.name}.")
    for reason in result.suspicions:
        print(reason)
    if not result.promoted:
        print(f"To make it champion all the same: python -m detector promote {result.version} --reason WHY")
    print(f"It knows {len(result.features)} columns: {', '.join(result.features)}.")
    if result.newly_learned:
        print(f"Newly learned: {', '.join(result.newly_learned)}.")
    _print_set_aside(options, result.set_aside)
    _print_differences(result.report, leaving_out=result.newly_learned)


def _info(_options: argparse.Namespace) -> None:
    with open_workspace() as workspace:
        champion = workspace.champion()
        print(f"Workspace {workspace.settings.home.resolve()}")
        if champion is None:
            print("No model yet. Train one: python -m detector train FILE")
            return
        model = champion.detector
        print(f"Champion  version {champion.version}, made {champion.created_at:%Y-%m-%d %H:%M} UTC")
        print(f"Rows seen {champion.rows:,}")
        print(f"Cutoff    severity {champion.cutoff:g}")
        print(f"Trees     {model.n_estimators}")
        print(f"Columns   {len(model.known_features)}")
        shares = model.get_feature_importance()
        for feature in model.schema_.features:
            weight = f"  importance {shares[feature.name]:.1%}" if feature.name in shares else ""
            print(f"  {feature.name:<28} {feature.kind:<12} {feature.role:<8} {feature.status}{weight}")


def _sample(options: argparse.Namespace) -> None:
    from detector.synthetic import write_sample

    try:
        paths = write_sample(options.out, rows=options.rows, seed=options.seed)
    except ValueError as error:
        raise UsageError(f"{error}.") from error
    for path in paths:
        print(path)


def _print_differences(report: Mapping[str, Any], leaving_out: Sequence[str] = ()) -> None:
    """Print what the detector did about each column that is not as it was learned, and the first unreadable values."""
    for column in report.get("columns", ()):
        if column["status"] not in {"matched", "left out"} and column["name"] not in leaving_out:
            print(f"{column['name']}: {column['status']}; {column['action']}")
    for cell in report.get("unreadable", ())[:CELLS_SHOWN]:
        print(f"Row {cell['row'] + 1}: {cell['column']} {cell['value']!r} could not be read.")
    more = report.get("unreadable_total", 0) - CELLS_SHOWN
    if more > 0:
        print(f"And {more:,} more values.")


if __name__ == "__main__":
    sys.exit(main())
