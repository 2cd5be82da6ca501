"""Decisions as the workbench keeps them, put straight into the database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import insert

from detector.service.runs import Run, run_path
from detector.service.workspace import Workspace
from detector.store import run_columns, tables


def decide(
    ws: Workspace,
    run: Run,
    outcomes: Mapping[int, str],
    *,
    amount: str | None = "amount",
    ended: bool = False,
    reason: str = "stolen_card",
    actor: str = "ada",
) -> None:
    """Keep a decision for each row; ``ended`` ones were taken back."""
    columns = ["severity", *([amount] if amount else [])]
    values = run_columns.rows_at(run_path(ws, run.id), list(outcomes), columns)
    now = datetime.now(UTC)
    with ws.database.write() as connection:
        for row, outcome in outcomes.items():
            connection.execute(
                insert(tables.decisions).values(
                    run=run.id,
                    row=row,
                    outcome=outcome,
                    reason=reason,
                    version=run.version,
                    severity=float(values.loc[row, "severity"]),
                    amount=float(values.loc[row, amount]) if amount else None,
                    seconds=20.0,
                    batch="b" * 32,
                    made_at=now,
                    made_by=actor,
                    ended_at=now if ended else None,
                    ended_by=actor if ended else None,
                )
            )
