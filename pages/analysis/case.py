"""Case: one flagged transaction, why it stands out, and the decision."""

from detector.ui.frame import opening

ws = opening("Case", "One flagged transaction, why it stands out, and the decision.")
