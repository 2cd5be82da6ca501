"""Cases and what people do with them: the queue, decisions, and what the queue learns from these."""
