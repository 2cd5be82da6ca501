"""What is taken away: scored files, the evidence on a case, the log."""
