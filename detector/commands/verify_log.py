"""``python -m detector verify-log``: follow the chain of the audit log, and name the first entry that does not fit."""

from __future__ import annotations

import argparse

from detector.commands.opening import open_workspace
from detector.errors import DetectorError

#: What the command takes for the beginning of a hash: fewer digits would fit by chance.
_DIGITS = 8


class BrokenLogError(DetectorError):
    """The log is not as it was written."""

    code = "broken_log"


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    verify = commands.add_parser("verify-log", help="check that nobody has changed the audit log")
    verify.set_defaults(command=_verify)
    verify.add_argument(
        "--noted",
        type=_noted,
        metavar="NUMBER:HASH",
        help="an entry and its hash as this command printed them earlier; found out when the log was written anew",
    )


def _noted(text: str) -> tuple[int, str]:
    number, colon, digits = text.partition(":")
    if not (colon and number.isdecimal() and len(digits) >= _DIGITS and set(digits) <= set("0123456789abcdef")):
        raise argparse.ArgumentTypeError(f"{text!r} is not NUMBER:HASH as verify-log prints it")
    return int(number), digits


def _verify(options: argparse.Namespace) -> None:
    from detector.service.exports.auditing import verify_log

    with open_workspace() as workspace:
        found = verify_log(workspace, noted=options.noted)
    if found.broken is not None:
        raise BrokenLogError(f"{found.broken} Entries before that which fit: {found.entries:,}.", number=found.number)
    print(f"The log is unbroken: {found.entries:,} {'entry' if found.entries == 1 else 'entries'}.")
    if found.entries:
        print(f"Note this elsewhere, to prove it later: --noted {found.head.number}:{found.head.hash}")
