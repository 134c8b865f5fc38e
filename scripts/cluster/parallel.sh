#!/usr/bin/env bash
# One batch as N processes of one machine, or with --sshlogin in PML_PARALLEL of several:
#
#   scripts/cluster/parallel.sh MANIFEST DIR N [options of pml-convert batch]
#
# GNU parallel gives a process 200 ms between TERM and the next signal unless told otherwise; --termseq leaves it time to end its
# children. Without GNU parallel, xargs does the same on one machine. Exit code: 0 when every shard ended with 0.
set -euo pipefail
if (($# < 3)); then
    echo "usage: $0 MANIFEST DIR N [options]" >&2
    exit 2
fi
manifest=$1 folder=$2 shards=$3
shift 3
command=("${PML_CONVERT:-pml-convert}" batch "$manifest" -o "$folder" --jobs 1 --progress none "$@")
if command -v parallel >/dev/null && parallel --version 2>/dev/null | grep -q 'GNU parallel'; then
    # shellcheck disable=SC2086 # several options
    seq 0 $((shards - 1)) |
        parallel --termseq TERM,30000,KILL,25 --line-buffer ${PML_PARALLEL:-} "$(printf '%q ' "${command[@]}") --shard {}/$shards"
else
    seq 0 $((shards - 1)) | xargs -P "$(nproc)" -I '{}' "${command[@]}" --shard "{}/$shards"
fi
