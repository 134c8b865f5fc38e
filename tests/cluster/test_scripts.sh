#!/usr/bin/env bash
# The scripts of scripts/cluster/ without their schedulers: only the variables are set that each would set.
#   tests/cluster/test_scripts.sh BUILD_DIR SOURCE_DIR
set -euo pipefail
build=$1 source=$2
scripts=$source/scripts/cluster
model=$source/tests/goldens/patchtst/hf-ci-prediction
unset SLURM_ARRAY_TASK_ID SLURM_PROCID SLURM_NTASKS SLURM_JOB_ID SLURM_CPUS_PER_TASK SLURM_MEM_PER_NODE JOB_COMPLETION_INDEX \
    OMPI_COMM_WORLD_RANK OMPI_COMM_WORLD_SIZE PMI_RANK PMI_SIZE RANK WORLD_SIZE PML_MPIRUN PML_PARALLEL
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
    echo "FAILED: $*"
    exit 1
}
cd "$work"
for i in 0 1 2 3 4 5 6; do
    mkdir -p "models/m$i"
    cp "$model/config.json" "$model/model.safetensors" "models/m$i/"
    echo "models/m$i" >>list.txt
done
export PML_CONVERT=$build/pml-convert

# covers DIR LOG...: seven models, each published once, the report whole.
covers() {
    local folder=$1
    shift
    for k in 0 1 2 3 4 5 6; do
        [[ $(cat "$@" | grep -c " m$k published") == 1 ]] || { cat "$@"; fail "$folder: m$k was not published exactly once"; }
        [[ -f $folder/m$k.pml ]] || fail "$folder: m$k.pml is missing"
    done
    [[ $(grep -c '"status":"published"' "$folder/report.jsonl") == 7 ]] || fail "$folder: the report is not whole"
    [[ -z $(find "$folder" -name '.*.tmp.*' -o -name 'lock-*') ]] || fail "$folder: something was left behind"
}

for script in slurm-array.sbatch parallel.sh mpirun.sh; do
    bash -n "$scripts/$script" || fail "$script is no shell script"
    code=0
    bash "$scripts/$script" list.txt out >/dev/null 2>&1 || code=$?
    [[ $code == 2 ]] || fail "$script without N: exit code $code"
done

# ---- Slurm: the array's variables, and what the task was given
for i in 0 1 2; do
    SLURM_ARRAY_TASK_ID=$i SLURM_ARRAY_TASK_COUNT=9 SLURM_PROCID=0 SLURM_NTASKS=1 SLURM_CPUS_PER_TASK=1 SLURM_MEM_PER_NODE=400 \
        bash "$scripts/slurm-array.sbatch" list.txt slurm 3 >"slurm-$i.log" 2>&1 || fail "slurm-array.sbatch, task $i"
done
covers slurm slurm-?.log
code=0
SLURM_ARRAY_TASK_ID=3 bash "$scripts/slurm-array.sbatch" list.txt slurm 3 >/dev/null 2>&1 || code=$?
[[ $code == 2 ]] || fail "a task beyond N: exit code $code"

# A task that has to stop queues itself again; what it has done stays done.
mkdir bin
cat >bin/scontrol <<'END'
#!/bin/sh
echo "$*" >>"$(dirname "$0")/../scontrol.log"
END
chmod +x bin/scontrol
cat >slow-convert <<'END'
#!/bin/bash
# pml-convert, as slow as a large model: it ends for now only when it is asked to.
trap 'exit 75' TERM
echo started >started
while :; do sleep 0.05; done
END
chmod +x slow-convert
PATH=$work/bin:$PATH PML_CONVERT=$work/slow-convert SLURM_ARRAY_TASK_ID=0 SLURM_JOB_ID=4711 \
    bash "$scripts/slurm-array.sbatch" list.txt slurm 3 >/dev/null 2>&1 &
task=$!
until [[ -f started ]]; do sleep 0.05; done
kill -TERM "$task"
wait "$task" || fail "a task that was asked to stop ended with $?"
grep -qx "requeue 4711" scontrol.log || fail "it did not queue itself again"

