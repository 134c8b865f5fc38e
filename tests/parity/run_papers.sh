#!/usr/bin/env bash
# Trains as a paper does, from nothing, on the real series: run_papers.sh BUILD_DIR CASE [SEED ...]
# Judges the mean test error of seeds 1, 2 and 3, or of those named (then it only prints). Exit 77: no series.
# PML_DATA: a folder with ETT/ETTh1.csv. PML_PAPERS_KEEP: a folder to leave the runs in.
set -euo pipefail
build_dir=$1 case=$2
shift 2
seeds=("$@")
[[ ${#seeds[@]} -gt 0 ]] || seeds=(1 2 3)

series=ETTh1
case $case in
dlinear-etth1) # Zeng et al. 2022, 336 -> 96
    most=0.379
    recipe=(--new dlinear --optimizer adam:lr=0.005 --schedule type1 --epochs 10 --patience 3 --batch-size 32)
    ;;
dlinear-etth2)
    most=0.305 series=ETTh2
    recipe=(--new dlinear --optimizer adam:lr=0.05 --schedule type1 --epochs 10 --patience 3 --batch-size 32)
    ;;
itransformer-etth1) # Liu et al. 2024, 96 -> 96, D = 256, with marks
    most=0.392
    recipe=(--new itransformer --optimizer adam:lr=0.0001 --schedule type1 --epochs 10 --patience 3 --batch-size 32)
    ;;
patchtst-etth1) # Nie et al. 2023, PatchTST/42, 336 -> 96
    most=0.378
    recipe=(--new patchtst --set patch_alignment=start --set padding=end --set residual_attention=true
        --set normed_residual=true --set d_model=16 --set num_attention_heads=4 --set ffn_dim=128
        --set positional_dropout=0.3 --set path_dropout=0.3 --set ff_dropout=0.3
        --optimizer adam:lr=0.0005 --schedule type3 --epochs 10 --patience 100 --batch-size 128)
    ;;
*)
    echo "no paper's recipe is called $case" >&2
    exit 2
    ;;
esac
csv=${PML_DATA:-}/ETT/$series.csv
if [[ ! -e $csv ]]; then
    echo "skipped: there is no $csv under \$PML_DATA"
    exit 77
fi

work=${PML_PAPERS_KEEP:-}
if [[ -z $work ]]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
fi
errors=
for seed in "${seeds[@]}"; do
    out=$work/$case-$seed
    began=$SECONDS
    "$build_dir/pml-run" train "${recipe[@]}" --data "$csv" --split ett-hour --drop-last --seed "$seed" -o "$out" \
        --progress=none >/dev/null
    seconds=$((SECONDS - began))
    judged=$("$build_dir/pml-run" evaluate "$out/model.pml" --csv "$csv" --split ett-hour --json)
    error=$(sed -n 's/.*"mse": *\([0-9.]*\).*/\1/p' <<<"$judged" | head -1)
    echo "$case, seed $seed: test MSE $error, trained in $seconds s"
    errors+="$error "
done
[[ $# -eq 0 ]] || exit 0
awk -v most="$most" -v name="$case" '{
    for (i = 1; i <= NF; i++) sum += $i
    printf "%s: mean of %d seeds %.4f, wanted at most %s\n", name, NF, sum / NF, most
    exit !(NF > 0 && sum / NF <= most)
}' <<<"$errors"
