#!/usr/bin/env python3
"""Compares every tensor of a .pml file with its source, bit for bit (I8: within what 8 bits can say), without any code of the converter.

    compare_source.py FILE.pml CHECKPOINT_DIR [PLAN.json]

The file is read by scripts/pml_reader.py, the checkpoint by the few lines below, the recorded transforms are done by numpy. Every stored
tensor must be the transform of a source tensor that no other stored tensor claims, and every source tensor must be used, except
counters of training batches. That each has the right name is what the parity of the outputs proves; a PLAN, which
`pml-convert --dry-run --json` printed for that conversion, names the sources of each tensor, and then no others will do.
"""
import json
import os
import re
import sys

import numpy as np

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scripts"))
import pml_reader  # noqa: E402
import torch_reader  # noqa: E402

CODES = {"C64": "<c8", "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "U8": "u1", "BOOL": "u1"}
UNUSED = re.compile(r"\.num_batches_tracked$|\.cross_attention\.inner_correlation\.T0\.|(enc|dec)_embedding\.position_embedding\.pe$|embeddings\.(position_ids|token_type_ids)$|\.attn\.(masked_)?bias$")
# Left out where another tensor says the same or is what upstream computes with.
OUTRANKED = {"cls.predictions.bias": "cls.predictions.decoder.bias"}
# Left out where it says again, bit for bit, what another tensor says.
REPEATED = {"cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
            "cls.predictions.decoder.bias": "cls.predictions.bias",
            "lm_head.weight": "transformer.wte.weight", "transformer.wte.weight": "lm_head.weight"}


def read_checkpoint(directory):
    """Name -> float32 array, widened exactly (F64 is rounded once)."""
    if os.path.exists(os.path.join(directory, "pytorch_model.bin")):
        return torch_reader.read(os.path.join(directory, "pytorch_model.bin"))
    index = os.path.join(directory, "model.safetensors.index.json")
    names = ["model.safetensors"]
    if os.path.exists(index):
        with open(index, encoding="utf-8") as f:
            names = sorted(set(json.load(f)["weight_map"].values()))
    tensors = {}
    for name in names:
        with open(os.path.join(directory, name), "rb") as f:
            data = f.read()
        size = int.from_bytes(data[:8], "little")
        for key, entry in json.loads(data[8:8 + size]).items():
            if key == "__metadata__":
                continue
            begin, end = entry["data_offsets"]
            array = np.frombuffer(data[8 + size + begin:8 + size + end], CODES[entry["dtype"]]).reshape(entry["shape"])
            if entry["dtype"] == "BF16":
                array = (array.astype("<u4") << 16).view("<f4")
            if entry["dtype"] == "C64":  # real and imaginary part are stored apart
                array = np.stack([array.real, array.imag], -1)
            tensors[key] = array.astype(np.float32)
    return tensors


def transform(array, steps):
    """The recorded steps, without stack."""
    for step in steps:
        name, arguments = re.fullmatch(r"(\w+)(?:\(([-\d,]*)\))?", step).groups()
        numbers = [int(a) for a in arguments.split(",")] if arguments else []
        if name == "transpose":
            array = np.swapaxes(array, -1, -2)
        elif name == "permute":
            array = np.transpose(array, numbers)
        elif name == "squeeze":
            array = np.squeeze(array)
        elif name == "reshape":
            array = array.reshape(numbers)
        elif name == "narrow":
            axis, first, count = numbers
            array = array.take(range(first, first + count), axis)
        elif name == "slice":
            axis, i, n = numbers
            array = np.split(array, n, axis)[i]
        else:
            raise SystemExit(f"unknown transform {step}")
    return array


def stored_form(array, dtype):
    """What is left of float32 in the stored dtype, as float32 bits: BF16 is rounded to nearest even."""
    bits = np.ascontiguousarray(array).view("<u4").astype("<u8")
    if dtype == "BF16":
        bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return bits.astype("<u4")


def applies(array, steps):
    try:
        return transform(array, steps)
    except (ValueError, IndexError):  # a tensor of another shape, for which these steps make no sense
        return None


def is_repetition(source, name, used):
    first = source.get(REPEATED.get(name))
    if ".inner_correlation." in name:  # layers of a FEDformer share their blocks, blocks their filters
        first = next((source[other] for other in used if ".inner_correlation." in other
                      and other.split(".")[-1] == name.split(".")[-1] and source[other].tobytes() == source[name].tobytes()), None)
    return first is not None and first.shape == source[name].shape and first.tobytes() == source[name].tobytes()


def main():
    if len(sys.argv) not in (3, 4):
        raise SystemExit(__doc__)
    file, source = pml_reader.PmlFile(sys.argv[1]), read_checkpoint(sys.argv[2])
    tables, used, planned = {}, {}, None  # used: name -> the slices of it that are, [None] for all of it
    if len(sys.argv) == 4:
        with open(sys.argv[3], encoding="utf-8") as f:
            planned = {t["name"]: t["sources"] for t in json.load(f)["tensors"]}
        if set(planned) != set(file.tensors):
            raise SystemExit("the file holds other tensors than the plan")

    def slice_of(steps):
        return next((s for s in steps if s.startswith("slice")), None)

    def is_free(name, steps):
        part, parts = slice_of(steps), used.get(name, [])
        return part not in parts and None not in parts if part else not parts

    def claim_quantized(wanted, steps, only):
        """The unused source tensor that is nearest; relative RMS errors of 8 bits are below 0.02."""
        best, error = None, 0.02
        for name, array in source.items():
            made = applies(array, steps) if is_free(name, steps) and only in (None, name) else None
            if made is not None and made.shape == wanted.shape:
                distance, size = np.linalg.norm(made - wanted), np.linalg.norm(made)
                if distance < error * size or (best is None and distance == 0):
                    best, error = name, distance / size if size > 0 else 0
        if best is not None:
            used.setdefault(best, []).append(slice_of(steps))
        return best is not None

    def claim(wanted, steps, dtype, only):
        if dtype == "I8":
            return claim_quantized(wanted, steps, only)
        if (steps, dtype) not in tables:
            table = tables[steps, dtype] = {}
            for name, array in source.items():
                made = applies(array, steps)
                if made is not None:
                    table.setdefault((made.shape, stored_form(made, dtype).tobytes()), []).append(name)
        for name in tables[steps, dtype].get((wanted.shape, wanted.view("<u4").tobytes()), []):
            if is_free(name, steps) and only in (None, name):
                used.setdefault(name, []).append(slice_of(steps))
                return True
        return False

    wrong = []
    for name, entry in file.tensors.items():
        steps = [s for s in entry["transforms"].split(";") if s]
        parts = [np.ascontiguousarray(file.tensor(name), np.float32)]
        if any(s.startswith("stack") for s in steps):
            parts = [np.ascontiguousarray(part) for part in parts[0]]
        steps = tuple(s for s in steps if not s.startswith("stack"))
        if planned is not None and len(planned[name]) != len(parts):
            wrong.append(f"{name}: {len(parts)} parts, planned from {planned[name]}")
            continue
        wrong += [f"{name}: no source tensor gives part {i}" for i, part in enumerate(parts)
                  if not claim(part, steps, entry["dtype"], planned and planned[name][i])]
    wrong += [f"{name}: in the source, but in no stored tensor" for name in source
              if name not in used and not UNUSED.search(name) and OUTRANKED.get(name) not in source
              and not is_repetition(source, name, used)]
    wrong += [f"{name}: of its slices only {', '.join(parts)} is stored" for name, parts in used.items()
              if parts != [None] and len(parts) != int(parts[0].rstrip(")").split(",")[-1])]
    for line in wrong:
        print(line)
    print(f"{len(file.tensors)} stored tensors from {len(used)} source tensors, {len(wrong)} wrong")
    sys.exit(1 if wrong or not used else 0)


if __name__ == "__main__":
    main()
