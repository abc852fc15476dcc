"""The policies of a suite: by name, as values, or out of files that a run keeps the content of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dera_rag import registry
from dera_rag.errors import InvalidValueError, MissingFileError
from dera_rag.policies import EvidencePolicy, from_config
from dera_rag.policies.config import parse
from dera_rag.types import Json

if TYPE_CHECKING:
    from dera_rag.protocols import ConfigurablePolicy

_YAML = (".yaml", ".yml")


def read_policies(
    values: list[Json], answers: str, folder: Path, where: str
) -> dict[str, dict[str, Json]]:
    """Label → the policy's own values: a run must not depend on a file that may change.

    Args:
        values: As in the YAML.
        answers: How the suite answers; given answers have no policies.
        folder: Files are relative to this.
        where: Names the suite in messages.

    Raises:
        InvalidValueError: What is no policy, or two of one label.
        UnknownNameError: A policy that is not registered.
        MissingFileError: A file that does not exist.
    """
    if values and answers == "given":
        raise InvalidValueError(f"{where}: given answers have no `policies`", hint="leave it out")
    made: dict[str, dict[str, Json]] = {}
    for value in values:
        label, policy = _policy(value, folder, where)
        if label in made:
            raise InvalidValueError(
                f"{where}: two policies are called {label!r}", hint="give each its `label`"
            )
        made[label] = policy.to_config()
    return made


def _policy(value: Json, folder: Path, where: str) -> tuple[str, ConfigurablePolicy]:
    """A registry name (with its defaults), a YAML file, or values with `policy` and `label`."""
    if isinstance(value, str) and value.endswith(_YAML):
        return _labelled(policy_file(folder, value), f"{where}, policies, {value}")
    if value == "evidence":
        return "evidence", EvidencePolicy.embedded()
    if isinstance(value, str):
        registry.resolve("policies", value)
        return value, from_config({"policy": value})
    if not isinstance(value, dict):
        raise InvalidValueError(f"{where}: no policy: {value!r:.80}", hint="policies: [evidence]")
    return _labelled(value, f"{where}, policies")


def _labelled(values: dict[str, Json], where: str) -> tuple[str, ConfigurablePolicy]:
    config = dict(values)
    label = config.pop("label", config.get("policy"))
    if not isinstance(label, str) or not label:
        raise InvalidValueError(f"{where}: a policy's label must be a word, got {label!r}")
    try:
        return label, from_config(config)
    except InvalidValueError as error:
        raise InvalidValueError(f"{where}: {error.message}", hint=error.hint) from error


def policy_file(folder: Path, name: str) -> dict[str, Json]:
    """What a policy's YAML file holds, with the file's own name as its label where it has none.

    Args:
        folder: Where the suite lies.
        name: Of the file.

    Raises:
        MissingFileError: No such file.
        InvalidValueError: It is no YAML of keys and values.
    """
    file = folder / name
    if not file.is_file():
        raise MissingFileError(
            f"no policy file {str(file)!r}", hint="paths are relative to the suite's file"
        )
    return {"label": file.stem, **parse(file.read_text(encoding="utf-8"), file.name)}


def with_policy_files(values: Mapping[str, Json], folder: Path) -> dict[str, Json]:
    """A suite's values with what its policies' files hold in place of their names.

    A run keeps these: a file that changes later would change what the run says of itself.

    Args:
        values: Of a suite that can be read.
        folder: Where it lies.

    Raises:
        DeraRagError: As `policy_file`.
    """
    policies = values.get("policies")
    if not isinstance(policies, list):
        return dict(values)
    held: list[Json] = [
        policy_file(folder, one) if isinstance(one, str) and one.endswith(_YAML) else one
        for one in policies
    ]
    return {**values, "policies": held}
