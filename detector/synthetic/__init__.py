"""Made-up data whose columns change: card transactions, a machine's sensors, log lines and network connections.

Generators are pure: the same week or day, number of rows and seed give the same frame. ``write_sample`` puts five weeks
of card transactions on disk as CSV. All of it is drawn from random numbers; nothing here comes from a real account,
machine or network.
"""

from detector.synthetic.logs import LOG_DAYS, LOG_STORY, generate_log_day
from detector.synthetic.machine import MACHINE_DAYS, MACHINE_STORY, generate_machine_day
from detector.synthetic.network import NETWORK_DAYS, NETWORK_STORY, generate_network_day
from detector.synthetic.sample import SAMPLE_ROWS, SAMPLE_SEED, sample_files, write_sample
from detector.synthetic.weeks import COLUMN_STORY, WEEKS, generate_week

__all__ = [
    "COLUMN_STORY",
    "LOG_DAYS",
    "LOG_STORY",
    "MACHINE_DAYS",
    "MACHINE_STORY",
    "NETWORK_DAYS",
    "NETWORK_STORY",
    "SAMPLE_ROWS",
    "SAMPLE_SEED",
    "WEEKS",
    "generate_log_day",
    "generate_machine_day",
    "generate_network_day",
    "generate_week",
    "sample_files",
    "write_sample",
]
