"""The store: one database, and the files that it points to.

``database`` opens the engine and brings the schema up to date, ``tables`` names the tables, ``registry`` keeps
immutable model versions and the aliases that point at them, ``audit`` appends to the log of changes, ``run_files``
keeps scored rows.
"""
