"""``python -m detector.api``: serve the API alone, as the environment's settings say."""

from detector.api.running import run

if __name__ == "__main__":
    run()
