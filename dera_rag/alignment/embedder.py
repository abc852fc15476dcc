"""Trains the embedded static embedder: a vector per token, a text is the mean of its tokens'.

It starts out purely lexical (random, hence almost orthogonal vectors, as long as their token is
rare), so that text of any domain is matched by the words it shares. Contrastive training (InfoNCE,
van den Oord et al. 2018) on generated questions about invented venues then teaches which words of a
question matter: names. Sentences taken out of paragraphs of Python's own documentation (the inverse
cloze task, Lee et al. 2019) and a penalty on leaving the start keep the general behaviour.
"""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dera_rag.alignment.embedder_data import (
    SENTENCE,
    Batch,
    cloze_batch,
    documentation,
    venue_batch,
    venue_texts,
)
from dera_rag.errors import InvalidValueError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from tokenizers import Tokenizer

UNKNOWN = "[UNK]"


@dataclass(frozen=True, slots=True)
class EmbedderRecipe:
    """Settings of `train`; the defaults made the embedder that ships.

    Attributes:
        vocabulary: Most tokens, ≥ 300.
        dimension: Length of a vector, ≥ 2. At equal size, 8,000 tokens of 512 numbers found a
            sentence's paragraph among unseen documentation more often than 16,000 of 256 (.62 to
            .57 in the first five), and venues as often.
        records: Invented venues the vocabulary and the tokens' frequencies are counted on.
        steps: Updates, ≥ 0.
        places: Invented venues per update; fresh ones each time.
        paragraphs: Paragraphs of general text per update.
        near_duplicates: Share of the venues that have a near-duplicate beside them.
        temperature: Divides the cosines, > 0; lower looks harder at the closest wrong record.
        learning_rate: Of Adam, > 0.
        anchor: Weight of the penalty on leaving the start, ≥ 0; higher keeps more of the lexical
            behaviour.
        seed: Fixes every draw.

    Raises:
        InvalidValueError: A size out of range.
    """

    vocabulary: int = 8_000
    dimension: int = 512
    records: int = 4000
    steps: int = 400
    places: int = 192
    paragraphs: int = 192
    near_duplicates: float = 0.3
    temperature: float = 0.05
    learning_rate: float = 2e-3
    anchor: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse sizes nothing can be trained with."""
        if self.vocabulary < 300 or self.dimension < 2 or self.steps < 0 or self.temperature <= 0:
            raise InvalidValueError(
                f"cannot train with {self}",
                hint="vocabulary ≥ 300 (256 are bytes), dimension ≥ 2, steps ≥ 0, temperature > 0",
            )


@dataclass(frozen=True, slots=True)
class EmbedderReport:
    """What a training run did.

    Attributes:
        tokens: Size of the vocabulary.
        losses: Contrastive loss in nats at every tenth update, lower is better.
    """

    tokens: int
    losses: tuple[float, ...]


def train(
    out: str | Path,
    recipe: EmbedderRecipe | None = None,
    paragraphs: Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> EmbedderReport:
    """Train an embedder and save it in sentence-transformers' StaticEmbedding form.

    Args:
        out: Folder to write; read it with `StaticEmbedder(out)` or `SentenceTransformer(out)`.
        recipe: Settings; None for those of the embedder that ships.
        paragraphs: General text; None for the documentation that comes with this Python.
        progress: Called with updates done and in all.
    """
    import torch

    settings = recipe or EmbedderRecipe()
    general = list(documentation() if paragraphs is None else paragraphs)
    domain = venue_texts(random.Random(f"embedder texts {settings.seed}"), settings.records)
    tokenizer = train_tokenizer([*general, *domain], settings.vocabulary)
    start = initial_vectors(tokenizer, [*general, *domain], settings.dimension, settings.seed)
    vectors = torch.nn.Parameter(torch.from_numpy(start.copy()))
    losses = _optimise(vectors, tokenizer, general, settings, progress)
    save(Path(out), tokenizer, vectors.detach().numpy())
    return EmbedderReport(tokenizer.get_vocab_size(), tuple(losses[::10]))


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """A byte-level BPE over lower-cased words without accents.

    Words are split off before anything else, so a word has the same tokens wherever it stands;
    bytes as the last resort leave no word without a token.
    """
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFKD(),
            normalizers.StripAccents(),
            normalizers.Lowercase(),
            normalizers.Replace(Regex("[’ʼ‘`]"), "'"),
            # The place in "the Kettle's area" is the Kettle.
            normalizers.Replace(Regex(r"'s\b"), ""),
            normalizers.Replace("'", ""),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\w+"), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=[UNKNOWN],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def initial_vectors(
    tokenizer: Tokenizer, texts: Sequence[str], dimension: int, seed: int
) -> np.ndarray:
    """`[V, dimension]` float32: random directions, as long as the token's idf (unknown: 0)."""
    import numpy as np

    seen: Counter[int] = Counter()
    for encoding in tokenizer.encode_batch(list(texts), add_special_tokens=False):
        seen.update(set(encoding.ids))
    size = tokenizer.get_vocab_size()
    directions = np.random.default_rng(seed).standard_normal((size, dimension))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    idf = [math.log((1 + len(texts)) / (1 + seen[token])) for token in range(size)]
    vectors = directions * np.asarray(idf)[:, None] / math.log(1 + len(texts))
    vectors[tokenizer.token_to_id(UNKNOWN)] = 0.0
    return np.asarray(vectors, dtype=np.float32)


