"""``backup`` and ``restore``: the workspace into a folder, while it is in use, and out of it again."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from detector.commands.opening import read_settings
from detector.terminal import say


def add_to(commands: Any) -> None:
    """Add both commands to the parser's."""
    backup = commands.add_parser("backup", help="copy the workspace into a new folder, also while it is in use")
    backup.set_defaults(command=_backup)
    backup.add_argument("folder", type=Path, metavar="DIR", help="new folder; it appears when the copy is whole")
    backup.add_argument("--files-only", action="store_true", help="without the database: for one on PostgreSQL")
    restore = commands.add_parser("restore", help="put a backup into an empty workspace, after checking all of it")
    restore.set_defaults(command=_restore)
    restore.add_argument("folder", type=Path, metavar="DIR", help="folder that backup made")


def _backup(options: argparse.Namespace) -> None:
    from detector.service.backup import make_backup

    made = make_backup(read_settings(), options.folder.absolute(), files_only=options.files_only)
    print(f"Saved {made.files:,} files, {made.size:,} bytes, in {options.folder}.")
    for name in made.absent:
        say(f"Not saved, for it is gone: {name}")


def _restore(options: argparse.Namespace) -> None:
    from detector.service.backup import restore_backup

    settings = read_settings()
    found = restore_backup(settings, options.folder.absolute())
    print(f"Restored {found.files:,} files, saved {found.made_at:%Y-%m-%d %H:%M} UTC, into {settings.home}.")
    for name in found.absent:
        say(f"Was gone before it was saved: {name}")
