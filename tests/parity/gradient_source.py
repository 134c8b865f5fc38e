"""A checkpoint of gradients: a golden case's model with grad.<p> in the place of each parameter p, so that the converter
brings them under the canonical names and shapes of the weights that they belong to.

gradient_source.py CASE_DIR MODEL_DIR OUT_DIR PREFIX     PREFIX: grad. | grad64. | after. | noise | error | after | after64

Parameters without a gradient become zeros; what is not learned (buffers, frozen ones, integers) stays as it is. `after.`
replaces buffers alone; running statistics that are not there become NaN. `after` and `after64` put the tensors of those
files there. `error` puts the greatest error that the case says its gradients have in every place, NaN where it says none, as `grad64.` has it where
only `grad.` was recorded. `noise` puts 1 where the case says that a gradient is nothing but rounding, and 0 elsewhere.
"""
import array
import json
import math
import os
import shutil
import struct
import sys

SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "BOOL": 1, "U8": 1, "C64": 8}


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    metadata = header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = (entry["dtype"], entry["shape"], data[8 + length + begin:8 + length + end])
    return tensors, metadata


def write(path, tensors, metadata):
    header, at = {}, 0
    if metadata is not None:
        header["__metadata__"] = metadata
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, _, data in tensors.values():
            file.write(data)


def as_f32(dtype, data):
    """The floats of a tensor as F32 (or C64) bytes."""
    if dtype in ("F32", "C64"):
        return data
    values = array.array("d", data)
    return array.array("f", values).tobytes()


def noise_names(case):
    names = set()
    for key in ("no_effect", "inert", "zero_gradients", "grad_zero", "noise_only"):
        value = case.get(key, [])
        names.update(value if isinstance(value, list) else [])
    return names


def is_noise(case, name):
    """Keys' biases do not change a softmax, whatever the case says of them."""
    return name in noise_names(case) or name.endswith((".key.bias", ".k_proj.bias"))


def noise(case, name, dtype, shape):
    count = math.prod(shape) * (2 if dtype == "C64" else 1)
    if name.endswith("attn.c_attn.bias"):  # GPT-2: query, key, value side by side
        third = count // 3
        values = [0.0] * third + [1.0] * third + [0.0] * (count - 2 * third)
    else:
        values = [1.0 if is_noise(case, name) else 0.0] * count
    return array.array("f", values).tobytes()


def main():
    case_dir, model_dir, out_dir, prefix = sys.argv[1:5]
    with open(os.path.join(case_dir, "case.json"), encoding="utf-8") as file:
        case = json.load(file)
    io, _ = read(os.path.join(case_dir, "io.safetensors"))
    model, metadata = read(os.path.join(model_dir, "model.safetensors"))
    os.makedirs(out_dir, exist_ok=True)
    for name in os.listdir(model_dir):
        if name.endswith((".json", ".txt")):
            shutil.copy(os.path.join(model_dir, name), out_dir)
    ties = case.get("ties", {})
    ties = ties if isinstance(ties, dict) else {}
    frozen = set(case.get("frozen", []))
    final = {}
    if prefix in ("after", "after64"):
        final, _ = read(os.path.join(case_dir, prefix + ".safetensors"))
    buffers = {name[len("after."):] for name in io if name.startswith("after.")}
    result = {}
    for name, (dtype, shape, data) in model.items():
        source = ties.get(name, name)
        found = io.get(prefix + source)
        is_float = dtype in ("F64", "F32", "F16", "BF16", "C64")
        kept = not is_float or name in frozen or name in buffers or "running_" in name or name.endswith(".pe")
        if name in final:
            is_kept = final[name][0] not in ("F64", "F32")
            result[name] = final[name] if is_kept else ("F32", shape, as_f32(final[name][0], final[name][2]))
        elif prefix == "after.":
            if found is not None:
                result[name] = (found[0], found[1], found[2])
            elif "running_" in name:  # not recorded
                result[name] = (dtype, shape, array.array("f", [math.nan] * math.prod(shape)).tobytes())
            else:
                result[name] = (dtype, shape, data)
        elif kept:
            result[name] = (dtype, shape, data)
        elif prefix == "noise":
            result[name] = ("C64" if dtype == "C64" else "F32", shape, noise(case, source, dtype, shape))
        elif prefix == "error" or (prefix == "grad64." and found is None and "grad." + source in io):
            size = math.prod(shape) * (2 if dtype == "C64" else 1)
            error = case.get("grad_f32_error", {}).get(source, math.nan) if prefix == "error" else math.nan
            result[name] = ("C64" if dtype == "C64" else "F32", shape, array.array("f", [error] * size).tobytes())
        elif found is None:
            result[name] = ("C64" if dtype == "C64" else "F32", shape, bytes((8 if dtype == "C64" else 4) * math.prod(shape)))
        else:
            result[name] = ("C64" if dtype == "C64" else "F32", shape, as_f32(found[0], found[2]))
    write(os.path.join(out_dir, "model.safetensors"), result, metadata)


if __name__ == "__main__":
    main()
