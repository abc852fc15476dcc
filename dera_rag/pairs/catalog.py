"""Public pairs worth trying, with what is known of them.

What nobody has looked up is None, and a value that was not read from a model's own card or
configuration is named in `unchecked`. No file of a repository comes with this package.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from dera_rag.errors import UnknownNameError
from dera_rag.types import Json


@dataclass(frozen=True, slots=True)
class PublicPair:
    """Two public checkpoints that share their token ids.

    Attributes:
        name: Short name.
        reference: Hub id of the model at λ=0.
        aligned: Hub id of the model at λ=1.
        alignment: How the aligned model was made from the reference.
        beta: β of that training; None if unknown. β/λ is the strength λ stands for only where the
            reference is the model it was trained against.
        trained_against_reference: Whether it is; None if unknown.
        parameters: Weights of one model.
        licence: Licence of the aligned model, as its card names it; None if unknown.
        template: Who brings a chat template: "both", "aligned" or None if unknown.
        eos: Whether both stop on the same token: "same", "differs" or None if unknown.
        unchecked: Fields whose value is hearsay.
        note: What else to know.
    """

    name: str
    reference: str
    aligned: str
    alignment: str
    parameters: int
    beta: float | None = None
    trained_against_reference: bool | None = None
    licence: str | None = None
    template: str | None = None
    eos: str | None = None
    unchecked: tuple[str, ...] = ()
    note: str = ""

    def memory(self, itemsize: int = 2) -> int:
        """Bytes of both models' weights.

        Args:
            itemsize: Bytes of a weight; 2 (default) is bfloat16.
        """
        return 2 * itemsize * self.parameters

    def to_dict(self) -> dict[str, Json]:
        """A JSON-able form; unknown is null."""
        values: dict[str, Json] = asdict(self)
        return values | {"unchecked": list(self.unchecked), "memory_bfloat16": self.memory()}


_NORMALIZED = "DPO with length-normalized log-probabilities"
_INSTRUCT = "supervised tuning and preference training"
_NOT_TRAINED_AGAINST = (
    "the reference is the base model, so λ also undoes the supervised tuning in between"
)

CATALOG: tuple[PublicPair, ...] = (
    PublicPair(
        name="smollm2-135m",
        reference="HuggingFaceTB/SmolLM2-135M",
        aligned="HuggingFaceTB/SmolLM2-135M-Instruct",
        alignment=f"{_INSTRUCT} (DPO on UltraFeedback)",
        parameters=134_515_008,
        beta=0.5,
        trained_against_reference=False,
        licence="apache-2.0",
        template="aligned",
        eos="differs",
        unchecked=("template", "eos"),
        note=f"{_NOT_TRAINED_AGAINST}; β is that of the published recipe",
    ),
    PublicPair(
        name="smollm2-360m",
        reference="HuggingFaceTB/SmolLM2-360M",
        aligned="HuggingFaceTB/SmolLM2-360M-Instruct",
        alignment=f"{_INSTRUCT} (DPO on UltraFeedback)",
        parameters=361_821_120,
        beta=0.5,
        trained_against_reference=False,
        licence="apache-2.0",
        template="aligned",
        eos="differs",
        unchecked=("parameters", "licence", "template", "eos"),
        note=f"{_NOT_TRAINED_AGAINST}; β is that of the published recipe",
    ),
    PublicPair(
        name="qwen2.5-0.5b",
        reference="Qwen/Qwen2.5-0.5B",
        aligned="Qwen/Qwen2.5-0.5B-Instruct",
        alignment=_INSTRUCT,
        parameters=494_032_768,
        trained_against_reference=False,
        licence="apache-2.0",
        template="both",
        eos="differs",
        unchecked=("template",),
        note=_NOT_TRAINED_AGAINST,
    ),
    PublicPair(
        name="olmo-1b-0724",
        reference="hamishivi/OLMo-1B-0724-SFT-hf",
        aligned="hamishivi/OLMo-1B-0724-Instruct-hf",
        alignment="DPO on UltraFeedback",
        parameters=1_280_000_000,
        beta=0.1,
        trained_against_reference=True,
        licence="apache-2.0",
        unchecked=("parameters",),
        note="its pages name no safetensors; pickled weights are not read, so convert them first",
    ),
    PublicPair(
        name="olmo-2-1b",
        reference="allenai/OLMo-2-0425-1B-SFT",
        aligned="allenai/OLMo-2-0425-1B-DPO",
        alignment=_NORMALIZED,
        parameters=1_480_000_000,
        trained_against_reference=True,
        licence="apache-2.0",
        template="both",
        unchecked=("alignment", "parameters", "licence", "template"),
    ),
    PublicPair(
        name="smollm2-1.7b",
        reference="HuggingFaceTB/SmolLM2-1.7B",
        aligned="HuggingFaceTB/SmolLM2-1.7B-Instruct",
        alignment=f"{_INSTRUCT} (DPO on UltraFeedback)",
        parameters=1_711_376_384,
        beta=0.5,
        trained_against_reference=False,
        licence="apache-2.0",
        template="aligned",
        eos="differs",
        unchecked=("parameters", "licence", "template", "eos"),
        note=f"{_NOT_TRAINED_AGAINST}; β is that of the published recipe",
    ),
    PublicPair(
        name="zephyr-7b-beta",
        reference="HuggingFaceH4/mistral-7b-sft-beta",
        aligned="HuggingFaceH4/zephyr-7b-beta",
        alignment="DPO on UltraFeedback",
        parameters=7_242_000_000,
        beta=0.1,
        trained_against_reference=True,
        licence="mit",
        template="both",
        unchecked=("template",),
        note="the chat pair of Liu et al. 2024, who give β",
    ),
    PublicPair(
        name="olmo-2-7b",
        reference="allenai/OLMo-2-1124-7B-SFT",
        aligned="allenai/OLMo-2-1124-7B-DPO",
        alignment=_NORMALIZED,
        parameters=7_300_000_000,
        beta=5.0,
        trained_against_reference=True,
        licence="apache-2.0",
        template="both",
        unchecked=("parameters", "template"),
        note="β is per token here, and no KL strength; -Instruct follows with verifiable rewards",
    ),
    PublicPair(
        name="tulu-3-8b",
        reference="allenai/Llama-3.1-Tulu-3-8B-SFT",
        aligned="allenai/Llama-3.1-Tulu-3-8B-DPO",
        alignment=_NORMALIZED,
        parameters=8_030_000_000,
        trained_against_reference=True,
        licence="llama3.1",
        template="both",
        unchecked=("parameters", "template"),
    ),
    PublicPair(
        name="context-faithful-llama-3-8b",
        reference="meta-llama/Meta-Llama-3-8B-Instruct",
        aligned="Bibaolong/Context-Faithful-LLaMA-3-8b-instruct",
        alignment="Context-DPO: passages that contradict what the model knows",
        parameters=8_030_000_000,
        unchecked=("reference", "alignment", "parameters"),
        note="whether the repository holds a whole model or an adapter is unknown",
    ),
    PublicPair(
        name="olmo-2-13b",
        reference="allenai/OLMo-2-1124-13B-SFT",
        aligned="allenai/OLMo-2-1124-13B-DPO",
        alignment=_NORMALIZED,
        parameters=13_700_000_000,
        beta=5.0,
        trained_against_reference=True,
        licence="apache-2.0",
        template="both",
        unchecked=("parameters", "template"),
        note="β is per token here, and no KL strength; -Instruct follows with verifiable rewards",
    ),
)


def find(name: str) -> PublicPair:
    """The entry of this name.

    Args:
        name: As in `CATALOG`, e.g. "zephyr-7b-beta".

    Raises:
        UnknownNameError: There is none; the hint lists all.
    """
    for pair in CATALOG:
        if pair.name == name:
            return pair
    raise UnknownNameError(
        f"no public pair {name!r} in the catalog",
        hint="one of " + ", ".join(pair.name for pair in CATALOG),
    )
