"""Streamlit, told beforehand that ``app.py`` names its pages itself: ``python -m detector.dashboard run app.py ...``.

Streamlit learns that from ``st.navigation``, in the first run of the script. Until then it expects pages in the files
of ``pages/``, does not find the one of the address there, and shows "Page not found" over the page that then appears.
"""

from __future__ import annotations

import logging

from streamlit import logger as streamlit_logs
from streamlit.runtime.pages_manager import PagesManager
from streamlit.web.cli import main

from detector.service.logs import configure_logs, json_formatter
from detector.settings import Settings


def run() -> None:
    """Run Streamlit's command line with the arguments of this program."""
    PagesManager.uses_pages_directory = False
    log_as_json()
    # Streamlit writes the command down as it is called; this is how it calls itself.
    main(prog_name="streamlit")


def log_as_json() -> None:
    """Let Streamlit and its web server write their lines as this package writes its own: JSON, on stderr."""
    configure_logs(Settings().log_level)
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


if __name__ == "__main__":
    run()
