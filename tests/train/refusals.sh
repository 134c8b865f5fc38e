#!/usr/bin/env bash
# What `train` refuses: exit code, the words that say why, and that no folder is left behind: refusals.sh BUILD_DIR SOURCE_DIR
set -euo pipefail
build_dir=$1 source_dir=$2
root=${PML_GOLDENS:-}
[[ -e $root/autoformer/official-factor3/config.json ]] || { echo "skipped: no goldens under \$PML_GOLDENS"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"$build_dir/pml-convert" "$root/autoformer/official-factor3" -o m.pml -q >/dev/null
"$build_dir/pml-convert" "$root/bert/kjv-cls" -o c.pml -q >/dev/null

awk 'BEGIN { print "date,a,b,c"; for (i = 0; i < 500; i++) printf "2020-%02d-%02d %02d:00:00,%.5f,%.5f,%.5f\n",
    1 + int(i / 672), 1 + int(i / 24) % 28, i % 24, sin(i / 4), cos(i / 7), sin(i * i) }' >good.csv
sed '37s/,[^,]*$/,hello/' good.csv >text.csv
sed '50s/,[^,]*$/,nan/' good.csv >nan.csv
sed '50s/,[^,]*$/,/' good.csv >blank.csv
sed '60s/,[^,]*$//' good.csv >ragged.csv
sed '100d' good.csv >gap.csv
awk -F, -v OFS=, 'NR > 1 { $3 = 5 } 1' good.csv >constant.csv
head -n 30 good.csv >short.csv
head -n 1 good.csv >header.csv
cut -d, -f2- good.csv >undated.csv
cut -d, -f1-3 good.csv >narrow.csv
: >empty.csv
touch file
printf '{"text": "a", "label": "Poem"}\n' >unknown.jsonl
printf '{"text": "a"}\n' >unlabelled.jsonl
printf '{"text": "a", "label": "Torah"}\n{"text": "b" 1}\n' >broken.jsonl
printf '{"text": "a\xff", "label": "Torah"}\n' >latin.jsonl

n=0
refused() { # <exit code> <words> <arguments of train>
    local wanted=$1 words=$2 code=0
    shift 2
    "$build_dir/pml-train" train "$@" --steps 2 --progress none >out 2>err || code=$?
    if [[ $code -ne $wanted || -e run || -s out ]] || ! grep -qF -- "$words" err; then
        echo "train $*: exit $code, wanted $wanted and '$words':"
        cat err
        exit 1
    fi
    n=$((n + 1))
}
while IFS='|' read -r code data words; do
    refused "$code" "$words" m.pml --data "$data" -o run
done <<'TABLE'
65|text.csv|line 37, column 'c': 'hello' is not a number
65|nan.csv|line 50, column 'c': the value is missing
65|blank.csv|line 50, column 'c': the value is missing
65|ragged.csv|line 60: 3 fields
65|gap.csv|breaks the step
65|constant.csv|column 'b': 5 in all
65|short.csv|hold no window of 36 + 16 rows
65|header.csv|no rows
65|undated.csv|no date column
65|narrow.csv|narrow.csv: 2 columns of numbers, and the model takes 3
65|empty.csv|the file is empty
66|absent.csv|absent.csv: no such file
TABLE
while IFS='|' read -r data words; do
    refused 65 "$words" c.pml --data "$data" -o run
done <<'TABLE'
unknown.jsonl|unknown.jsonl:1:24: there is no class 'Poem'
unlabelled.jsonl|the line has no "label"
broken.jsonl|broken.jsonl:2:
latin.jsonl|latin.jsonl, line 1: bytes that are not UTF-8
TABLE
refused 2 "train needs --data" m.pml -o run
refused 2 "train needs --out" m.pml --data good.csv
refused 2 "not a folder" m.pml --data good.csv -o file
refused 2 "lr is a number" m.pml --data good.csv -o run --optimizer adam:lr=x
refused 2 "needs size" m.pml --data good.csv -o run --schedule step
refused 2 "does not compare" m.pml --data good.csv -o run --loss cross_entropy
refused 2 "'encoder.nothing.*'" m.pml --data good.csv -o run --freeze 'encoder.nothing.*'
refused 65 "not a .pml file" good.csv --data good.csv -o run
echo "$n refusals"
