#!/bin/bash
# Joins the records of a Slurm job array, after its last task, regardless of their exit codes:
#   RUNS=$PWD/runs/first sbatch --dependency=afterany:JOB docs/ci/slurm-merge.sh
# It fails and names each shard that is missing or was cut short.
#SBATCH --job-name=trt-conformance-merge
#SBATCH --ntasks=1
#SBATCH --output=conformance-merge-%j.log
set -eu
shopt -s nullglob
: "${RUNS:?set RUNS to the folder of the array}"
records=("$RUNS"/shard-*/*/)
if [[ ${#records[@]} == 0 ]]; then
  echo "$RUNS: there is no record of any shard; read the tasks' logs, conformance-*_*.log" >&2
  exit 2
fi
trt-conformance merge "${records[@]}" -o "$RUNS/merged" || {
  code=$?
  echo "To rerun a shard alone: sbatch --array=SHARD docs/ci/slurm-array.sh, with the same RUNS, SHARDS and options; then merge again" >&2
  exit "$code"
}
