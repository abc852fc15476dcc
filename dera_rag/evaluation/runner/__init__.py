"""Running a suite: answers made once, scored as often as wanted, stopped and resumed at will."""

from dera_rag.evaluation.runner.manifest import Manifest
from dera_rag.evaluation.runner.orchestration import Progress, RunSummary, rescore, resume, run

__all__ = ["Manifest", "Progress", "RunSummary", "rescore", "resume", "run"]
