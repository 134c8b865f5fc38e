#!/usr/bin/env bash
# Judges one training step of a golden case: run_gradients.sh BUILD_DIR SOURCE_DIR CASE
# Loss, gradients and running statistics by the goldens' rule, then the losses of steps.json. Exit 77: not there.
# PML_GRADIENTS_ONLY=gradients or steps: no more than those. PML_PARITY_OPTIONS: further options of the conversion.
# PML_GRADIENTS_OPTIONS: of tests/parity/gradients.c.
set -euo pipefail
build_dir=$1 source_dir=$2 case=$3

io= model= steps=
for root in "$source_dir/tests/goldens" "${PML_GOLDENS:-}"; do
    [[ -n $root ]] || continue
    [[ -z $model && -e $root/$case/config.json ]] && model=$root/$case
    [[ -z $io && -e $root/$case/io.safetensors ]] && io=$root/$case
    [[ -z $steps && -e $root/$case/steps.json ]] && steps=$root/$case
done
if [[ -n $model && ! -e $model/model.safetensors ]]; then # it goes on from another case's weights
    weights=$(grep -o '"path": *"[^"]*/model.safetensors"' "$model/case.json" | head -n 1 | cut -d'"' -f4) || true
    model=$model/$(dirname "${weights:-none/none}")
    [[ -e $model/config.json ]] || model=
fi
if [[ -z $model || -z $io ]]; then
    echo "skipped: $case is neither in tests/goldens nor under \$PML_GOLDENS"
    exit 77
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=${PML_TEST_PYTHON:-python3}

convert() { # <folder> <name> <layout> [<option>]
    # shellcheck disable=SC2086
    "$build_dir/pml-convert" "$1" -o "$work/$2.pml" --dtype f32 --layout "$3" ${PML_PARITY_OPTIONS:-} "${@:4}" -q \
        >/dev/null
}
convert "$model" row row
convert "$model" panel panel
for kind in grad. grad64. after. noise error; do
    "$python" "$source_dir/tests/parity/gradient_source.py" "$io" "$model" "$work/of-$kind" "$kind"
    convert "$work/of-$kind" "${kind%.}" row --allow-nonfinite # NaN: not recorded
done
for layout in row panel; do
    [[ ${PML_GRADIENTS_ONLY:-gradients} == gradients ]] || break
    grep -q '"grad\.' "$io/io.safetensors" || break # steps alone
    for threads in 1 2; do
        echo "== $case: trained from $layout, $threads threads"
        # shellcheck disable=SC2086
        "$build_dir/tests/parity_gradients" "$work/$layout.pml" "$io" "$work" --threads "$threads" \
            ${PML_GRADIENTS_OPTIONS:-}
    done
done

[[ -n $steps && ${PML_GRADIENTS_ONLY:-steps} == steps ]] || exit 0
if grep -q first_row "$steps/steps.json" && [[ ! -d ${PML_DATA:-/nowhere}/ETT ]]; then
    echo "steps are left out: \$PML_DATA has no ETT"
    exit 0
fi
"$python" "$source_dir/tests/parity/steps_plan.py" "$steps" "$model" "$work"
for kind in norms-0-32 norms-0-64 norms-1-32 norms-1-64; do
    [[ -d $work/$kind ]] && convert "$work/$kind" "$kind" row --allow-nonfinite # NaN: no norm
done
for kind in "" 64; do
    if [[ -e $steps/after$kind.safetensors ]]; then
        "$python" "$source_dir/tests/parity/gradient_source.py" "$steps" "$model" "$work/of-final$kind" "after$kind"
        convert "$work/of-final$kind" "final$kind" row
    fi
done
vectors=$steps
[[ -e $work/io.safetensors ]] && vectors=$work # made of the batches of every step
for plan in "$work"/plan-*.txt; do
    run=${plan##*-}
    for threads in 1 2; do
        echo "== $case: steps of $(head -n 1 "$plan"), $threads threads"
        "$build_dir/tests/parity_steps" "$work/panel.pml" "$vectors" "$work" "${run%.txt}" --threads "$threads"
    done
done
