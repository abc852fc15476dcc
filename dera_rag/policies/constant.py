"""The same λ for every question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dera_rag.errors import InvalidValueError
from dera_rag.types import Evidence, Json, LambdaDecision, check_lam


@dataclass(frozen=True)
class ConstantPolicy:
    """Ignores the question.

    Attributes:
        lam: λ ≥ 0; 1 (default) is the aligned model.

    Raises:
        InvalidValueError: λ is negative or not finite.
    """

    lam: float = 1.0
    name = "constant"

    def __post_init__(self) -> None:
        """Refuse a λ that cannot be decoded with."""
        object.__setattr__(self, "lam", check_lam(self.lam))

    def decide(self, question: str, evidence: Evidence) -> LambdaDecision:
        """The constant."""
        return LambdaDecision(self.lam, f"λ is fixed at {self.lam:g}", policy=self.name)

    def to_config(self) -> dict[str, Json]:
        """Values for `from_config`."""
        return {"policy": self.name, "lam": self.lam}

    @classmethod
    def from_config(cls, config: Mapping[str, Json]) -> ConstantPolicy:
        """Read `to_config`'s form.

        Raises:
            InvalidValueError: An unknown key or a λ that is none.
        """
        unknown = set(config) - {"policy", "lam"}
        if unknown:
            raise InvalidValueError(f"unknown keys {sorted(unknown)}", hint="a constant has `lam`")
        return cls(config.get("lam", 1.0))  # type: ignore[arg-type]  # check_lam refuses the rest
