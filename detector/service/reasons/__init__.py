"""Why rows score as they do."""
