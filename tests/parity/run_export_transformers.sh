#!/usr/bin/env bash
# Loads exports of golden cases with the classes of transformers and compares weights, outputs and token ids with those of the original:
# run_export_transformers.sh BUILD_DIR SOURCE_DIR. Exit 77: no torch, transformers and safetensors in $PML_TEST_PYTHON.
set -euo pipefail
build_dir=$1 source_dir=$2
python=${PML_TEST_PYTHON:-python3}

if ! "$python" -c 'import safetensors, torch, transformers' 2>/dev/null; then
    echo "skipped: $python has no torch, transformers and safetensors"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cases=()
for root in "$source_dir/tests/goldens" "${PML_GOLDENS:-}"; do
    for model in "$root"/patchtst/hf-* "$root"/bert/*; do
        name=$(basename "$(dirname "$model")")-$(basename "$model")
        [[ -e $model/config.json && -e $model/io.safetensors && ! -e $work/$name ]] || continue
        "$build_dir/pml-convert" "$model" -o "$work/$name.pml" -q >/dev/null
        "$build_dir/pml-convert" export "$work/$name.pml" -o "$work/$name" -q >/dev/null
        cases+=("$model" "$work/$name")
    done
done
if [[ ${#cases[@]} -eq 0 ]]; then
    echo "skipped: there are no cases"
    exit 77
fi
HF_HUB_OFFLINE=1 "$python" "$source_dir/tests/load_exports.py" "${cases[@]}"
