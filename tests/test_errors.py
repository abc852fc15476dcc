"""Every error carries what was wrong and the way out, and is caught as the builtin it is."""

import copy
import inspect
import pickle

import pytest

from dera_rag import errors

CLASSES = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and issubclass(value, errors.DeraRagError)
]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_message_hint_and_copies(kind):
    error = kind("λ is -1.0", hint="use λ ≥ 0")
    assert str(error) == "λ is -1.0 (use λ ≥ 0)"
    assert (error.message, error.hint) == ("λ is -1.0", "use λ ≥ 0")
    assert str(kind("λ is -1.0")) == "λ is -1.0"
    # Errors cross processes: data loaders and worker pools pickle them.
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(twin) is kind
        assert (str(twin), twin.message, twin.hint) == (str(error), error.message, error.hint)


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.InvalidValueError, ValueError),
        (errors.UnknownNameError, ValueError),
        (errors.PairMismatchError, ValueError),
        (errors.PromptError, ValueError),
        (errors.ModelLoadError, ValueError),
        (errors.IndexFormatError, ValueError),
        (errors.MissingFileError, FileNotFoundError),
        (errors.OutputError, OSError),
        (errors.LogitsError, ArithmeticError),
        (errors.MissingDependencyError, ImportError),
    ],
)
def test_caught_as_the_builtin_it_is(kind, builtin):
    with pytest.raises(builtin):
        raise kind("wrong")


def test_hierarchy_has_one_root():
    own = [
        v for v in vars(errors).values() if inspect.isclass(v) and v.__module__ == errors.__name__
    ]
    assert own == CLASSES
    assert all(issubclass(kind, errors.DeraRagError) for kind in own)
