#!/usr/bin/env bash
# Converts a checkpoint and its twin in another container, and compares what they hold:
# run_twin.sh BUILD_DIR SOURCE_DIR CONTAINER TWIN [OPTION]...
# CONTAINER and TWIN are files or folders, looked up in tests/goldens and then in $PML_GOLDENS; so is an OPTION that begins with "@".
# Options go to both conversions. Exit 77: one is not there.
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
twin=$(find_golden "$4")
options=()
for option in "${@:5}"; do
    [[ $option == @* ]] && option=$(find_golden "${option#@}")
    options+=("$option")
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

digest() { # <source> <name>
    "$build_dir/pml-convert" "$1" -o "$work/$2.pml" -q "${options[@]}" >/dev/null
    "$build_dir/pml-convert" verify "$work/$2.pml" --source "$1" >/dev/null
    "$build_dir/pml-convert" inspect --json "$work/$2.pml" | sed -n 's/.*"content_digest": *"\([0-9a-f]*\)".*/\1/p'
}
of_container=$(digest "$container" container)
of_twin=$(digest "$twin" twin)
echo "$of_container  $container"
echo "$of_twin  $twin"
[[ -n $of_container && $of_container == "$of_twin" ]]
