#!/usr/bin/env bash
# A model from nothing to a forecast: run_new.sh BUILD_DIR SOURCE_DIR FAMILY
# Makes it, trains some steps, resumes, runs and exports it; text families take the tokenizer of a golden case. Exit 77:
# there is none.
set -euo pipefail
build_dir=$1 source_dir=$2 family=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
run=$build_dir/pml-run

fail() {
    echo "$family: $*" >&2
    exit 1
}

settings=() data=$work/series.csv
small=(--set d_model=16 --set num_attention_heads=2 --set ffn_dim=16)
short=(--set context_length=32 --set prediction_length=8)
tokenizer() { # <golden case>
    for root in "$source_dir/tests/goldens" "${PML_GOLDENS:-}"; do
        if [[ -n $root && -e $root/$1/config.json ]]; then
            "$build_dir/pml-convert" "$root/$1" -o "$work/tokenizer.pml" -q
            settings+=(--tokenizer "$work/tokenizer.pml" --max-tokens 16)
            data=$work/text.txt
            return
        fi
    done
    echo "skipped: $1 is neither in tests/goldens nor under \$PML_GOLDENS"
    exit 77
}
case $family in
dlinear) settings=("${short[@]}") ;;
timesnet) settings=("${short[@]}" --set d_model=8 --set ffn_dim=8 --set num_kernels=2) ;;
bert) tokenizer bert/masked-lm && settings+=("${small[@]}") ;;
gpt2) tokenizer gpt2/kjv && settings+=("${small[@]}") ;;
*) settings=("${short[@]}" "${small[@]}") ;;
esac

# 300 hours of two waves, and text.
seq 1467331200 3600 1468407600 | sed 's/^/@/' | date -u -f - '+%F %T' | awk '
    BEGIN { print "date,a,b" }
    { printf "%s,%.4f,%.4f\n", $0, sin(NR / 3.8) + .1 * sin(NR * NR), 10 + 3 * cos(NR / 7.6) + .2 * sin(NR * NR / 3) }' \
    >"$work/series.csv"
for i in $(seq 200); do echo "in the beginning was line $i, and it was one of many."; done >"$work/text.txt"

train() { # <folder> <option> ...
    "$run" train --new "$family" "${settings[@]}" --data "$data" --batch-size 8 --seed 5 -q --progress=none \
        -o "$work/$1" "${@:2}" >/dev/null
}
train whole --steps 6
[[ -e $work/whole/model.pml ]] || fail "there is no model.pml"
"$run" info "$work/whole/model.pml" >/dev/null

# The same run, begun again where its checkpoint of step 3 stands.
train parts --steps 6 --every save=3 --keep 9
rm "$work"/parts/checkpoint-6.pml "$work"/parts/model.pml
train parts --steps 6 --every save=3 --keep 9 --resume
cmp "$work/whole/model.pml" "$work/parts/model.pml" || fail "a resumed run ends with another model"
rm "$work"/parts/model.pml
if train parts --steps 6 --every save=3 --keep 9 --resume --set d_model=32 2>"$work/message" ||
    train parts --steps 6 --every save=3 --keep 9 --resume --set decomposition_kernel=5 2>"$work/message2"; then
    fail "another configuration was resumed"
fi

if [[ $data == *.csv ]]; then
    "$run" forecast "$work/whole/model.pml" --csv "$data" >"$work/forecast.csv"
    [[ $(head -1 "$work/forecast.csv") == date,a,b ]] || fail "the forecast has other columns"
    [[ $(sed -n 2p "$work/forecast.csv") == "2016-07-13 12:00:00,"* ]] || fail "the forecast begins at another hour"
    "$run" evaluate "$work/whole/model.pml" --csv "$data" --split 0.7,0.1,0.2 >/dev/null
fi
if [[ $data == *.txt ]]; then # a classifier has as many classes as its data, with their names
    for i in $(seq 20); do printf '{"text": "line %d", "label": "%s"}\n' "$i" "$( ((i % 3)) && echo many || echo third)"; done \
        >"$work/labelled.jsonl"
    "$run" train --new "$family" "${settings[@]}" --set head=sequence_classification --data "$work/labelled.jsonl" \
        --batch-size 4 --steps 2 -q --progress=none -o "$work/classifier" >/dev/null
    label=$("$run" classify "$work/classifier/model.pml" "line 7" | cut -f1)
    [[ $label == many || $label == third ]] || fail "there is no class '$label'"
fi
if [[ $family != fedformer ]]; then # which is not exported at all
    "$build_dir/pml-convert" export "$work/whole/model.pml" -o "$work/exported" -q
    [[ -e $work/exported/model.safetensors ]] || fail "the export has no weights"
fi
