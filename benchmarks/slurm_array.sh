#!/bin/bash
# Runs docs/ci/slurm-array.sh on a Slurm of one node, which it starts in a temporary folder and stops at the end: 8 shards, one
# of which is killed, a merge that must name it, its rerun alone, and a comparison with a run in one piece, which must find no change.
# Needs root, slurm-wlm and munge.  usage: benchmarks/slurm_array.sh [CASE...]   (at least 8 cases; default: stride_nd/* dilation_nd/*)
set -euo pipefail
cd "$(dirname "$0")/.."
for program in munged slurmctld slurmd sbatch; do
  command -v $program >/dev/null || { echo "$program is missing: apt install slurm-wlm munge" >&2; exit 77; }
done
[[ $(id -u) == 0 ]] || { echo "slurmd must be started by root" >&2; exit 77; }
work=$(mktemp -d) pids=()
stop() {
  scancel --full -u root 2>/dev/null || true
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap stop EXIT
chmod 755 "$work"
mkdir "$work/munge" "$work/state" "$work/spool" "$work/logs"
head -c 1024 /dev/urandom >"$work/munge/key" && chmod 600 "$work/munge/key"
host=$(hostname -s)
cat >"$work/slurm.conf" <<CONF
ClusterName=one
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$work/munge/socket
CredType=cred/munge
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/logs/slurmctld
SlurmdLogFile=$work/logs/slurmd
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
SchedulerParameters=sched_interval=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=$host Default=YES State=UP
CONF
touch "$work/cgroup.conf"
export SLURM_CONF=$work/slurm.conf
munged --foreground --force --key-file="$work/munge/key" --socket="$work/munge/socket" --pid-file="$work/munge/pid" \
  --log-file="$work/munge/log" --seed-file="$work/munge/seed" 2>/dev/null & pids+=($!)
for _ in {1..50}; do [[ -S $work/munge/socket ]] && break; sleep 0.2; done
slurmctld -D -c 2>/dev/null >&2 & pids+=($!)
slurmd -D 2>/dev/null >&2 & pids+=($!)
for _ in {1..100}; do [[ $(sinfo -h -o %t 2>/dev/null) == idle ]] && break; sleep 0.3; done
[[ $(sinfo -h -o %t) == idle ]] || { tail -n 5 "$work"/logs/* "$work/munge/log" >&2; exit 1; }

options=(--target numpy)
[[ $# -gt 0 ]] || set -- 'stride_nd/*' 'dilation_nd/*'
for pattern; do options+=(--case "$pattern"); done
export RUNS=$work/runs
submit() { sbatch --parsable --chdir="$PWD" --output="$work/logs/%A_%a" "$@"; }
array=$(submit docs/ci/slurm-array.sh "${options[@]}")
lost=3
until [[ $(squeue -h -o %T -j "${array}_$lost" 2>/dev/null) == RUNNING ]]; do sleep 0.1; done
scancel --full --signal=KILL "${array}_$lost"
merge_of() { submit --wait --dependency="afterany:$1" --output="$work/logs/merge" docs/ci/slurm-merge.sh; }
if merge_of "$array"; then echo "the merge without shard $lost did not fail" >&2; exit 1; fi
cat "$work/logs/merge"
grep -Eq "shard $lost/8.*missing|shard-$lost/.*cut short" "$work/logs/merge"
again=$(submit --array=$lost docs/ci/slurm-array.sh "${options[@]}")
merge_of "$again"
cat "$work/logs/merge"
(trt-conformance run "${options[@]}" --record-root="$work/whole" >"$work/logs/whole") || { cat "$work/logs/whole" >&2; exit 1; }
trt-conformance compare "$work"/whole/* "$RUNS/merged" --gate
