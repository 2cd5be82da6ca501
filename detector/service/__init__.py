"""The use cases: everything that the pages, the API and the command line can ask for.

Each module holds the functions of one kind of work over a :class:`~detector.service.workspace.Workspace`. They take
frames, records and plain values and return frozen dataclasses; errors are those of :mod:`detector.errors`.

===============  ==============================================================================================
``workspace``    opening a workspace; the champion that answers now
``uploads``      receiving a file, checking what is in it
``training``     a new model from rows or from a file
``scoring``      the verdict before scoring; scoring rows, an upload, or a file on disk
``runs``         scored files: figures, pages of rows, exports
``updating``     learning from new rows: preview, accept, reject; versions and rollback
``jobs``         long work in the background, with progress and cancelling
``overview``     the figures of the first page and of the status strip
``demo``         sample data with one click; the drift demo, week by week
===============  ==============================================================================================
"""
