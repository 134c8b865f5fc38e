#!/usr/bin/env bash
# Exports one golden case and compares what comes out with what went in: run_export.sh BUILD_DIR SOURCE_DIR CASE [DIALECT]
# CASE is "<family>/<case>", or a checkpoint's file, looked up in tests/goldens and then in $PML_GOLDENS. Exit 77: the case is not there.
# With DIALECT, that is what it comes out as.
set -euo pipefail
build_dir=$1 source_dir=$2 case=$3

model=
for root in "$source_dir/tests/goldens" "${PML_GOLDENS:-}"; do
    [[ -n $root && -z $model && (-e $root/$case/config.json || -e $root/$case/model.safetensors || -f $root/$case) ]] && model=$root/$case
done
if [[ -z $model ]]; then
    echo "skipped: $case is neither in tests/goldens nor under \$PML_GOLDENS"
    exit 77
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
convert=$build_dir/pml-convert
python=${PML_TEST_PYTHON:-python3}
dialect=${4:+--dialect=$4}
is_read=true # by the independent comparison, which knows two containers and no renaming
[[ -d $model && -z $dialect ]] || is_read=false
"$python" -c 'import numpy' 2>/dev/null || is_read=false

digest() { # <file>
    "$convert" inspect --json "$1" | sed -n 's/.*"content_digest": *"\([0-9a-f]*\)".*/\1/p'
}
round_trip() { # <dtype> <layout>
    local file=$work/$1-$2.pml folder=$work/$1-$2
    "$convert" "$model" -o "$file" --dtype "$1" --layout "$2" -q >/dev/null
    "$convert" export "$file" -o "$folder" $dialect >/dev/null
    if $is_read; then
        "$python" "$source_dir/tests/compare_export.py" "$folder" "$model" "$work/plan.json" "$1"
    else
        echo "the tensors were not read independently"
    fi
    "$convert" "$folder" -o "$work/again.pml" --force --dtype "$1" --layout "$2" -q >/dev/null
    local before after
    before=$(digest "$file") after=$(digest "$work/again.pml")
    echo "$before  $1 $2; $after  out of the export"
    [[ -n $before && $before == "$after" ]]
}
"$convert" "$model" -o "$work/plan.pml" --dry-run --json >"$work/plan.json"
round_trip f32 panel
round_trip bf16 row
