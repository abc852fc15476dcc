"""Rows of different length through `generate()` of a wrapped pair."""

import torch

from dera_rag.testing import until_stop


def padded(prompts, side):
    """Ids and mask `[B, L]`, padded with id 0."""
    width = max(map(len, prompts))
    ids, mask = [], []
    for prompt in prompts:
        gap, ones = [0] * (width - len(prompt)), [1] * len(prompt)
        ids.append([*gap, *prompt] if side == "left" else [*prompt, *gap])
        mask.append(gap + ones if side == "left" else ones + gap)
    return torch.tensor(ids), torch.tensor(mask)


def generate_rows(model, prompts, lam, **settings):
    """New tokens of every row up to its first stop token; greedy unless told otherwise."""
    encoder_decoder = model.config.is_encoder_decoder
    ids, mask = padded(prompts, "right" if encoder_decoder else "left")
    settings = {"do_sample": False, "pad_token_id": 0} | settings
    with torch.inference_mode():
        output = model.generate(ids, attention_mask=mask, dera_lambda=lam, **settings)
    start = 1 if encoder_decoder else ids.shape[1]
    stops = frozenset(model.generation_config.eos_token_id or ())
    return [until_stop(row, stops) for row in output[:, start:].tolist()]
