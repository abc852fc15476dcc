"""What two runs were told to do differently: a difference of settings explains one of scores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dera_rag.evaluation.runner.manifest import Manifest
from dera_rag.evaluation.suites.examples import DEFAULTS

_NONE = "none"
# These change what is made of answers, and no answer.
_READING = ("suite", "about", "axes", "tuning", "batch", "scorers", "tasks", "policies", "sampling")


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A setting that two runs have in two values.

    Attributes:
        setting: Its name, with dots where it is inside another.
        before: The old run's value as JSON; `none` where it has none.
        after: The new run's.
    """

    setting: str
    before: str
    after: str


def changed_settings(old: Manifest, new: Manifest) -> tuple[SettingChange, ...]:
    """Every setting that differs, those that answers depend on first.

    Args:
        old: The old run's manifest.
        new: The new run's.
    """
    made = _changes(_answering(old), _answering(new))
    if not made:
        made = _unnamed(old, new)
    return (*made, *_changes(_judging(old), _judging(new)))


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[SettingChange]:
    return [
        SettingChange(name, _shown(before.get(name)), _shown(after.get(name)))
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    ]


def _answering(manifest: Manifest) -> dict[str, Any]:
    """What answers depend on."""
    suite: Mapping[str, Any] = {**DEFAULTS, **manifest.suite}
    found = {name: value for name, value in suite.items() if name not in _READING}
    found |= {f"sampling.{name}": value for name, value in suite["sampling"].items()}
    found |= {f"policies.{label}": value for label, value in map(_labelled, suite["policies"])}
    for section, options in suite["tasks"].items():
        kept = {name: value for name, value in options.items() if name != "scorers"}
        found |= {f"tasks.{section}.{name}": value for name, value in kept.items()}
    found |= {f"weights of {name}": value for name, value in manifest.models.items()}
    return found | {"limit": manifest.limit}


def _labelled(policy: Any) -> tuple[str, Any]:
    """A policy of a suite by its label, as `suites.policies` labels it."""
    if isinstance(policy, str):
        return Path(policy).stem, policy
    values = {name: value for name, value in policy.items() if name != "label"}
    return str(policy.get("label", policy.get("policy"))), values


def _judging(manifest: Manifest) -> dict[str, Any]:
    """What is made of answers: axes, splits, scorers, and the versions of what computed them."""
    suite: Mapping[str, Any] = {**DEFAULTS, **manifest.suite}
    found: dict[str, Any] = {"axes": suite["axes"], "tuning": suite["tuning"]}
    scorers: Mapping[str, Any] = manifest.scorers
    for section, rows in scorers.items():
        for name, row in rows.items():
            kept = {key: row.get(key) for key in ("version", "options")}
            found |= {f"{section}, scorer {name}, {key}": value for key, value in kept.items()}
    return found | {f"version of {name}": value for name, value in manifest.versions.items()}


def _unnamed(old: Manifest, new: Manifest) -> list[SettingChange]:
    """Batches of the same questions and two contents, where no setting says why."""
    before, after = _batches(old), _batches(new)
    told = "data (corpus, contexts or references)"
    return [
        SettingChange(f"{section}, {told}", before[section, keys], after[section, keys])
        for section, keys in dict.fromkeys([*before])
        if after.get((section, keys), "") not in {"", before[section, keys]}
    ][:1]


def _batches(manifest: Manifest) -> dict[tuple[str, tuple[str, ...]], str]:
    plan: Mapping[str, Any] = manifest.plan
    return {(one["section"], tuple(one["keys"])): one["batch"] for one in plan["batches"]}


def _shown(value: object) -> str:
    if value is None:
        return _NONE
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
