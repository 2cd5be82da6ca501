"""Alerts: rules that watch what comes in and what fails, alerts with a life, and webhooks that hear of them."""
