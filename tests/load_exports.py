#!/usr/bin/env python3
"""Loads checkpoints and their exports with the classes of transformers: load_exports.py {CHECKPOINT_DIR EXPORTED_DIR}...

Both must have the same weights (counters of training batches start again at 0) and give the same outputs for the recorded inputs, bit
for bit; nothing is missing from an export or unknown to the class; tokenizers give the same ids.
"""
import inspect
import json
import os
import sys

import torch
import transformers
from safetensors.torch import load_file

TEXTS = ["Hello, world!", "Na\u00efve Caf\u00e9 \u2014 \u4f60\u597d test 123", "the [MASK] of the lord [SEP] x", "unaffable \u200b\tzz\n", ""]
# Parameters that nothing computes with (specs/models/bert.md).
UNUSED = {"cls.predictions.bias"}


def load(class_, directory):
    model, report = class_.from_pretrained(directory, output_loading_info=True, dtype=torch.float32)
    return model.eval(), report


def outputs(model, inputs):
    torch.manual_seed(0)
    with torch.no_grad():
        found = model(**inputs)
    flat = []
    for value in found.values():
        flat += [v for v in (value if isinstance(value, (tuple, list)) else [value]) if torch.is_tensor(v)]
    return flat


def compare(checkpoint, exported):
    with open(os.path.join(exported, "config.json"), encoding="utf-8") as f:
        class_ = getattr(transformers, json.load(f)["architectures"][0])
    theirs, _ = load(class_, checkpoint)
    ours, report = load(class_, exported)
    problems = [f"missing {k}" for k in report["missing_keys"]] + [f"unexpected {k}" for k in report["unexpected_keys"]]
    state, other = theirs.state_dict(), ours.state_dict()
    n_equal = 0
    for key in sorted(set(state) | set(other)):
        if key not in state or key not in other:
            problems.append(f"{key} is in one of them only")
        elif torch.equal(state[key], other[key]):
            n_equal += 1
        elif not key.endswith("num_batches_tracked") and key not in UNUSED:
            problems.append(f"{key} differs")
    recorded = load_file(os.path.join(checkpoint, "io.safetensors"))
    known = inspect.signature(class_.forward).parameters
    inputs = {k[3:]: v for k, v in recorded.items() if k.startswith("in.") and k[3:] in known}
    expected, found = outputs(theirs, inputs), outputs(ours, inputs)
    if len(expected) != len(found) or not expected:
        problems.append("another number of outputs")
    for a, b in zip(expected, found):
        if not torch.equal(torch.nan_to_num(a), torch.nan_to_num(b)):
            problems.append("an output differs")
    if os.path.exists(os.path.join(exported, "tokenizer.json")):
        for kind in (transformers.AutoTokenizer, transformers.BertTokenizer):
            a, b = kind.from_pretrained(checkpoint), kind.from_pretrained(exported)
            problems += [f"ids of {text!r} differ" for text in TEXTS
                         if dict(a(text, "other")) != dict(b(text, "other")) or dict(a(text)) != dict(b(text))]
    return n_equal, problems


def main():
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    n_models = n_equal = 0
    failed = False
    pairs = sys.argv[1:]
    for checkpoint, exported in zip(pairs[::2], pairs[1::2]):
        n, problems = compare(checkpoint, exported)
        n_models, n_equal = n_models + 1, n_equal + n
        for problem in problems:
            print(f"{checkpoint}: {problem}")
            failed = True
    print(f"{n_models} models loaded, {n_equal} entries of their state_dicts bit for bit equal")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
