#!/usr/bin/env python3
"""Compares an exported checkpoint with the one that it came from, tensor by tensor and bit for bit, without any code of the
converter.

    compare_export.py EXPORTED_DIR CHECKPOINT_DIR PLAN.json DTYPE

PLAN.json is what `pml-convert CHECKPOINT_DIR --dry-run --json` printed. Every tensor that the conversion used is there again under its
name (a LayerNorm's gamma and beta as weight and bias, as they are spelled today), with its shape and its numbers: those of DTYPE f32
exactly, those of bf16 where the file holds BF16 rounded to it. What the conversion dropped is there only if the framework expects it.
"""
import json
import os
import re
import sys

import numpy as np

sys.dont_write_bytecode = True
import compare_source  # noqa: E402

COUNTER = re.compile(r"\.num_batches_tracked$")
# Parameters of today's class that conversion drops, because nothing computes with them.
UNUSED = {"cls.predictions.bias", "lm_head.weight"}
# Sines and cosines that are loaded and never added; cases were cut to the rows that fit a small file.
POSITIONS = re.compile(r"^(enc|dec)_embedding\.position_embedding\.pe$")


def spelled_today(name):
    return re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", name))


def dtypes(directory):
    with open(os.path.join(directory, "model.safetensors"), "rb") as f:
        header = json.loads(f.read(int.from_bytes(f.read(8), "little")))
    return {name: entry["dtype"] for name, entry in header.items() if name != "__metadata__"}


def is_equal(ours, theirs, steps):
    rows = re.search(r"narrow\(0,0,(\d+)\)", steps)
    if rows and ours.shape[-1] == theirs.shape[-1]:  # a table of which the model uses the first rows; the others are made again
        n = int(rows.group(1))
        first, others = ours.reshape(-1, ours.shape[-1]), theirs.reshape(-1, theirs.shape[-1])
        n_both = min(len(first), len(others))  # cases may be cut to the rows that fit a small file
        return n <= n_both and first[:n].tobytes() == others[:n].tobytes() and np.abs(first[:n_both] - others[:n_both]).max() < 1e-6
    return ours.shape == theirs.shape and ours.tobytes() == theirs.tobytes()


def main():
    exported, checkpoint, plan, dtype = sys.argv[1:]
    ours, theirs = compare_source.read_checkpoint(exported), compare_source.read_checkpoint(checkpoint)
    types = dtypes(exported)
    with open(plan, encoding="utf-8") as f:
        plan = json.load(f)
    left, n = set(ours), 0
    for tensor in plan["tensors"]:
        for source in tensor["sources"]:
            name = spelled_today(source)
            if name not in ours and f"transformer.{name}" in ours:
                name = f"transformer.{name}"  # OpenAI's models for Hugging Face were saved without their class's prefix
            if name not in ours:
                name = compare_source.REPEATED.get(name)
            if name not in ours:
                sys.exit(f"{source} is not in the export")
            expected = theirs[source]
            if types[name] == "BF16":
                expected = compare_source.stored_form(expected, "BF16").view("<f4")
            if types[name] == "BF16" and dtype != "bf16":
                sys.exit(f"{name} is BF16")
            if not is_equal(ours[name], expected, tensor["transform"]):
                sys.exit(f"{name} {ours[name].shape} is not {source} {theirs[source].shape}")
            left.discard(name)
            n += 1
    for name in sorted(left):
        if POSITIONS.search(name) and name in theirs:
            n = min(ours[name].shape[1], theirs[name].shape[1])
            if np.abs(ours[name][:, :n] - theirs[name][:, :n]).max() < 1e-6:
                continue
        expected = name in theirs and ours[name].shape == theirs[name].shape
        if not expected or (COUNTER.search(name) and ours[name].any()) or (not COUNTER.search(name) and name not in UNUSED):
            sys.exit(f"{name} is in the export, and the source does not account for it")
    missing = [name for name in theirs if COUNTER.search(name) and name not in ours]
    if missing:
        sys.exit(f"{missing[0]} is not in the export")
    print(f"{n} tensors are those of the source, {len(left)} more are expected by the framework")


if __name__ == "__main__":
    main()
