#!/usr/bin/env bash
# Builds pml-run and the tests of the runtime for 64-bit Arm: build_arm.sh BUILD_DIR SOURCE_DIR, into BUILD_DIR/arm.
# Exit 77: there is no cross compiler, or no emulator to run the result.
set -euo pipefail
build_dir=$1 source_dir=$2
for tool in aarch64-linux-gnu-gcc qemu-aarch64 ninja; do
    if ! command -v "$tool" >/dev/null; then
        echo "skipped: there is no $tool (scripts/setup --tests installs it)"
        exit 77
    fi
done
cmake -S "$source_dir" -B "$build_dir/arm" -G Ninja -DCMAKE_BUILD_TYPE=Release -DPML_RUNTIME_ONLY=ON \
    -DCMAKE_TOOLCHAIN_FILE="$source_dir/cmake/aarch64-linux-gnu.cmake" >/dev/null
cmake --build "$build_dir/arm" -j 2 --target pml-run output_digest \
    tests_runtime_{base,file,schema,tensor,kernels,backends,ops,models}
# What users would install there needs no library that pml-run may not need anywhere.
"${PML_TEST_PYTHON:-python3}" "$source_dir/scripts/check_layout.py" links --binary "$build_dir/arm/pml-run"
