"""Training and scoring on Apache Spark: the same model and the same scores, on tables that no machine holds.

>>> from detector.spark import fit, score, survey
>>> model = fit(transactions, roles={"id": "id"})           # doctest: +SKIP
>>> scored = score(transactions, model)                     # doctest: +SKIP

Nothing else of the project imports this package, and it alone needs ``pyspark`` (requirements-spark.txt).
"""

from detector.spark.fitting import fit
from detector.spark.scoring import score, told
from detector.spark.surveying import survey

__all__ = ["fit", "score", "survey", "told"]
