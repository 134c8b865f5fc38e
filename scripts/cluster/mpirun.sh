#!/usr/bin/env bash
# One batch as N ranks of MPI; nothing is sent between them, each takes the shard of its rank.
#
#   scripts/cluster/mpirun.sh MANIFEST DIR N [options of pml-convert batch]
#
# PML_MPIRUN names another launcher with its options ("mpiexec --hostfile hosts"). Open MPI, MPICH, Intel MPI and srun set what
# --shard auto reads.
set -euo pipefail
if (($# < 3)); then
    echo "usage: $0 MANIFEST DIR N [options]" >&2
    exit 2
fi
manifest=$1 folder=$2 ranks=$3
shift 3
read -ra launcher <<<"${PML_MPIRUN:-mpirun}"
exec "${launcher[@]}" -n "$ranks" "${PML_CONVERT:-pml-convert}" batch "$manifest" -o "$folder" --shard auto \
    --shard-count "$ranks" --jobs 1 --progress none "$@"
