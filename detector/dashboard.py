"""Streamlit, told beforehand that ``app.py`` names its pages itself: ``python -m detector.dashboard run app.py ...``.

Streamlit learns that from ``st.navigation``, in the first run of the script. Until then it expects pages in the files
of ``pages/``, does not find the one of the address there, and shows "Page not found" over the page that then appears.
"""

from __future__ import annotations

from streamlit.runtime.pages_manager import PagesManager
from streamlit.web.cli import main


def run() -> None:
    """Run Streamlit's command line with the arguments of this program."""
    PagesManager.uses_pages_directory = False
    # Streamlit writes the command down as it is called; this is how it calls itself.
    main(prog_name="streamlit")


if __name__ == "__main__":
    run()
