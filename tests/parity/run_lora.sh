#!/usr/bin/env bash
# Fine-tunes the goldens' GPT-2 and BERT by adapters: run_lora.sh BUILD_DIR SOURCE_DIR
# Over a base in F32, BF16 and I8 the loss falls, the base stays as it is, the adapter is small, belongs to that base
# alone and gives every command what was trained; a run that is taken up again ends with the same bytes. Exit 77: the
# goldens are not there.
set -euo pipefail
build_dir=$1
goldens=${PML_GOLDENS:-}
if [[ ! -e $goldens/gpt2/kjv/model.safetensors || ! -e $goldens/bert/kjv-cls/model.safetensors ]]; then
    echo "skipped: gpt2/kjv and bert/kjv-cls are not under \$PML_GOLDENS"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=${PML_TEST_PYTHON:-python3}
run() { "$build_dir/pml-run" "$@"; }
fail() { echo "FAILED: $*"; exit 1; }
check() { "$python" -c "import sys; sys.exit(0 if ($1) else 1)" || fail "$2: $1"; }
member() { "$python" -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
first_loss() { "$python" -c 'import json, sys; print(json.load(open(sys.argv[1]))["log_history"][0]["loss"])' "$1/trainer_state.json"; }

head -n 60 "$goldens/gpt2/kjv/heldout.txt" >"$work/text.txt"
head -n 64 "$goldens/bert/kjv-cls/heldout.jsonl" >"$work/texts.jsonl"
common=(--lora r=4,alpha=16,dropout=0.05 --optimizer adamw:lr=0.005 --every save=4,log=1 --keep 9 --seed 3 --json --progress=none)

tune() { # <base> <folder> <data> <options...>: sets loss, its fall is checked
    local base=$1 folder=$2 data=$3 before
    before=$(sha256sum <"$base")
    loss=$(run train "$base" --data "$data" -o "$folder" "${common[@]}" "${@:4}" | member train_loss)
    [[ $(sha256sum <"$base") == "$before" ]] || fail "$base has changed"
    check "$loss < 0.97 * $(first_loss "$folder")" "$folder: the loss does not fall"
    [[ ! -e $folder/model.pml ]] || fail "$folder/model.pml is there"
    check "$(stat -c %s "$folder/adapter.pml") * 10 < $(stat -c %s "$base")" "size of $folder/adapter.pml"
    "$build_dir/pml-convert" verify "$folder/adapter.pml" >/dev/null
    "$build_dir/pml-convert" inspect "$folder/adapter.pml" >"$work/inspect.txt"
    grep -q '^kind *adapter$' "$work/inspect.txt" || fail "inspect does not say adapter"
}

for dtype in f32 bf16 int8; do
    "$build_dir/pml-convert" "$goldens/gpt2/kjv" -o "$work/gpt2-$dtype.pml" --dtype $dtype --layout panel -q >/dev/null
    tune "$work/gpt2-$dtype.pml" "$work/of-$dtype" "$work/text.txt" --batch-size 4 --max-tokens 64 --steps 12 --epochs 20
done
"$build_dir/pml-convert" "$goldens/bert/kjv-cls" -o "$work/bert.pml" -q >/dev/null
tune "$work/bert.pml" "$work/of-bert" "$work/texts.jsonl" --batch-size 8 --steps 24 --epochs 20

# What was trained is what commands compute with.
score() { run score "$@" --whole --file "$work/text.txt" --json --progress=none | member perplexity; }
base=$(score "$work/gpt2-f32.pml")
check "$(score "$work/gpt2-f32.pml" --adapter "$work/of-f32/adapter.pml" --verify) < 0.995 * $base" "perplexity"
plain=$(run generate "$work/gpt2-f32.pml" "And God said" -n 20)
[[ $plain != "$(run generate "$work/gpt2-f32.pml" "And God said" -n 20 --adapter "$work/of-f32/adapter.pml")" ]] ||
    fail "the adapter changes no text"
run classify "$work/bert.pml" "In the beginning" --adapter "$work/of-bert/adapter.pml" --json >"$work/with.json"
run classify "$work/bert.pml" "In the beginning" --json >"$work/without.json"
! cmp -s "$work/with.json" "$work/without.json" || fail "the adapter changes no class"

# It belongs to one base.
status=0
run score "$work/gpt2-int8.pml" --adapter "$work/of-f32/adapter.pml" x 2>"$work/message.txt" || status=$?
[[ $status == 1 ]] && grep -q 'belongs to a model with digest [0-9a-f]\{32\}; .* has [0-9a-f]\{32\}' "$work/message.txt" ||
    fail "another base: exit $status, $(cat "$work/message.txt")"

# From a checkpoint, which holds adapters alone, to the same bytes.
mkdir "$work/again"
cp "$work/of-int8/checkpoint-8.pml" "$work/again"
check "$(stat -c %s "$work/again/checkpoint-8.pml") < 4 * $(stat -c %s "$work/of-int8/adapter.pml")" "size of a checkpoint"
run train "$work/gpt2-int8.pml" --data "$work/text.txt" -o "$work/again" "${common[@]}" --batch-size 4 --max-tokens 64 \
    --steps 12 --epochs 20 --resume >"$work/result.json"
[[ $(member resumed_step <"$work/result.json") == 8 ]] || fail "it did not go on from step 8"
cmp "$work/again/adapter.pml" "$work/of-int8/adapter.pml"
status=0
run train "$work/gpt2-int8.pml" --data "$work/text.txt" -o "$work/again" "${common[@]}" --lora r=8 --batch-size 4 \
    --max-tokens 64 --steps 12 --epochs 20 --resume 2>/dev/null >/dev/null || status=$?
[[ $status == 1 ]] || fail "another rank: exit $status"
echo passed
