"""Estimates and comparisons of a run: every number with an interval and the items it rests on.

| question | file |
|---|---|
| one rate, mean or ratio | `estimates` |
| is A better than B on the same questions; may a change be shipped | `paired`, `flips` |
| a whole curve over λ at once | `bands` |
| factuality against naturalness: frontier and hypervolume | `frontier` |
| does a policy beat the best fixed λ, luck, a random λ | `policies` |
| faithfulness at equal copying | `copying` |
| what abstaining buys | `abstention` |
| does a scorer rank as people do | `ranking` |

Sources are resampled whole, pairs stay together, and a NaN leaves the estimate and is counted.
"""

from dera_rag.evaluation.statistics.estimates import Estimate, mean, proportion, ratio

__all__ = ["Estimate", "mean", "proportion", "ratio"]
