#!/usr/bin/env bash
# The program of this machine on older processors, emulated: run_old_x86.sh BUILD_DIR SOURCE_DIR
# One without AVX runs plain C, and one with AVX2 gives the bits of PML_ISA=avx2: no wider instruction leaks out of the
# kernels' files. Exit 77: there is no emulator.
set -euo pipefail
build_dir=$1 source_dir=$2
if ! command -v qemu-x86_64 >/dev/null; then
    echo "skipped: there is no qemu-x86_64 (scripts/setup --tests installs it)"
    exit 77
fi
source "$source_dir/tests/emulated/find_golden.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
on() { # <cpu> <program> [<argument>...]
    QEMU_CPU=$1 qemu-x86_64 "$build_dir/$2" "${@:3}"
}

[[ $(on Nehalem pml-run --version) == *"instruction sets used here: scalar"$'\n'* ]]
on Nehalem pml-run backends | grep -qx 'cpu-avx2  *this machine does not have avx2'
on Nehalem tests/test_runtime_kernels_kernels_isa
model=$(find_golden bert/model)
for dtype in f32 bf16 int8 int8-g64; do
    file=$work/$dtype.pml
    "$build_dir/pml-convert" "$model" -o "$file" --dtype "$dtype" --embed-selftest "$model/io.safetensors" -q >/dev/null
    echo "== $dtype without AVX"
    on Nehalem pml-run selftest "$file"
done

if [[ $(on Haswell pml-run --version) != *"scalar avx2"$'\n'* ]]; then
    echo "not run: this qemu emulates no AVX2"
    exit 0
fi
on Haswell tests/test_runtime_kernels_kernels_isa
on Haswell tests/output_digest "$work"/*.pml >"$work/emulated"
if [[ $("$build_dir/pml-run" --version) == *avx2* ]]; then
    PML_ISA=avx2 "$build_dir/tests/output_digest" "$work"/*.pml >"$work/here"
    cmp "$work/here" "$work/emulated"
fi
