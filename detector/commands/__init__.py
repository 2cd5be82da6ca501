"""Commands of the command line that have rooms of their own; each module has an ``add_to(commands)``."""
