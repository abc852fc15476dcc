"""What is asked: examples with everything that judges them, and what each task declares."""

from dera_rag.evaluation.tasks.cards import Anchor, Example, Task, TaskCard

__all__ = ["Anchor", "Example", "Task", "TaskCard"]
