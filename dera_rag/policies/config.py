"""Policies as YAML: values only, every key checked."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from dera_rag import registry
from dera_rag.errors import InvalidValueError, MissingFileError
from dera_rag.files import write_atomic
from dera_rag.types import Json

if TYPE_CHECKING:
    from dera_rag.protocols import ConfigurablePolicy

_T = TypeVar("_T")
_REQUIRED: Any = object()
_IN_WORDS: dict[type, str] = {
    str: "text",
    list: "a list, written [a, b]",
    dict: "keys and values",
    bool: "true or false",
}


class Settings:
    """A mapping whose keys are taken one by one; what is left over is an error.

    Args:
        values: What was read.
        where: Names it in messages.
        examples: Key → how it may be written, for the hint beside a value of another type.

    Raises:
        InvalidValueError: Not a mapping with string keys.
    """

    def __init__(
        self, values: Any, where: str, examples: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        if not isinstance(values, Mapping) or not all(isinstance(key, str) for key in values):
            raise InvalidValueError(f"{where}: expected keys and values, got {values!r:.80}")
        self._left = dict(values)
        self._known: list[str] = []
        self._where = where
        self._examples = examples

    def take(self, key: str, kind: type[_T], default: _T = _REQUIRED) -> _T:
        """The value of a key.

        Raises:
            InvalidValueError: The key is missing and has no default, or the value is of another
                type.
        """
        value = self._pop(key, default)
        if not isinstance(value, kind):
            wanted = _IN_WORDS.get(kind, kind.__name__)
            raise InvalidValueError(
                f"{self._where}: {key!r} must be {wanted}, got {value!r:.80}",
                hint=self._example(key, value),
            )
        return value

    def number(self, key: str, default: float | None = _REQUIRED) -> Any:
        """The number under a key, or its default.

        Raises:
            InvalidValueError: The key is missing and has no default, or the value is no number.
        """
        value = self._pop(key, default)
        if value is not default and (
            isinstance(value, bool) or not isinstance(value, (int, float))
        ):
            raise InvalidValueError(
                f"{self._where}: {key!r} must be a number, got {value!r:.80}",
                hint=self._example(key, value),
            )
        return value

    def _example(self, key: str, value: Any) -> str:
        example = self._examples.get(key)
        return f"e.g. `{example}`" if example else unquoted(value)

    def _pop(self, key: str, default: Any) -> Any:
        self._known.append(key)
        value = self._left.pop(key, default)
        if value is _REQUIRED:
            raise InvalidValueError(f"{self._where}: {key!r} is missing", hint=self._suggestion())
        return value

    def _suggestion(self) -> str:
        """The nearest known key of each that was not taken."""
        near = {key: difflib.get_close_matches(key, self._known, n=1) for key in self._left}
        meant = [f"{key!r}: did you mean {found[0]!r}?" for key, found in near.items() if found]
        return "; ".join(meant)

    def strings(self, values: Any, where: str) -> list[str]:
        """A list of non-empty strings.

        Raises:
            InvalidValueError: Anything else.
        """
        if not isinstance(values, list) or not all(isinstance(v, str) and v for v in values):
            raise InvalidValueError(f"{where}: expected a list of words, got {values!r:.80}")
        return values

    def refuse_others(self, keys: Sequence[str]) -> None:
        """Refuse unknown keys before any is taken: a misspelt key is not a missing one.

        Args:
            keys: All that may be there.

        Raises:
            InvalidValueError: There are others.
        """
        self._known += keys
        known = {key: self._left.pop(key) for key in keys if key in self._left}
        self.finish()
        self._left = known

    def finish(self) -> None:
        """Refuse keys that were not taken.

        Raises:
            InvalidValueError: There are some.
        """
        if self._left:
            raise InvalidValueError(
                f"{self._where}: unknown keys {sorted(self._left)}",
                hint=self._suggestion() or f"known are {sorted(self._known)}",
            )


def unquoted(value: object) -> str:
    """A hint for what would be a number without its quotes; "" for anything else."""
    try:
        number = float(value) if isinstance(value, str) else math.nan
    except ValueError:
        number = math.nan
    return "" if math.isnan(number) else f"write {value} without quotes"


def parse(text: str, where: str) -> dict[str, Json]:
    """YAML text as a mapping.

    Raises:
        InvalidValueError: Not YAML, or no mapping.
    """
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidValueError(f"{where} is not YAML: {error}") from error
    if not isinstance(values, dict):
        raise InvalidValueError(f"{where}: expected keys and values, got {values!r:.80}")
    return values


def from_config(config: Mapping[str, Json]) -> ConfigurablePolicy:
    """The policy that a mapping describes; `policy` is its registry name.

    Raises:
        InvalidValueError: No `policy`, a name the registry does not hold, or values the policy
            refuses.
    """
    name = config.get("policy")
    if not isinstance(name, str):
        raise InvalidValueError(
            f"`policy` must name a policy, got {name!r}",
            hint=f"one of {registry.names('policies')}",
        )
    policy: ConfigurablePolicy = registry.resolve("policies", name).from_config(config)
    return policy


def load(path: str | Path) -> ConfigurablePolicy:
    """A policy out of a YAML file.

    Raises:
        MissingFileError: No such file.
        InvalidValueError: As `from_config`.
    """
    file = Path(path)
    if not file.is_file():
        raise MissingFileError(f"no policy file {str(file)!r}", hint="policies.save writes one")
    return from_config(parse(file.read_text(encoding="utf-8"), file.name))


def save(policy: ConfigurablePolicy, path: str | Path) -> None:
    """Write a policy as YAML, atomically."""
    text = yaml.safe_dump(policy.to_config(), sort_keys=False, allow_unicode=True)
    write_atomic(path, text)
