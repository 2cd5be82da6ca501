"""``copy-models``: put all model files of the workspace into another store."""

from __future__ import annotations

import argparse
from typing import Any

from detector.commands.opening import open_workspace
from detector.terminal import progress_line


def add_to(commands: Any) -> None:
    """Add the command to the command line's."""
    copy = commands.add_parser("copy-models", help="copy the files of all versions into another model store")
    copy.set_defaults(command=_copy)
    copy.add_argument("--to", required=True, metavar="STORE",
                      help="a folder, file://… or s3://bucket/prefix, as DETECTOR_MODEL_STORE names it")  # fmt: skip


def _copy(options: argparse.Namespace) -> None:
    from detector.settings import Settings
    from detector.store.model_copying import copy_models

    with open_workspace() as workspace, progress_line() as progress:
        address = Settings(model_store=options.to).model_store
        target = workspace.settings.model_copy(update={"model_store": address}).open_models()
        copied = copy_models(workspace.registry, target, progress)
    print(f"Copied {copied.versions:,} versions, {copied.files:,} files, {copied.size:,} bytes, to {target.place}.")
    print("Each was checked and read back. Set DETECTOR_MODEL_STORE to that address before you start again.")
