"""``versions``, ``promote``, ``rollback`` and ``challenge``: which version answers, and which one is tried beside it.

A change is made from the state that was read just before, or that ``--revision`` names: whoever was faster wins, and
the other is told.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from detector.commands.opening import ACTOR, UsageError, open_workspace

if TYPE_CHECKING:
    from detector.service.versions.trying import TrialState
    from detector.service.workspace import Workspace
    from detector.store.versions import VersionInfo

#: Versions that are listed unless more are asked for.
LISTED = 20


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands to the parser."""
    versions = commands.add_parser("versions", help="list the versions, newest first")
    versions.set_defaults(command=_versions)
    versions.add_argument("--limit", type=_count, default=LISTED, metavar="N", help="how many (default %(default)s)")

    promote = commands.add_parser("promote", help="make a version champion")
    promote.set_defaults(command=_promote)
    promote.add_argument("version", type=_count, metavar="VERSION", help="its number")
    _add_reason(promote)

    rollback = commands.add_parser("rollback", help="make an earlier version champion again")
    rollback.set_defaults(command=_rollback)
    rollback.add_argument("version", type=_count, nargs="?", metavar="VERSION",
                          help="its number; by default the champion before this one")  # fmt: skip
    _add_reason(rollback)

    challenge = commands.add_parser("challenge", help="let a version see live requests beside the champion")
    challenge.set_defaults(command=_challenge)
    challenge.add_argument("version", type=_count, nargs="?", metavar="VERSION", help="the challenger's number")
    how = challenge.add_mutually_exclusive_group()
    how.add_argument("--shadow", action="store_true", help="the champion answers all requests (default)")
    how.add_argument("--share", type=_share, metavar="SHARE", help="the challenger answers this share, such as 0.1")
    how.add_argument("--stop", action="store_true", help="end the trial; the champion answers all")
    challenge.add_argument("--field", metavar="NAME",
                           help="names the transaction that always goes to one version; by default the id")  # fmt: skip
    _add_revision(challenge, "challenger")


def _add_reason(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", required=True, metavar="WHY", help="kept in the log")
    _add_revision(parser, "champion")


def _add_revision(parser: argparse.ArgumentParser, alias: str) -> None:
    parser.add_argument("--revision", type=_revision, metavar="N",
                        help=f"go on only if the {alias} still has this revision, as `versions` shows it")  # fmt: skip


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) < 10**9):
        raise argparse.ArgumentTypeError(f"a whole number from 1, not {text!r}")
    return int(text)


def _revision(text: str) -> int:
    return 0 if text == "0" else _count(text)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0.0 < share < 1.0:
        raise argparse.ArgumentTypeError(f"a share between 0 and 1, such as 0.1; not {text!r}")
    return share


def _versions(options: argparse.Namespace) -> None:
    from detector.service.versions import held, trying
    from detector.service.versions.agreement import CHALLENGER
    from detector.service.workspace import CHAMPION

    with open_workspace() as workspace:
        found = workspace.registry.list(lane="main", limit=options.limit)
        if not found:
            print("No model yet. Train one: python -m detector train FILE")
            return
        names: dict[int, list[str]] = {}
        for name in (CHAMPION, CHALLENGER):
            alias = workspace.registry.alias(name)
            if alias is not None:
                names.setdefault(alias.version, []).append(f"{name} (revision {alias.revision})")
        waiting = {one.version: one.reasons for one in held.waiting_versions(workspace)}
        for version in waiting:
            names.setdefault(version, []).append("waits for a person")
        for info in found:
            print(_line(info, names.get(info.number, [])))
            for reason in waiting.get(info.number, ()):
                print(f"         {reason}")
        state = trying.trial_state(workspace)
        if state is not None:
            _print_trial(state)


def _line(info: VersionInfo, names: list[str]) -> str:
    origin = f"{info.origin} from {info.parent}" if info.parent else info.origin
    return (
        f"{info.number:>6}   {info.created_at:%Y-%m-%d %H:%M}   {origin:<18} {info.rows:>12,} rows   {', '.join(names)}"
    ).rstrip()


def _print_trial(state: TrialState) -> None:
    trial, counts = state.trial, state.counts
    how = "in shadow" if trial.mode == "shadow" else f"answering {trial.share:.1%}"
    print(f"Trial: version {trial.challenger} {how} beside version {state.champion}, since "
          f"{trial.started_at:%Y-%m-%d %H:%M} UTC.")  # fmt: skip
    if not counts.agreement.rows:
        print("No request has been scored by both yet.")
    else:
        for name, found in (("Champion", state.flagged_by_champion), ("Challenger", state.flagged_by_challenger)):
            print(f"{name} flags {found.flagged:,} of {found.rows:,} rows, {found.share:.2%} "
                  f"({found.low:.2%} to {found.high:.2%}).")  # fmt: skip
        print(f"Both say the same of {state.agreed:.1%}.")
    if counts.dropped or counts.failed:
        print(f"Not compared: {counts.dropped:,} rows for lack of time, {counts.failed:,} that the challenger could "
              "not score.")  # fmt: skip


def _promote(options: argparse.Namespace) -> None:
    with open_workspace() as workspace:
        _move(workspace, options.version, options)


def _rollback(options: argparse.Namespace) -> None:
    from detector.service.versions import challenging

    with open_workspace() as workspace:
        version = options.version or challenging.champion_before(workspace)
        _move(workspace, version, options)


def _move(workspace: Workspace, version: int, options: argparse.Namespace) -> None:
    from detector.service.versions import challenging

    expected = options.revision
    if expected is None:
        expected = challenging.standing(workspace).champion_revision
    moved = challenging.move_champion(
        workspace, version, expected_revision=expected, actor=ACTOR, reason=options.reason
    )
    print(f"Version {moved.version} is champion (revision {moved.revision}).")


def _challenge(options: argparse.Namespace) -> None:
    from detector.service.versions import trying

    if (options.version is None) is not options.stop:
        raise UsageError("Name the version that is to challenge the champion, or --stop.")
    with open_workspace() as workspace:
        expected = options.revision
        if expected is None:
            expected = trying.challenger_revision(workspace)
        if options.stop:
            trying.stop_trial(workspace, expected_revision=expected, actor=ACTOR)
            print("The trial is over; the champion answers all requests.")
            return
        trial = trying.start_trial(
            workspace,
            options.version,
            mode="shadow" if options.share is None else "share",
            share=trying.SHARE if options.share is None else options.share,
            field=options.field,
            expected_revision=expected,
            actor=ACTOR,
        )
    told = "sees every request in shadow" if trial.mode == "shadow" else f"answers {trial.share:.1%} of the requests"
    print(f"Version {trial.challenger} {told} (revision {trial.revision}).")
    if trial.mode == "share":
        print(f"Who answers a transaction is decided by {trial.field or 'all that it holds'}.")
