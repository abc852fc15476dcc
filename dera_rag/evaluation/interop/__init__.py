"""Doors to other tools: runs in ragas' format, a pair as a model of lm-evaluation-harness.

| question | file |
|---|---|
| a run's answers as rows that ragas loads | `ragas_rows` |
| how likely are continuations under the mixture, many at a time | `likelihood` |
| what a generation request asks for, and its answer | `gen_kwargs`, `answering` |
| the model `dera` of lm-evaluation-harness, and its command line | `harness`, `__main__` |

Nothing here imports ragas or lm-evaluation-harness but `harness` and `__main__`.
"""

from dera_rag.evaluation.interop.ragas_rows import RagasExport, export_ragas, ragas_rows

__all__ = ["RagasExport", "export_ragas", "ragas_rows"]
