#!/usr/bin/env bash
# Installs into a temporary prefix, then builds and runs the example against it three ways: pkg-config with the shared and the
# static library, and the CMake package.
set -euo pipefail
source_dir=$1 build_dir=$2 compiler=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix

cmake --install "$build_dir" --prefix "$prefix" >/dev/null
for file in bin/pml-run bin/pml-serve bin/pml-train bin/pml-convert include/pml/pml.h; do
    [[ -e $prefix/$file ]] || { echo "not installed: $file"; exit 1; }
done
if [[ -e $build_dir/pml-mpi.so ]]; then # where programs look for it, seen from their folder
    modules=$(grep -aoE '\.\./lib[^[:space:][:cntrl:]]*/pml/pml-mpi\.so' "$prefix/bin/pml-train" | head -n 1)
    [[ -n $modules && -e $prefix/bin/$modules ]] || { echo "not installed where pml-train looks: '$modules'"; exit 1; }
fi
pc=$(dirname "$(find "$prefix" -name libpml.pc)")
# The .pc file names the prefix it was configured for; --define-prefix takes the folder it lies in.
config() { PKG_CONFIG_PATH=$pc pkg-config --define-prefix "$@" libpml; }
"$prefix/bin/pml-convert" "$source_dir/examples/patchtst-etth1-96" -o "$work/model.pml" -q >/dev/null

check() { # <how> <program> [model]: the example must print a forecast of 96 rows
    rows=$("$2" "${3:-$work/model.pml}" | wc -l)
    [[ $rows == 96 ]] || { echo "$1: expected 96 rows, got $rows"; exit 1; }
}
read -ra cflags <<<"$(config --cflags)"
read -ra libs <<<"$(config --libs)"
read -ra static_libs <<<"$(config --libs --static)"
libdir=$(config --variable=libdir)
"$compiler" "${cflags[@]}" "$source_dir/examples/forecast.c" "${libs[@]}" -Wl,-rpath,"$libdir" -o "$work/shared"
check "shared library" "$work/shared"
"$compiler" "${cflags[@]}" "$source_dir/examples/forecast.c" "$libdir/libpml.a" "${static_libs[@]}" -o "$work/static"
check "static library" "$work/static"
cmake -G Ninja -S "$source_dir/examples" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$compiler" >/dev/null
cmake --build "$work/cmake" >/dev/null
check "CMake package" "$work/cmake/forecast"

# The training loop of examples/train.c, on a series with the model's columns.
head -n 1 "$source_dir/examples/hourly.csv" >"$work/s.csv"
awk -F, -v OFS=, 'NR == 1 { n = NF; next } END { for (t = 0; t < 2400; t++) {
    line = sprintf("2021-%02d-%02d %02d:00:00", 1 + int(t / 672), 1 + int(t / 24) % 28, t % 24)
    for (c = 2; c <= n; c++) line = line OFS sprintf("%.4f", sin(t / 24 * 6.2832 + c) + sin(t * t + c) / 4)
    print line } }' "$source_dir/examples/hourly.csv" >>"$work/s.csv"
"$work/cmake/train" "$work/model.pml" "$work/s.csv" "$work/trained.pml" >"$work/epochs"
[[ $(wc -l <"$work/epochs") == 3 ]] || { echo "train: expected 3 epochs"; exit 1; }
check "trained by the example" "$work/cmake/forecast" "$work/trained.pml"
echo "installed files work: shared, static, CMake package"
