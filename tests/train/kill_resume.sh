#!/usr/bin/env bash
# Training that is killed ends in the same bits as training that is not: kill_resume.sh BUILD_DIR SOURCE_DIR N_RUNS
# Each of N_RUNS is killed without warning up to three times, at random moments, resumed, and compared with a whole run: model, best
# model, last checkpoint and the numbers of the log. What lies in the folder must be whole at any moment.
set -euo pipefail
build_dir=$1 source_dir=$2 n_runs=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
exec 2>"$work/stderr"

awk 'BEGIN { print "date,a,b,c"; for (i = 0; i < 900; i++)
    printf "2020-%02d-%02d %02d:00:00,%.5f,%.5f,%.5f\n", 1 + int(i / 672), 1 + int(i / 24) % 28, i % 24,
        sin(i / 4), cos(i / 7) + sin(i * i), sin(i / 24 * 6.2832) + cos(i / 3) }' >"$work/s.csv"
"$build_dir/pml-convert" "$source_dir/tests/goldens/dlinear/neuralforecast" -o "$work/from.pml" -q >/dev/null

train() { # <folder> [options]
    ${as:-} "$build_dir/pml-train" train "$work/from.pml" --data "$work/s.csv" -o "$@" --steps 60 --every eval=20,save=7,log=5 \
        --seed 3 --optimizer adam:lr=0.01 --batch-size 16 --threads 1 --progress none -q
}
numbers() { # <log.csv>: its records by name, because names come in another order behind a resume
    awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) name[i] = $i; next } { for (i = 2; i <= NF; i++) if ($i != "") print $1, name[i], $i }' \
        "$1" | sort
}

begin=$(date +%s%N)
train "$work/whole"
took_ms=$((($(date +%s%N) - begin) / 1000000))
numbers "$work/whole/log.csv" >"$work/whole.numbers"
n_kills=0 n_same=0
for ((i = 0; i < n_runs; i++)); do
    folder=$work/run-$i
    for ((k = 0; k < 3; k++)); do
        resume=
        compgen -G "$folder/checkpoint-*.pml" >/dev/null && resume=--resume
        as=exec train "$folder" $resume & # the program itself, not a shell around it
        sleep "$(awk -v r=$RANDOM -v t=$took_ms 'BEGIN { print r / 32768 * t / 1000 }')"
        if kill -KILL $! 2>/dev/null; then n_kills=$((n_kills + 1)); fi
        wait $! 2>/dev/null || true
        for file in "$folder"/*.pml; do
            [[ ! -e $file ]] || "$build_dir/pml-convert" verify "$file" -q >/dev/null || { echo "$file is not whole"; exit 1; }
        done
    done
    train "$folder" --resume
    numbers "$folder/log.csv" >"$work/run.numbers"
    for file in model.pml best.pml checkpoint-60.pml; do
        cmp "$work/whole/$file" "$folder/$file" || { echo "run $i: $file differs"; exit 1; }
    done
    cmp "$work/whole.numbers" "$work/run.numbers" || { echo "run $i: the log differs"; exit 1; }
    n_same=$((n_same + 1))
    rm -rf "$folder"
done
echo "$n_same of $n_runs runs bit-identical after $n_kills kills"
[[ $n_kills -gt 0 ]]
