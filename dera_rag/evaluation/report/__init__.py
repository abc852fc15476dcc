"""What finished runs say: a summary for pages and tables, differences of two runs, and gates.

| question | file |
|---|---|
| what does a folder hold; a question's scores at any λ | `runs`, `rows`, `tables` |
| which scorer is which axis, and which way is better | `axes` |
| means with intervals and what could not be scored; curves over λ | `cells`, `curves` |
| which arms differ | `comparing` |
| factuality against naturalness; is choosing λ worth it | `frontiers`, `choosing` |
| factuality at equal copying; abstaining; what it took | `copying`, `abstaining`, `costs` |
| all of it as one record; that as text, JSON or a page | `summarising`; `markdown`, `page`, … |
| two runs; may a change be shipped | `differences`, `gates` |
"""

from dera_rag.evaluation.report.differences import RunDifference, diff
from dera_rag.evaluation.report.gates import GateReport, gate
from dera_rag.evaluation.report.runs import Run, load_run
from dera_rag.evaluation.report.summarising import summarise
from dera_rag.evaluation.report.summary_types import Summary

__all__ = [
    "GateReport",
    "Run",
    "RunDifference",
    "Summary",
    "diff",
    "gate",
    "load_run",
    "summarise",
]