def save(folder: Path, tokenizer: Tokenizer, vectors: np.ndarray) -> None:
    """Write a model that sentence-transformers reads, float16; `vectors` is `[V, D]`."""
    import numpy as np
    from safetensors.numpy import save as to_bytes

    folder.mkdir(parents=True, exist_ok=True)
    home = "sentence_transformers.models"
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": f"{home}.StaticEmbedding"},
        {"idx": 1, "name": "1", "path": "1_Normalize", "type": f"{home}.Normalize"},
    ]
    (folder / "1_Normalize").mkdir(exist_ok=True)
    (folder / "1_Normalize" / "config.json").write_text("{}\n")
    (folder / "modules.json").write_text(json.dumps(modules, indent=2) + "\n")
    settings = {"similarity_fn_name": "cosine"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(settings) + "\n")
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    weights = to_bytes({"embedding.weight": vectors.astype(np.float16)})
    (folder / "model.safetensors").write_bytes(weights)


def _optimise(
    vectors: torch.nn.Parameter,
    tokenizer: Tokenizer,
    general: Sequence[str],
    settings: EmbedderRecipe,
    progress: Callable[[int, int], None] | None,
) -> list[float]:
    """Change the vectors in place; the losses of all updates."""
    import torch

    start = vectors.detach().clone()
    optimiser = torch.optim.Adam([vectors], lr=settings.learning_rate)
    rng = random.Random(f"embedder {settings.seed}")
    splittable = [parts for text in general if len(parts := SENTENCE.split(text)) > 1]
    losses = []
    for step in range(settings.steps):
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * (1 - step / settings.steps)
        optimiser.zero_grad()
        loss = _contrast(
            vectors,
            tokenizer,
            venue_batch(rng, settings.places, settings.near_duplicates),
            settings.temperature,
        )
        if splittable and settings.paragraphs:
            batch = cloze_batch(rng, splittable, settings.paragraphs)
            loss = loss + _contrast(vectors, tokenizer, batch, settings.temperature)
        drift = (vectors - start).square().sum(dim=1).mean()
        torch.autograd.backward(loss + settings.anchor * drift)
        optimiser.step()
        losses.append(float(loss.detach()))
        if progress is not None:
            progress(step + 1, settings.steps)
    return losses


def _contrast(
    vectors: torch.nn.Parameter, tokenizer: Tokenizer, batch: Batch, temperature: float
) -> torch.Tensor:
    """InfoNCE in nats; a question with several right texts shares its weight among them."""
    import torch

    questions, texts, gold = batch
    cosines = _embed(vectors, tokenizer, questions) @ _embed(vectors, tokenizer, texts).T
    likelihoods = torch.log_softmax(cosines / temperature, dim=1)
    rows = torch.tensor([row for row, right in enumerate(gold) for _ in right])
    columns = torch.tensor([column for right in gold for column in right])
    weights = torch.tensor([1 / len(right) for right in gold for _ in right])
    return -(likelihoods[rows, columns] * weights).sum() / len(gold)


def _embed(vectors: torch.nn.Parameter, tokenizer: Tokenizer, texts: Sequence[str]) -> torch.Tensor:
    """`[len(texts), D]` unit rows."""
    import torch

    encodings = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    lengths = [len(encoding.ids) for encoding in encodings]
    ids = torch.tensor([token for encoding in encodings for token in encoding.ids])
    offsets = torch.tensor([0, *lengths[:-1]]).cumsum(dim=0)
    bags = torch.nn.functional.embedding_bag(ids, vectors, offsets, mode="mean")
    return torch.nn.functional.normalize(bags, dim=1)
