"""What every subject computes on: formulas, so that any program can make the same numbers."""
import os

import numpy as np

MINILM_SHAPES = {"minilm-1x16": (1, 16), "minilm-1x128": (1, 128), "minilm-8x128": (8, 128)}
PATCHTST_BATCHES = {"patchtst42-b1": 1, "patchtst42-b32": 32, "patchtst42-b128": 128}
PROMPT, GENERATED = 128, 64
GPT2_VOCABULARY = 50257


def wanted(cases):
    """The one that the environment names, where only its first result counts; otherwise all."""
    name = os.environ.get("PML_BENCH_CASE")
    return {name: cases[name]} if name in cases else cases


def minilm_ids(batch, tokens):
    """Words all over the vocabulary between [CLS] (101) and [SEP] (102)."""
    ids = (np.arange(batch * tokens, dtype=np.int64) * 7919 % 20000 + 1000).reshape(batch, tokens)
    ids[:, 0], ids[:, -1] = 101, 102
    return ids


def gpt2_ids(tokens):
    return np.arange(tokens, dtype=np.int64)[None] * 7919 % GPT2_VOCABULARY


def series(batch, steps=336):
    """[batch, steps, 7]: waves of different periods and phases, with a trend from sample to sample."""
    time, sample, channel = np.ogrid[:steps, :batch, :7]
    wave = np.sin(0.26 * time + 0.4 * channel + sample) + 0.3 * np.cos((0.031 + 0.01 * channel) * time)
    return np.ascontiguousarray((wave + 0.1 * sample).transpose(1, 0, 2), dtype=np.float32)


def marks(batch, first, steps):
    """[batch, steps, 4]: of hours from `first` on, what the official code tells of dates; the first sample begins a year."""
    hour = np.arange(first, first + steps)[None] + 24 * np.arange(batch)[:, None]
    parts = [hour % 24 / 23, hour // 24 % 7 / 6, hour // 24 % 30 / 30, hour // 24 % 365 / 365]
    return np.stack(parts, -1).astype(np.float32) - np.float32(0.5)


def relative_rms(values, truth):
    values, truth = np.asarray(values, np.float64).ravel(), np.asarray(truth, np.float64).ravel()
    return float(np.sqrt(((values - truth) ** 2).mean() / (truth ** 2).mean()))
