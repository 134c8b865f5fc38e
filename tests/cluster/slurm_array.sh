#!/usr/bin/env bash
# A real Slurm of one node, started for this test alone, runs scripts/cluster/slurm-array.sbatch as an array of four: the shards must
# cover every job exactly once.
#   tests/cluster/slurm_array.sh BUILD_DIR SOURCE_DIR
# Needs root and Debian's slurm-wlm and munge (apt-get install slurm-wlm munge); exits 77 where they are missing.
set -euo pipefail
build=$1 source=$2
skip() { echo "skipped: $*"; exit 77; }
((EUID == 0)) || skip "starting slurmd needs root"
for program in munged slurmctld slurmd sbatch scontrol squeue; do
    PATH=$PATH:/usr/sbin command -v "$program" >/dev/null || skip "$program is not installed (apt-get install slurm-wlm munge)"
done
export PATH=$PATH:/usr/sbin
model=$source/tests/goldens/patchtst/hf-ci-prediction

work=$(mktemp -d /tmp/pml-slurm.XXXXXX)
pids=()
finish() {
    for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
        kill "${pids[i]}" 2>/dev/null || true
    done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
fail() {
    echo "FAILED: $*"
    tail -n 25 "$work"/*.log 2>/dev/null
    exit 1
}
wait_for() { # wait_for SECONDS WHAT COMMAND...
    local seconds=$1 what=$2
    shift 2
    for ((i = 0; i < seconds * 5; i++)); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.2
    done
    fail "$what did not happen within $seconds s"
}

# ---- munge and Slurm, with their own ports, sockets and folders
read -r port_ctl port_d < <(python3 -c '
import socket
s = [socket.socket() for _ in range(2)]
for x in s: x.bind(("127.0.0.1", 0))
print(*(x.getsockname()[1] for x in s))')
host=$(hostname -s)
chmod 755 "$work"
mkdir -p "$work/state" "$work/spool"
(umask 077 && head -c 1024 /dev/urandom >"$work/munge.key")
munged --foreground --force --key-file="$work/munge.key" --socket="$work/munge.socket" --pid-file="$work/munged.pid" \
    --seed-file="$work/munge.seed" --log-file="$work/munged.log" >"$work/munged.out.log" 2>&1 &
pids+=($!)
wait_for 10 "the socket of munged" test -S "$work/munge.socket"

cat >"$work/slurm.conf" <<END
ClusterName=pml
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$work/munge.socket
CredType=cred/munge
SlurmctldPort=$port_ctl
SlurmdPort=$port_d
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_min_interval=100000
ReturnToService=2
JobRequeue=1
KillWait=15
MaxArraySize=100
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
NodeName=$host NodeAddr=127.0.0.1 CPUs=8 RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP
END
# More processors than there are may be promised: four tasks shall run side by side on any machine.
sed -i 's/^SchedulerParameters=/SlurmdParameters=config_overrides\n&/' "$work/slurm.conf"
export SLURM_CONF=$work/slurm.conf
slurmctld -D -f "$SLURM_CONF" -L "$work/slurmctld.log" >"$work/slurmctld.out.log" 2>&1 &
pids+=($!)
slurmd -D -f "$SLURM_CONF" -L "$work/slurmd.log" >"$work/slurmd.out.log" 2>&1 &
pids+=($!)
wait_for 30 "an idle node" sh -c 'sinfo -h -o %T | grep -q idle'

# ---- an array of four over ten models
cd "$work"
mkdir models
for i in 0 1 2 3 4 5 6 7 8 9; do
    mkdir "models/m$i"
    cp "$model/config.json" "$model/model.safetensors" "models/m$i/"
    echo "$work/models/m$i" >>list.txt
done
export PML_CONVERT=$build/pml-convert
job=$(sbatch --parsable --array=0-3 --cpus-per-task=1 --mem=400M --time=10 "$source/scripts/cluster/slurm-array.sbatch" \
    "$work/list.txt" "$work/out" 4)
wait_for 120 "the end of the array" sh -c '! squeue -h | grep -q .'
for ((i = 0; i < 4; i++)); do
    log=pml-batch-${job}_$i.log
    mv "$log" "task-$i.log" || fail "task $i left no log"
    grep -q "^\[$i/4\] " "task-$i.log" || fail "task $i did not run as shard $i of 4"
done
for ((k = 0; k < 10; k++)); do
    times=$(grep -h " m$k published" task-*.log | wc -l)
    ((times == 1)) || fail "model $k was published $times times"
    grep -q "^\[$((k % 4))/4\] .* m$k published" "task-$((k % 4)).log" || fail "model $k is not of shard $((k % 4))"
    "$PML_CONVERT" verify -q "out/m$k.pml" >/dev/null || fail "model $k is damaged"
done
lines=$(grep -c '"status":"published"' out/report.jsonl)
((lines == 10)) || fail "the report has $lines published models of 10"

# ---- some tasks again: another count of tasks, the same shards, nothing to do
sbatch --wait --array=1,3 --cpus-per-task=1 --mem=400M --time=10 "$source/scripts/cluster/slurm-array.sbatch" \
    "$work/list.txt" "$work/out" 4 >/dev/null || fail "two tasks run again"
(("$(cat pml-batch-*.log | grep -c 'up to date (')" == 5)) || fail "shards 1 and 3 have 5 models, none of them new"
echo "an array of four tasks published ten models, each exactly once; two tasks run again found theirs up to date"
