"""Alembic migrations, run by ``Database.migrate``.

To add one, run ``alembic revision`` with this folder as its script location, and move ``tables.REVISION`` to it.
"""
