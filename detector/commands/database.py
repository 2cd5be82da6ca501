"""``move-database``: carry a workspace's tables from one database into another."""

from __future__ import annotations

import argparse
from typing import Any

from detector.commands.opening import read_settings
from detector.terminal import progress_line


def add_to(commands: Any) -> None:
    """Add the command to the command line's."""
    move = commands.add_parser("move-database", help="carry the workspace's tables into another database, or back")
    move.set_defaults(command=_move)
    move.add_argument("--to", required=True, metavar="URL",
                      help="address of an empty database: postgresql://… or sqlite:////path/detector.db")  # fmt: skip


def _move(options: argparse.Namespace) -> None:
    from detector.service.logs import configure_logs
    from detector.store.database import Database
    from detector.store.moving import move

    configure_logs("ERROR")
    settings = read_settings()
    source = Database(settings.database_address, settings.database_limits)
    try:
        target = Database(options.to, settings.database_limits)
        try:
            with progress_line() as progress:
                copied = move(source, target, progress)
        finally:
            target.close()
    finally:
        source.close()
    print(f"{'table':<20} {'rows':>12}  SHA-256")
    for digest in copied:
        print(f"{digest.table:<20} {digest.rows:>12,}  {digest.sha256[:16]}")
    print(f"Moved from {source.place} to {target.place}: counts and hashes are equal.")
    print("Set DATABASE_URL to the new address before you start again; models/ and data/ stay where they are.")
