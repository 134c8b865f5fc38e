#!/usr/bin/env bash
# Tests of the runtime that build_arm.sh has built, emulated: run_arm.sh BUILD_DIR CPU REGEX [EXCEPT]
# CPU is a model of qemu's (max has SDOT, cortex-a72 has not), REGEX and EXCEPT name tests as for ctest. Exit 77: they are not built.
set -euo pipefail
build_dir=$1 cpu=$2 regex=$3 except=${4:-^$}
if [[ ! -x $build_dir/arm/pml-run ]]; then
    echo "skipped: $build_dir/arm has not been built"
    exit 77
fi
QEMU_CPU=$cpu ctest --test-dir "$build_dir/arm" --output-on-failure --no-tests=error -R "$regex" -E "$except"