# ---- Kubernetes: the command of the pod, with the index that an indexed Job sets
mapfile -t command < <(python3 - "$scripts/k8s-indexed-job.yaml" <<'END'
import re, sys
lines = open(sys.argv[1]).read().split("\n")
at = next(i for i, line in enumerate(lines) if line.strip() == "args:")
words = []
for line in lines[at + 1:]:
    match = re.fullmatch(r'\s*- "(.*)"', line)
    if not match:
        break
    words.append(match.group(1))
print("\n".join(words))
count = words[words.index("--shard-count") + 1]
assert f"completions: {count}" in "\n".join(lines), "completions and --shard-count differ"
END
)
for ((k = 0; k < ${#command[@]}; k++)); do
    command[k]=${command[k]//\/data\/models.txt/list.txt}
    command[k]=${command[k]//\/data\/models/kubernetes}
done
for ((i = 0; i < 16; i++)); do
    JOB_COMPLETION_INDEX=$i "$PML_CONVERT" "${command[@]}" >"kubernetes-$i.log" 2>&1 || { cat "kubernetes-$i.log"; fail "pod $i"; }
done
covers kubernetes kubernetes-*.log

# ---- MPI: a launcher that sets what Open MPI sets, and one that sets what Hydra sets
for kind in OMPI_COMM_WORLD PMI; do
    cat >"bin/mpirun-$kind" <<END
#!/bin/bash
# mpirun -n N COMMAND...
n=\$2; shift 2
for ((rank = 0; rank < n; rank++)); do
    ${kind}_RANK=\$rank ${kind}_SIZE=\$n "\$@" &
    all+=(\$!)
done
for p in "\${all[@]}"; do wait "\$p" || code=1; done
exit \${code:-0}
END
    chmod +x "bin/mpirun-$kind"
    PML_MPIRUN=$work/bin/mpirun-$kind bash "$scripts/mpirun.sh" list.txt "mpi-$kind" 3 >"mpi-$kind.log" 2>&1 ||
        fail "mpirun.sh under $kind"
    covers "mpi-$kind" "mpi-$kind.log"
done

# ---- GNU parallel, or xargs
bash "$scripts/parallel.sh" list.txt parallel 4 >parallel.log 2>&1 || { cat parallel.log; fail "parallel.sh"; }
covers parallel parallel.log
# ---- a training: begun, then gone on with as a job that runs again would
bash -n "$scripts/slurm-train.sbatch" || fail "slurm-train.sbatch is no shell script"
code=0
bash "$scripts/slurm-train.sbatch" list.txt out >/dev/null 2>&1 || code=$?
[[ $code == 2 ]] || fail "slurm-train.sbatch without data: exit code $code"
{
    echo date,a,b,c
    for ((t = 0; t < 200; t++)); do printf '2020-01-%02d %02d:00:00,%d,%d,%d\n' $((1 + t / 24)) $((t % 24)) $((t % 7)) $((t % 11)) $((t % 13)); done
} >series.csv
"$PML_CONVERT" models/m0 -o m0.pml -q
for steps in first again; do
    PML_SRUN=env PML_RUN=$build/pml-run SLURM_CPUS_PER_TASK=1 bash "$scripts/slurm-train.sbatch" m0.pml trained --data series.csv \
        --epochs 1 --json >"train-$steps.log" 2>&1 || { cat "train-$steps.log"; fail "slurm-train.sbatch, $steps"; }
done
grep -q '"resumed_step": 0,' train-first.log || { cat train-first.log; fail "a training that begins"; }
grep -q '"resumed_step": [1-9]' train-again.log || { cat train-again.log; fail "a training that goes on"; }
# Its end by TERM queues it again.
printf '#!/bin/sh\nkill -TERM $$\n' >ended
chmod +x ended
rm -f scontrol.log
PATH=$work/bin:$PATH PML_SRUN=env PML_RUN=$work/ended SLURM_JOB_ID=5 bash "$scripts/slurm-train.sbatch" m0.pml trained --data s.csv || fail "not queued"
grep -q 'requeue 5' scontrol.log || fail "a training that was ended is not queued again"

echo "every script covers every model exactly once"
