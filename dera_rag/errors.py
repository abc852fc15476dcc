"""One hierarchy of errors: each carries what was wrong and the way out.

Every error is a `DeraRagError`. Where a value the caller passed is at fault it is a `ValueError`
too, where a file or model is missing a `FileNotFoundError`, where a library is missing an
`ImportError`, so callers who know nothing of this package can still catch it.
"""

from __future__ import annotations


class DeraRagError(Exception):
    """Base of every error this package raises.

    Args:
        message: What is wrong, with the offending value.
        hint: What to do about it; appended to the message.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.message = message
        self.hint = hint
        super().__init__(f"{message} ({hint})" if hint else message)


class InvalidValueError(DeraRagError, ValueError):
    """An argument or setting has a value that cannot work."""


class UnknownNameError(InvalidValueError):
    """A registry holds no entry of this name; the hint suggests the nearest ones."""


class PairMismatchError(InvalidValueError):
    """The two models of a pair cannot be mixed: their token ids mean different things."""


class PromptError(InvalidValueError):
    """A prompt is empty, or leaves no room for an answer."""


class ModelLoadError(DeraRagError, ValueError):
    """A model could not be loaded from where it was said to be."""


class MissingFileError(DeraRagError, FileNotFoundError):
    """A file or folder that was named does not exist."""


class OutputError(DeraRagError, OSError):
    """A file or folder cannot be written where it was to be."""


class LogitsError(DeraRagError, ArithmeticError):
    """A model produced logits that cannot be mixed (NaN, +inf, a one-sided −inf)."""


class DivergedError(DeraRagError, ArithmeticError):
    """Training left the finite numbers."""


class IndexFormatError(DeraRagError, ValueError):
    """An index on disk is corrupted, foreign, or was built with something else."""


class MissingDependencyError(DeraRagError, ImportError):
    """An optional library is not installed; the hint names the extra that brings it."""


class RunFolderError(DeraRagError, OSError):
    """A run's folder cannot be used: another run holds it, its disk is full, it holds no run."""
