"""How versions come to be and follow each other: training, updates, decisions, challenges."""
