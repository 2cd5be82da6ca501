"""How cost grows: what is measured along each axis, how its slope is found, and how it is told."""
