"""Streamlit, told beforehand that ``app.py`` names its pages itself: ``python -m detector.dashboard run app.py ...``.

Streamlit learns that from ``st.navigation``, in the first run of the script. Until then it expects pages in the files
of ``pages/``, does not find the one of the address there, and shows "Page not found" over the page that then appears.

Before it listens, it is made sure that it does so on this machine only, or that people sign in.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

from streamlit import logger as streamlit_logs
from streamlit.runtime.pages_manager import PagesManager
from streamlit.web.cli import main

from detector.commands.opening import read_settings
from detector.errors import DetectorError
from detector.exposure import require_closed_dashboard
from detector.service.logs import Level, configure_logs, json_formatter
from detector.terminal import print_error

#: Where ``.streamlit/config.toml`` lets the dashboard listen unless it is told otherwise.
ADDRESS = "127.0.0.1"
FAILED = 2
_OPTION, _VARIABLE = "--server.address", "STREAMLIT_SERVER_ADDRESS"


def run() -> None:
    """Run Streamlit's command line with the arguments of this program."""
    PagesManager.uses_pages_directory = False
    try:
        settings = read_settings()
        require_closed_dashboard(_address(sys.argv[1:]), settings)
    except DetectorError as error:
        print_error(error)
        sys.exit(FAILED)
    if settings.sign_in_file is not None:
        sys.argv += ["--secrets.files", str(settings.sign_in_file)]
    log_as_json(settings.log_level)
    # Streamlit writes the command down as it is called; this is how it calls itself.
    main(prog_name="streamlit")


def log_as_json(level: Level) -> None:
    """Let Streamlit and its web server write their lines as this package writes its own: JSON, on stderr."""
    configure_logs(level)
    # Each of Streamlit's loggers has a handler of its own, made by this function, anew when it has read its settings.
    streamlit_logs.setup_formatter = _to_json
    for known in streamlit_logs._loggers.values():
        _to_json(known)


def _to_json(logger: logging.Logger) -> None:
    for handler in tuple(logger.handlers):
        logger.removeHandler(handler)
    handler = logging.StreamHandler()
    handler.setFormatter(json_formatter())
    logger.addHandler(handler)


def _address(arguments: Sequence[str]) -> str:
    """Return the address that Streamlit will listen on."""
    for place, argument in enumerate(arguments):
        if argument == _OPTION:
            return next(iter(arguments[place + 1 : place + 2]), "")
        if argument.startswith(f"{_OPTION}="):
            return argument.partition("=")[2]
    return os.environ.get(_VARIABLE, ADDRESS)


if __name__ == "__main__":
    run()
