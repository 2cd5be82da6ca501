"""How columns differ, from training or from another run, and the schema over time."""
