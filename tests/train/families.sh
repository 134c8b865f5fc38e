#!/usr/bin/env bash
# A model of a family is trained by the command, as a user would: families.sh BUILD_DIR SOURCE_DIR CASE
# CASE is "<family>/<case>" of $PML_GOLDENS (exit 77: not there). It is converted, trained on small data, and judged: the loss falls; a run
# that lost its end and is resumed has the same bits; what is frozen stays; the source is untouched; the result is whole, runs, and where
# its family is exported, comes back from the export with the same content digest.
set -euo pipefail
build_dir=$1 source_dir=$2 case=$3
family=${case%%/*}
root=
for at in "$source_dir/tests/goldens" "${PML_GOLDENS:-}"; do
    [[ -n $at && -e $at/$case/config.json && -e $at/$case/model.safetensors ]] && root=$at
done
[[ -n $root ]] || { echo "skipped: $case is neither in tests/goldens nor under \$PML_GOLDENS"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
run=$build_dir/pml-run convert=$build_dir/pml-convert

series() { # <columns> <file>: hours from 2020-01-01 on
    awk -v C="$1" 'BEGIN { printf "date"; for (c = 1; c <= C; c++) printf ",c%d", c; print ""
        for (i = 0; i < 500; i++) { printf "2020-%02d-%02d %02d:00:00", 1 + int(i / 672), 1 + int(i / 24) % 28, i % 24
            for (c = 1; c <= C; c++) printf ",%.5f", sin(i / (2 + c)) + 0.3 * cos(i * i + c) + c; print "" } }' >"$2"
}
text() { # <lines>
    awk -v n="$1" 'BEGIN { split("light water earth heaven night day land sea", w, " ")
        for (i = 0; i < n; i++) print "and God made the " w[1 + i % 8] " and called the " w[1 + i % 3] " good" }'
}

options=(--optimizer adam:lr=0.003 --batch-size 16) conversion=() frozen='encoder.layer.0.*' data=c3.csv exported=true
series 3 c3.csv
case $case in
dlinear/*) frozen='trend.*' ;;
timesnet/*) frozen='layer.0.*' ;;
fedformer/*) conversion=(--set fed.seed=2021) exported=false ;;
gpt2/* | bert/masked-lm)
    data=t.txt frozen='embedding.*'
    text 200 >t.txt
    options=(--max-tokens 32 --batch-size 4)
    ;;
bert/kjv-cls)
    data=l.jsonl frozen='embedding.*'
    text 200 | awk '{ printf "{\"text\": \"%s\", \"label\": \"%s\"}\n", $0, /light/ ? "Torah" : "Gospels" }' >l.jsonl
    options=(--max-tokens 32 --batch-size 8)
    ;;
esac
[[ $family != gpt2 ]] || frozen='embedding.token.*'

"$convert" "$root/$case" -o from.pml -q "${conversion[@]}" >/dev/null
cp from.pml before.pml
train() { # <folder> [options]
    "$run" train from.pml --data "$data" "${options[@]}" --steps 24 --every save=8,eval=12,log=1 --seed 3 --threads 1 --progress none -q -o "$@"
}
loss() { # <first step> <last step>: mean of what was logged
    awk -F, -v a="$1" -v b="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "loss") k = i; next }
        $1 >= a && $1 <= b && $k != "" { s += $k; n++ } END { print s / n }' whole/log.csv
}
digest() { "$run" info "$1" --json | sed -n 's/.*"content_digest": *"\([0-9a-f]*\)".*/\1/p'; }

echo "== $case: the loss falls"
train whole
begin=$(loss 1 4) end=$(loss 21 24)
echo "$begin, in the end $end"
awk -v a="$begin" -v b="$end" 'BEGIN { exit !(b < 0.95 * a) }'
cmp from.pml before.pml

echo "== the end of a run is lost; resumed, it has the same bits"
cp -r whole cut
rm cut/checkpoint-24.pml cut/model.pml
[[ ! -e cut/best.pml ]] || cp whole/best.pml cut/best.pml
train cut --resume
for file in model.pml checkpoint-24.pml; do cmp whole/$file cut/$file; done

echo "== what is frozen stays"
train frozen --freeze "$frozen" --steps 4
"$convert" diff from.pml frozen/model.pml >differences 2>/dev/null || true
grep -q 'tensors that differ ([1-9][0-9]*), equal ([1-9]' differences
# Running statistics follow what the layers see, frozen or not.
if grep "^  ${frozen%\*}" differences | grep -v '\.norm[0-9]*\.\(mean\|var\) '; then exit 1; fi

echo "== the result is whole, and runs"
"$convert" verify whole/model.pml
case $case in
*pretrain*) ;;
gpt2/*) "$run" generate whole/model.pml "and God" -n 4 ;;
bert/masked-lm) "$run" fill-mask whole/model.pml "and god made the [MASK]" -k 2 ;;
bert/*) "$run" classify whole/model.pml "and God made the light" ;;
*)
    "$run" forecast whole/model.pml --csv c3.csv >forecast.csv
    head -n 1 forecast.csv | grep '^date,c1,c2,c3$'
    if grep -i 'nan\|inf' forecast.csv; then exit 1; fi
    "$run" evaluate whole/model.pml --csv c3.csv --split 0.7,0.1,0.2
    ;;
esac

if [[ $case == patchtst/hf-pretraining ]]; then
    echo "== a pretrained encoder begins a model that forecasts"
    settings=()
    while read -r key value; do settings+=(--set "$key=$value"); done < <("$convert" inspect from.pml |
        awk '$1 ~ /^config\./ { sub(/^config\./, "", $1) }
             $1 ~ /^(context_length|patch_length|patch_stride|d_model|num_attention_heads|num_hidden_layers|ffn_dim|norm_type|pre_norm|activation|use_cls_token|positional_encoding|share_embedding|channel_attention|scaling|ffn_bias|norm_eps)$/ { print $1, tolower($3) }')
    "$run" train --new patchtst "${settings[@]}" --set prediction_length=8 --data c3.csv --init-from whole/model.pml --steps 6 \
        --seed 3 --threads 1 --progress none -o tuned -v 2>taken
    cat taken
    grep -Eq '[1-9][0-9]* weights begin as in whole/model.pml, [1-9][0-9]* keep' taken
    "$run" forecast tuned/model.pml --csv c3.csv >/dev/null
    if "$run" train --new dlinear --data c3.csv --init-from whole/model.pml --steps 1 -q -o none 2>refused; then exit 1; fi
    grep -q 'no weight has the name and shape' refused
fi

if $exported; then
    echo "== exported, and converted again"
    "$convert" export whole/model.pml -o exported -q >/dev/null
    "$convert" exported -o again.pml -q >/dev/null
    [[ -n $(digest again.pml) && $(digest again.pml) == $(digest whole/model.pml) ]]
fi
