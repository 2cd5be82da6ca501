"""Made-up card transactions: five weeks of one small world whose columns change from week to week.

``generate_week`` is pure: the same week, number of rows and seed give the same frame. ``write_sample`` puts all five
weeks on disk as CSV. The people, shops and frauds are drawn from random numbers; nothing here comes from a real
account.
"""

from detector.synthetic.sample import SAMPLE_ROWS, SAMPLE_SEED, sample_files, write_sample
from detector.synthetic.weeks import COLUMN_STORY, WEEKS, generate_week

__all__ = [
    "COLUMN_STORY",
    "SAMPLE_ROWS",
    "SAMPLE_SEED",
    "WEEKS",
    "generate_week",
    "sample_files",
    "write_sample",
]
