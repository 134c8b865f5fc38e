#!/usr/bin/env bash
# all-MiniLM-L6-v2 itself: fetched, converted and judged on recorded hidden states and sentence embeddings: run_minilm.sh BUILD_DIR SOURCE_DIR
# Exit 77: the model cannot be fetched, or its recorded outputs are not under $PML_GOLDENS.
set -euo pipefail
build_dir=$1 source_dir=$2
io=${PML_GOLDENS:-}/minilm/io.safetensors
if [[ ! -e $io ]]; then
    echo "skipped: minilm/io.safetensors is not under \$PML_GOLDENS"
    exit 77
fi
model=$build_dir/minilm
"$source_dir/scripts/fetch_minilm" "$model" # exits 77 where it is not possible
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The record also holds cosines between sentences, which are no output of the model: they are made of sentence_embedding.
"${PML_TEST_PYTHON:-python3}" - "$io" "$work/io.safetensors" <<'PYTHON'
import json
import sys

with open(sys.argv[1], "rb") as f:
    data = f.read()
size = int.from_bytes(data[:8], "little")
header = json.loads(data[8:8 + size])
kept, body = {}, b""
for name, entry in header.items():
    if name != "__metadata__" and not name.endswith(".cosine"):
        begin, end = entry["data_offsets"]
        kept[name] = {**entry, "data_offsets": [len(body), len(body) + end - begin]}
        body += data[8 + size + begin:8 + size + end]
text = json.dumps(kept).encode()
text += b" " * (-len(text) % 8)
with open(sys.argv[2], "wb") as f:
    f.write(len(text).to_bytes(8, "little") + text + body)
PYTHON

for layout in panel row; do
    "$build_dir/pml-convert" "$model" -o "$work/$layout.pml" --layout "$layout" -q >/dev/null
    "$build_dir/pml-convert" verify "$work/$layout.pml" --source "$model"
    "$build_dir/pml-convert" selftest "$work/$layout.pml" --io "$work/io.safetensors"
done

# 8 bits: what they cost in accuracy, and what they save. Sentences are compared with F32's: the cosines of their embeddings, and the rank
# correlation of the similarities between all of them.
"$build_dir/pml-convert" "$model" -o "$work/f32.pml" -q >/dev/null
judge() { # <dtype> <greatest relative RMS error> <greatest size, as part of F32's>
    "$build_dir/pml-convert" "$model" -o "$work/$1.pml" --dtype "$1" -q >/dev/null
    "$build_dir/pml-convert" verify "$work/$1.pml" --source "$model"
    "$build_dir/pml-convert" selftest "$work/$1.pml" --io "$work/io.safetensors" --out "$work/$1.safetensors" --json >"$work/$1.json"
    "${PML_TEST_PYTHON:-python3}" - "$work" "$@" <<'PYTHON'
import json
import math
import os
import struct
import sys


def embeddings(path, name):
    with open(path, "rb") as f:
        data = f.read()
    size = int.from_bytes(data[:8], "little")
    entry = json.loads(data[8:8 + size])[name]
    begin, end = entry["data_offsets"]
    code = {"F32": "f", "F64": "d"}[entry["dtype"]]
    values = [v[0] for v in struct.iter_unpack("<" + code, data[8 + size + begin:8 + size + end])]
    width = entry["shape"][1]
    return [values[i:i + width] for i in range(0, len(values), width)]


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def ranks(vectors):
    similarities = [cosine(a, b) for i, a in enumerate(vectors) for b in vectors[:i]]
    order = sorted(range(len(similarities)), key=similarities.__getitem__)
    return [rank for _, rank in sorted(zip(order, range(len(order))))]


work, dtype, most_error, most_size = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
with open(f"{work}/{dtype}.json") as f:
    error = max(output["relative_rms"] for output in json.load(f)["outputs"])
size = os.path.getsize(f"{work}/{dtype}.pml") / os.path.getsize(f"{work}/f32.pml")
print(f"{dtype}: relative RMS error {error:.4f} of {most_error}, size {size:.4f} of {most_size}")
stored, exact = embeddings(f"{work}/{dtype}.safetensors", "out.sentence_embedding"), embeddings(f"{work}/io.safetensors", "out64.sentence_embedding")
cosines = [cosine(a, b) for a, b in zip(stored, exact)]
mean, least = sum(cosines) / len(cosines), min(cosines)
a, b = ranks(stored), ranks(exact)
correlation = 1 - 6 * sum((x - y) ** 2 for x, y in zip(a, b)) / (len(a) * (len(a) ** 2 - 1))
print(f"{dtype}: cosine {mean:.5f}, at least {least:.5f}, of .999 and .998; rank correlation {correlation:.4f} of .995")
sys.exit(error > most_error or size > most_size or mean < 0.999 or least < 0.998 or correlation < 0.995)
PYTHON
}
judge int8 0.055 0.26
judge int8-g64 0.045 0.27
judge int8-g32 0.035 0.29
