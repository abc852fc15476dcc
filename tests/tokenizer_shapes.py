"""Tokenizers of the shapes people use, trained on the spot on a few lines of text."""

import json

from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

TEXT = [
    "The Copper Kettle is a cheap pub by the riverside, near Harbour Books.",
    "- name: The Copper Kettle\n- type: pub\n- food: Italian\n- price range: cheap",
    "Question: What does it cost?\nAnswer: It is cheap. user assistant system im_start im_end tool",
    "</s> <s> <|x|> [INST] {'a': 1}  two  spaces\n\nand lines",
] * 3

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content | trim }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
INST = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
    "{% else %} {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
)
AS_JSON = "<|im_start|>{% for m in messages %}{{ m | tojson }}{% endfor %}<|im_end|>"
HEADER = (
    "{{ bos_token }}{% for m in messages %}<|header|>{{ m.role }}<|end_header|>\n\n"
    "{{ m.content | trim }}<|eot|>{% endfor %}<|header|>assistant<|end_header|>\n\n"
)
TURNS = (
    "<bos>{% for m in messages %}<start_of_turn>{{ m.role }}\n{{ m.content | trim }}<end_of_turn>\n"
    "{% endfor %}<start_of_turn>model\n"
)


def _byte_level(special, **bpe):
    tokenizer = Tokenizer(models.BPE(**bpe))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    return tokenizer


def _with_bos(tokenizer, bos):
    index = tokenizer.token_to_id(bos)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A", pair=f"{bos} $A $B", special_tokens=[(bos, index)]
    )
    return tokenizer


def chatml(template=CHATML):
    """Byte-level BPE, ChatML, ordinary added tokens for tools; no BOS."""
    tokenizer = _byte_level(["<|endoftext|>"])
    tokenizer.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    tokenizer.add_tokens(
        [
            AddedToken(name, special=False, normalized=False)
            for name in ("<tool_call>", "</tool_call>", "<think>", "</think>")
        ]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", chat_template=template
    )


def header():
    """Byte-level BPE that looks whole words up first; BOS by post-processor and template alike."""
    tokenizer = _byte_level([], ignore_merges=True)
    tokenizer.add_special_tokens(["<|begin|>", "<|header|>", "<|end_header|>", "<|eot|>"])
    return PreTrainedTokenizerFast(
        tokenizer_object=_with_bos(tokenizer, "<|begin|>"),
        bos_token="<|begin|>",
        eos_token="<|eot|>",
        chat_template=HEADER,
    )


def sentencepiece_bpe():
    """BPE with a prepended ▁ and byte fallback; the model's vocabulary holds `<s>` and `</s>`."""
    letters = sorted(set("".join(TEXT)) - {" "})
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *letters]
    merges = [("▁", "t"), ("t", "h"), ("▁t", "h"), ("c", "h"), ("[", "I")]
    pieces += ["".join(merge) for merge in merges]
    tokenizer = Tokenizer(
        models.BPE(
            vocab={piece: index for index, piece in enumerate(dict.fromkeys(pieces))},
            merges=merges,
            unk_token="<unk>",
            byte_fallback=True,
            fuse_unk=True,
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    tokenizer.add_special_tokens(["[INST]", "[/INST]"])
    return PreTrainedTokenizerFast(
        tokenizer_object=_with_bos(tokenizer, "<s>"),
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        chat_template=INST,
    )


def newlines():
    """Added newlines that the plain vocabulary spells too, and an added token that merges reach."""
    letters = sorted(set("".join(TEXT)) - {" "})
    merges = [("\n", "\n"), ("<", "e"), ("<e", "n"), ("<en", "d")]
    pieces = ["<pad>", "<eos>", "<bos>", "<unk>", *letters, "▁", *("".join(m) for m in merges)]
    tokenizer = Tokenizer(
        models.BPE(
            vocab={piece: index for index, piece in enumerate(dict.fromkeys(pieces))},
            merges=merges,
            unk_token="<unk>",
        )
    )
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.add_special_tokens(["<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>"])
    tokenizer.add_tokens(
        [AddedToken(name, special=False, normalized=False) for name in ("\n\n", "<end")]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=_with_bos(tokenizer, "<bos>"),
        bos_token="<bos>",
        eos_token="<eos>",
        unk_token="<unk>",
        chat_template=TURNS,
    )


def unigram():
    """Unigram whose `</s>` is a piece with the best score, and which appends it; no template."""
    letters = sorted(set("".join(TEXT)) - {" "})
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), ("▁the", -1.0)]
    pieces += [(letter, -3.0) for letter in letters]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.add_special_tokens(["<pad>", "</s>", "<extra_id_0>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    )


def word_level():
    """Words between spaces, lower-cased and compatibility-composed before markup is matched."""
    words = sorted({word.lower() for line in TEXT for word in line.split()} | {"</s>"})
    vocabulary = {word: index for index, word in enumerate(["[UNK]", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(["[UNK]", "</s>"])
    tokenizer.add_tokens(
        [
            AddedToken("<tool>", special=False, normalized=True),
            AddedToken("<word>", special=False, single_word=True),
            AddedToken("<left>", special=False, lstrip=True, rstrip=True),
        ]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", unk_token="[UNK]")


def word_piece():
    """BERT's shape: `[CLS]` and `[SEP]` around, lower case."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "copper", "kettle", "is", "cheap", "pub"]
    words += [
        *"abcdefghijklmnopqrstuvwxyz[]<>/|:.?-'",
        *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz"),
    ]
    tokenizer = Tokenizer(
        models.WordPiece({word: index for index, word in enumerate(words)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", sep_token="[SEP]", cls_token="[CLS]"
    )


def indentation():
    """Runs of spaces and tabs as added tokens outside the plain vocabulary, as in code models."""
    tokenizer = _byte_level(["<|endoftext|>"])
    tokenizer.add_tokens(
        [AddedToken(" " * n, special=False, normalized=True) for n in range(6, 1, -1)]
        + [AddedToken("\t\t", special=False)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>")


SHAPES = {
    "chatml": chatml,
    "chatml as json": lambda: chatml(AS_JSON),
    "header": header,
    "sentencepiece_bpe": sentencepiece_bpe,
    "newlines": newlines,
    "unigram": unigram,
    "word_level": word_level,
    "word_piece": word_piece,
    "indentation": indentation,
}


def added_tokens(tokenizer):
    """Every added token with its id, as the backend's own file has them."""
    spec = json.loads(tokenizer.backend_tokenizer.to_str())
    return {token["content"]: token["id"] for token in spec["added_tokens"]}
