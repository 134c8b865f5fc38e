#!/usr/bin/env bash
# Converts a checkpoint and judges the result by recorded inputs and outputs: run_container.sh BUILD_DIR SOURCE_DIR CONTAINER IO
# CONTAINER and IO are files below tests/goldens or $PML_GOLDENS. Exit 77: one is not there.
set -euo pipefail
build_dir=$1 source_dir=$2

find_golden() { # <name>
    for root in "$source_dir/tests/goldens" "${PML_GOLDENS:-}"; do
        if [[ -n $root && -e $root/$1 ]]; then
            echo "$root/$1"
            return
        fi
    done
    echo "skipped: $1 is neither in tests/goldens nor under \$PML_GOLDENS" >&2
    exit 77
}
container=$(find_golden "$3")
io=$(find_golden "$4")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$build_dir/pml-convert" "$container" -o "$work/model.pml" -q >/dev/null
"$build_dir/pml-convert" verify "$work/model.pml" --source "$container"
"$build_dir/pml-convert" selftest "$work/model.pml" --io "$io" --backend cpu
