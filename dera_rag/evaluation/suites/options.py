"""Options of tasks, scorers and sampling, held against what their constructors take."""

from __future__ import annotations

import difflib
import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dera_rag.errors import InvalidValueError
from dera_rag.policies.config import unquoted
from dera_rag.types import Json


def check_options(
    make: Callable[..., Any], options: Mapping[str, Json], where: str, without: Sequence[str] = ()
) -> None:
    """Refuse options that a constructor does not have, lacks, or takes in another type.

    Args:
        make: The constructor, with annotated keyword arguments.
        options: What a suite sets.
        where: Names them in messages.
        without: Parameters that a suite must not set.

    Raises:
        InvalidValueError: An unknown or missing option, with a suggestion, or a value of another
            type.
    """
    parameters = {
        name: parameter
        for name, parameter in inspect.signature(make).parameters.items()
        if name not in without
    }
    for name in options:
        if name not in parameters:
            near = difflib.get_close_matches(name, parameters, n=1)
            hint = (
                f"did you mean {near[0]!r}?" if near else f"it has {sorted(parameters) or 'none'}"
            )
            raise InvalidValueError(f"{where} has no option {name!r}", hint=hint)
    for name, parameter in parameters.items():
        if parameter.default is inspect.Parameter.empty and name not in options:
            raise InvalidValueError(
                f"{where}: the option {name!r} is missing",
                hint=f"write `{name}: …` beside its name",
            )
    wanted = _hints(make)
    for name, value in options.items():
        kinds = _kinds(wanted.get(name))
        # YAML writes 1 for 1.0.
        if float in kinds:
            kinds = (*kinds, int)
        truth = isinstance(value, bool) and bool not in kinds
        if kinds and (truth or not isinstance(value, kinds)):
            named = " or ".join("empty" if kind is type(None) else kind.__name__ for kind in kinds)
            raise InvalidValueError(
                f"{where}: {name!r} must be {named}, got {value!r:.80}", hint=unquoted(value)
            )


def _hints(make: Any) -> dict[str, Any]:
    """Types of a constructor's parameters; none where they cannot be told at run time."""
    try:
        annotated = inspect.getattr_static(make, "__init__") if inspect.isclass(make) else make
        return typing.get_type_hints(annotated)
    except (NameError, TypeError):
        return {}


def _kinds(hint: Any) -> tuple[type, ...]:
    """The plain types of an annotation; empty where it says more than `isinstance` can tell."""
    if isinstance(hint, types.UnionType):
        return tuple(kind for part in typing.get_args(hint) for kind in _kinds(part))
    if hint is Any or hint is object:
        return ()
    origin = typing.get_origin(hint)
    if origin is Sequence or origin is tuple:
        return (list,)
    if origin is typing.Literal:
        return (str,)
    return (hint,) if isinstance(hint, type) else ()
