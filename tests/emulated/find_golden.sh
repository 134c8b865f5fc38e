# Sourced: find_golden NAME prints where that golden case lies, in tests/goldens or under $PML_GOLDENS; fails where it is in neither.
find_golden() {
    local root
    for root in "$source_dir/tests/goldens" "${PML_GOLDENS:-}"; do
        if [[ -n $root && -e $root/$1/io.safetensors ]]; then
            echo "$root/$1"
            return
        fi
    done
    echo "not run: $1 is neither in tests/goldens nor under \$PML_GOLDENS" >&2
    return 1
}
