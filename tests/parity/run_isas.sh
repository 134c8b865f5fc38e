#!/usr/bin/env bash
# Models in 8 bits give the same bits on every instruction set that has FMA, and with any number of threads:
# run_isas.sh BUILD_DIR SOURCE_DIR. Exit 77: this machine has no FMA.
set -euo pipefail
build_dir=$1 source_dir=$2
source "$source_dir/tests/emulated/find_golden.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
names=$("$build_dir/pml-run" --version)
if [[ $names != *avx2* ]]; then
    echo "skipped: this machine has no instruction set with FMA"
    exit 77
fi
isas=()
for isa in avx2 avxvnni avx512 avx512vnni avx512vnni,avx512bf16; do
    [[ $names == *${isa%%,*}* ]] && isas+=("$isa") || echo "not compared: this machine does not have $isa"
done
((${#isas[@]} > 1)) || echo "only threads are compared"

same() { # <what> <program> [<argument>...]
    PML_ISA=${isas[0]} PML_THREADS=1 "${@:2}" >"$work/first"
    for isa in "${isas[@]}"; do
        for threads in 1 2 3; do
            PML_ISA=$isa PML_THREADS=$threads "${@:2}" >"$work/other"
            cmp "$work/first" "$work/other" || { echo "$1: $isa with $threads threads differs from ${isas[0]}" >&2; exit 1; }
        done
    done
    echo "$1: the same on ${isas[*]}"
}
n_compared=0
for case in bert/model bert/gelu-tanh bert/relu patchtst/hf-ci-prediction patchtst/off-decomposition gpt2/hf-lm gpt2/kjv; do
    model=$(find_golden "$case") || continue
    for dtype in int8 int8-g64 int8-g32; do
        file=$work/${case##*/}-$dtype.pml
        "$build_dir/pml-convert" "$model" -o "$file" --dtype "$dtype" --embed-selftest "$model/io.safetensors" -q >/dev/null
        same "$case $dtype" "$build_dir/tests/output_digest" "$file"
        n_compared=$((n_compared + 1))
    done
done
((n_compared > 0))

# A continuation, token by token from a cache: few rows take other tiles than many.
if model=$(find_golden gpt2/kjv); then
    "$build_dir/pml-convert" "$model" -o "$work/kjv.pml" --dtype int8 -q >/dev/null
    same "generate in 8 bits" "$build_dir/pml-run" generate "$work/kjv.pml" "And the LORD spake" -n 24 --temp 0 -q
fi
