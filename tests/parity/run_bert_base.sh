#!/usr/bin/env bash
# A checkpoint of the shape of bert-base-uncased with random weights, 438 MB: its parameters are counted, it converts and
# runs while private memory is limited to far less than that: run_bert_base.sh BUILD_DIR SOURCE_DIR
set -euo pipefail
build_dir=$1 source_dir=$2
limit_kib=65536

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/model"
cp "$source_dir/tests/goldens/bert/model/vocab.txt" "$work/model" # fewer tokens than the table has rows
"${PML_TEST_PYTHON:-python3}" - "$work/model" <<'PYTHON'
import array
import json
import random
import sys

D, F, L, V, POSITIONS, TYPES = 768, 3072, 12, 30522, 512, 2
shapes = {"embeddings.word_embeddings.weight": [V, D], "embeddings.position_embeddings.weight": [POSITIONS, D],
          "embeddings.token_type_embeddings.weight": [TYPES, D], "pooler.dense.weight": [D, D], "pooler.dense.bias": [D]}
norms = ["embeddings.LayerNorm"]
for layer in range(L):
    prefix = f"encoder.layer.{layer}."
    for name in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
        shapes[f"{prefix}{name}.weight"], shapes[f"{prefix}{name}.bias"] = [D, D], [D]
    shapes[f"{prefix}intermediate.dense.weight"], shapes[f"{prefix}intermediate.dense.bias"] = [F, D], [F]
    shapes[f"{prefix}output.dense.weight"], shapes[f"{prefix}output.dense.bias"] = [D, F], [D]
    norms += [f"{prefix}attention.output.LayerNorm", f"{prefix}output.LayerNorm"]
for name in norms:
    shapes[f"{name}.weight"], shapes[f"{name}.bias"] = [D], [D]

header, offset = {}, 0
for name, shape in shapes.items():
    size = 4 * shape[0] * (shape[1] if len(shape) > 1 else 1)
    header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + size]}
    offset += size
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
generator = random.Random(1)
block = array.array("f", (generator.gauss(0, 0.05) for _ in range(1 << 18))).tobytes()
with open(f"{sys.argv[1]}/model.safetensors", "wb") as f:
    f.write(len(text).to_bytes(8, "little") + text)
    while offset > 0:
        offset -= f.write(block[:offset])
with open(f"{sys.argv[1]}/config.json", "w") as f:
    json.dump({"architectures": ["BertModel"], "model_type": "bert", "vocab_size": V, "hidden_size": D, "num_hidden_layers": L,
               "num_attention_heads": 12, "intermediate_size": F, "max_position_embeddings": POSITIONS,
               "type_vocab_size": TYPES}, f)
PYTHON

expect() { # <text> <command>...
    local output
    output=$("${@:2}")
    grep -q -- "$1" <<<"$output" || { echo "no '$1' in the output of ${*:2}: $output"; exit 1; }
}
limited() { (ulimit -d "$limit_kib" && "$@"); }

expect 'parameters  109482240$' "$build_dir/pml-convert" inspect --no-tensors "$work/model"
limited "$build_dir/pml-convert" "$work/model" -o "$work/model.pml" -q
expect 'parameters  109482240$' "$build_dir/pml-convert" inspect --no-tensors "$work/model.pml"
limited "$build_dir/pml-convert" verify "$work/model.pml" --source "$work/model"
vector=$(limited "$build_dir/pml-run" embed "$work/model.pml" "the cat sat on the mat")
[[ $(wc -w <<<"$vector") == 768 && $vector != *nan* && $vector != *inf* ]] || { echo "no vector of 768 numbers: $vector"; exit 1; }
