"""What every command begins with: the settings, and the workspace that they name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from detector.errors import DetectorError
from detector.terminal import say

if TYPE_CHECKING:
    from detector.service.workspace import Workspace
    from detector.settings import Settings

#: Who acts, as the log names it.
ACTOR = "command line"


class UsageError(DetectorError):
    """The command cannot be run as it was given."""

    code = "usage"


def read_settings() -> Settings:
    """Return the settings of the environment; raises ``UsageError`` that names the one that cannot be used."""
    from pydantic import ValidationError

    from detector.settings import Settings

    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"The setting {name} in the environment cannot be used: {first['msg']}.") from error


@contextmanager
def open_workspace(settings: Settings | None = None) -> Iterator[Workspace]:
    """Open the workspace for one command, quietly, and close it at the end."""
    from detector.service.logs import configure_logs
    from detector.service.workspace import Workspace

    # What people need to know is printed in sentences.
    configure_logs("ERROR")
    workspace = Workspace.open(settings or read_settings())
    try:
        if workspace.notice:
            say(workspace.notice)
        yield workspace
    finally:
        workspace.close()
