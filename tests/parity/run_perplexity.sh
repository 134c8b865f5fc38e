#!/usr/bin/env bash
# What 8 bits do to a trained language model's perplexity of a held-out text: at most 1 %: run_perplexity.sh BUILD_DIR
# Exit 77: gpt2/kjv is not under $PML_GOLDENS.
set -euo pipefail
build_dir=$1
model=${PML_GOLDENS:-}/gpt2/kjv
if [[ ! -e $model/heldout.txt ]]; then
    echo "skipped: gpt2/kjv is not under \$PML_GOLDENS"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for dtype in f32 int8 int8-g64; do
    "$build_dir/pml-convert" "$model" -o "$work/$dtype.pml" --dtype "$dtype" -q >/dev/null
    "$build_dir/pml-run" score "$work/$dtype.pml" --whole --file "$model/heldout.txt" --json >"$work/$dtype.json"
done
"${PML_TEST_PYTHON:-python3}" - "$work" <<'PYTHON'
import json
import os
import sys


def perplexity(dtype):
    with open(f"{sys.argv[1]}/{dtype}.json") as f:
        return json.load(f)["perplexity"]


failed = False
for dtype in ("int8", "int8-g64"):
    ratio = perplexity(dtype) / perplexity("f32")
    size = os.path.getsize(f"{sys.argv[1]}/{dtype}.pml") / os.path.getsize(f"{sys.argv[1]}/f32.pml")
    print(f"{dtype}: perplexity {perplexity(dtype):.4f}, {100 * (ratio - 1):+.3f} % of {perplexity('f32'):.4f}; size {size:.3f}")
    failed = failed or abs(ratio - 1) > 0.01
sys.exit(failed)
PYTHON
