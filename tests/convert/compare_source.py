#!/usr/bin/env python3
"""Compares every tensor of a .pml file bit for bit with its source, using numpy and the independent reader only.

    compare_source.py FILE.pml PLAN.json SOURCE_DIR      PLAN: what `pml-convert --dry-run --json` printed for that file
"""
import json
import os
import re
import struct
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts"))
import pml_reader  # noqa: E402

DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8"}


def read_source(directory):
    tensors = {}
    for name in sorted(os.listdir(directory)):
        if not name.endswith(".safetensors") or name == "io.safetensors":
            continue
        with open(os.path.join(directory, name), "rb") as f:
            header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
            data = f.read()
        for key, entry in header.items():
            if key != "__metadata__":
                begin, end = entry["data_offsets"]
                values = np.frombuffer(data[begin:end], DTYPES[entry["dtype"]]).reshape(entry["shape"])
                if entry["dtype"] == "BF16":
                    values = (values.astype(np.uint32) << 16).view(np.float32)
                tensors[key] = values.astype(np.float32)
    return tensors


def transformed(values, steps):
    for step in filter(None, steps.split(";")):
        name, _, arguments = step.rstrip(")").partition("(")
        numbers = [int(v) for v in re.findall(r"-?\d+", arguments)]
        if name == "transpose":
            values = np.swapaxes(values, -1, -2)
        elif name == "permute":
            values = np.transpose(values, numbers)
        elif name == "squeeze":
            values = np.squeeze(values)
        elif name == "reshape":
            values = np.ascontiguousarray(values).reshape(numbers)
        elif name == "slice":
            values = np.split(values, numbers[2], numbers[0])[numbers[1]]
        elif name != "stack":
            sys.exit(f"unknown transform {step}")
    return values


def rounded(values):
    """Nearest even BF16, as F32."""
    bits = np.ascontiguousarray(values).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)


def main():
    path, plan_path, directory = sys.argv[1:]
    pml, source = pml_reader.PmlFile(path), read_source(directory)
    with open(plan_path, encoding="utf-8") as f:
        plan = json.load(f)
    names = {t["name"] for t in plan["tensors"]}
    if names != set(pml.tensors):
        sys.exit("the file holds other tensors than the plan")
    for tensor in plan["tensors"]:
        parts = [transformed(source[s], tensor["transform"]) for s in tensor["sources"]]
        expected = np.stack(parts) if "stack" in tensor["transform"] else parts[0]
        stored = np.ascontiguousarray(pml.tensor(tensor["name"]), dtype=np.float32)
        expected = np.ascontiguousarray(rounded(expected) if tensor["dtype"] == "BF16" else expected)
        if expected.shape != stored.shape or expected.tobytes() != stored.tobytes():
            sys.exit(f"{tensor['name']}: differs from its source")
    print(f"{len(names)} tensors equal")


if __name__ == "__main__":
    main()
