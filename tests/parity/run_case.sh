#!/usr/bin/env bash
# Converts one golden case in a stored form and judges the result on a backend: run_case.sh BUILD_DIR SOURCE_DIR CASE
# CASE is "<family>/<case>", looked up in tests/goldens and then in $PML_GOLDENS. Exit 77: the case is not there.
# PML_PARITY_DTYPES: what it is judged in, "f32 bf16" unless set.
# PML_PARITY_QUANTIZED: the same of what exists in panels only, "int8 int8-g64 int8-g32" unless set.
# PML_PARITY_OPTIONS: further options of the conversion, separated by spaces.
set -euo pipefail
build_dir=$1 source_dir=$2 case=$3

io= model=
for root in "$source_dir/tests/goldens" "${PML_GOLDENS:-}"; do
    [[ -n $root ]] || continue
    [[ -z $model && ( -e $root/$case/config.json || -e $root/$case/model.safetensors ) ]] && model=$root/$case
    [[ -z $io && -e $root/$case/io.safetensors ]] && io=$root/$case/io.safetensors
done
if [[ -z $model || -z $io ]]; then
    echo "skipped: $case is neither in tests/goldens nor under \$PML_GOLDENS"
    exit 77
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
convert=$build_dir/pml-convert

python=${PML_TEST_PYTHON:-python3}
has_numpy=true
"$python" -c 'import numpy' 2>/dev/null || has_numpy=false

judge() { # <dtype> <layout> <backend>
    local file=$work/$1-$2.pml
    echo "== $case: $1 $2 on $3"
    # shellcheck disable=SC2086
    "$convert" "$model" -o "$file" --dtype "$1" --layout "$2" ${PML_PARITY_OPTIONS:-} -q >/dev/null
    "$convert" verify "$file" --source "$model"
    "$convert" selftest "$file" --io "$io" --backend "$3"
    if $has_numpy; then
        "$python" "$source_dir/tests/compare_source.py" "$file" "$model"
    else
        echo "no numpy: the tensors were not read independently"
    fi
}
for dtype in ${PML_PARITY_DTYPES:-f32 bf16}; do
    judge "$dtype" panel cpu
    judge "$dtype" row cpu
done
for type in ${PML_PARITY_QUANTIZED-int8 int8-g64 int8-g32}; do
    judge "$type" panel cpu
    for isa in scalar avx2 avx512vnni; do
        PML_ISA=$isa "$convert" selftest "$work/$type-panel.pml" --io "$io" >/dev/null
    done
done
if "$convert" selftest "$work/f32-row.pml" --io "$io" --backend cpu-blas >"$work/blas" 2>&1; then
    echo "== $case: f32 row on cpu-blas"
    cat "$work/blas"
elif grep -q "libblas" "$work/blas"; then
    echo "== $case: no BLAS on this machine, cpu-blas not run"
else
    cat "$work/blas"
    exit 1
fi
