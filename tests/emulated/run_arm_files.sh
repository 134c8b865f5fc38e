#!/usr/bin/env bash
# Files converted here compute on 64-bit Arm: run_arm_files.sh BUILD_DIR SOURCE_DIR
# Each stored form of some golden cases passes its self-test with NEON alone and with SDOT; outputs in 8 bits are those of
# this machine bit for bit. Exit 77: the Arm build is not there.
set -euo pipefail
build_dir=$1 source_dir=$2
if [[ ! -x $build_dir/arm/pml-run ]] || ! command -v qemu-aarch64 >/dev/null; then
    echo "skipped: $build_dir/arm has not been built, or there is no qemu-aarch64"
    exit 77
fi
source "$source_dir/tests/emulated/find_golden.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
arm() { # <cpu> <program> [<argument>...]
    QEMU_CPU=$1 qemu-aarch64 -L /usr/aarch64-linux-gnu "$build_dir/arm/$2" "${@:3}"
}

# Without FMA this machine's results are its C library's, not those of the shared polynomials.
here=$("$build_dir/pml-run" --version)
has_fma=false
[[ $here == *avx2* ]] && has_fma=true || echo "not compared with this machine, which has no FMA"
[[ $(arm cortex-a72 pml-run --version) == *"scalar neon"$'\n'* ]]
[[ $(arm max pml-run --version) == *"scalar neon sdot"* ]]
[[ $(PML_ISA=scalar arm max pml-run --version) != *"scalar neon"* ]]
arm max pml-run backends | grep -qx 'cpu-sdot  *available'
arm cortex-a72 pml-run backends | grep -qx 'cpu-sdot  *this machine does not have sdot'

same() { # <what> <command of output_digest or pml-run with its arguments>...
    arm cortex-a72 "${@:2}" >"$work/neon"
    arm max "${@:2}" >"$work/sdot"
    cmp "$work/neon" "$work/sdot"
    if $has_fma; then
        "$build_dir/${@:2:1}" "${@:3}" >"$work/here"
        cmp "$work/here" "$work/neon"
        echo "$1: the same on both machines"
    fi
}
for case in bert/model bert/gelu-tanh patchtst/hf-ci-prediction patchtst/off-decomposition gpt2/hf-lm; do
    model=$(find_golden "$case") || continue
    for dtype in f32 bf16 int8 int8-g64; do
        file=$work/${case##*/}-$dtype.pml
        "$build_dir/pml-convert" "$model" -o "$file" --dtype "$dtype" --embed-selftest "$model/io.safetensors" -q >/dev/null
        for cpu in cortex-a72 max; do
            echo "== $case $dtype on $cpu"
            arm "$cpu" pml-run selftest "$file"
        done
        [[ $dtype == int8* ]] && same "$case $dtype" tests/output_digest "$file"
    done
done

# Whole commands on texts: a vector, and a continuation token by token.
if model=$(find_golden bert/sentence-transformer); then
    "$build_dir/pml-convert" "$model" -o "$work/sentence.pml" --dtype int8 -q >/dev/null
    same "embed in 8 bits" pml-run embed "$work/sentence.pml" "the sea and all that is in it"
fi
if model=$(find_golden gpt2/kjv); then
    "$build_dir/pml-convert" "$model" -o "$work/kjv.pml" --dtype int8 -q >/dev/null
    same "generate in 8 bits" pml-run generate "$work/kjv.pml" "And the LORD spake" -n 24 --temp 0 -q
fi

# This build has no libcsv, and says so.
if arm max pml-run forecast "$work/hf-ci-prediction-f32.pml" --csv "$source_dir/examples/hourly.csv" 2>"$work/reason"; then
    exit 1
fi
grep -q "hourly.csv" "$work/reason"
