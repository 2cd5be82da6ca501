"""Above which severity a row is flagged, and what that catches."""
