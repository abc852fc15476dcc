"""A byte-level BPE made for short records: a bullet's label is one token, and a passage's number.

A record line such as "- price range: cheap" then costs two or three tokens instead of six, which
shortens prompts to less than half and puts a value right behind the token that names its attribute.
"""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

END = "<|endoftext|>"
PAD = "<|pad|>"

_LABEL = r"\n*\[\d\]|\n*- [a-z]+(?: [a-z]+)?:|\n+(?:Question|Answer):"
_WORD = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}{1,2}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """Train the pair's tokenizer.

    Args:
        texts: Prompts and answers as the models will see them.
        vocab_size: Entries, the two special tokens included; at least 258.

    Returns:
        A byte-level BPE tokenizer that adds no special tokens; `END` ends a text, `PAD` pads.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(f"{_LABEL}|{_WORD}"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        clean_up_tokenization_spaces=False,
        model_max_length=1024,
    )
