#!/bin/bash
# One shard of a run in each task of a Slurm job array. Options are passed to `trt-conformance run`:
#   RUNS=$PWD/runs/first sbatch docs/ci/slurm-array.sh --target tensorrt --require-gpu
# Rerun shard 3 alone, with the same RUNS, SHARDS and options:
#   RUNS=$PWD/runs/first sbatch --array=3 docs/ci/slurm-array.sh --target tensorrt --require-gpu
# For 16 shards: SHARDS=16 and --array=1-16. On a cluster with GPUs add --gres=gpu:1 (or what its partition asks for).
#SBATCH --job-name=trt-conformance
#SBATCH --array=1-8
#SBATCH --ntasks=1
#SBATCH --time=02:00:00
#SBATCH --signal=B:INT@120
#SBATCH --output=conformance-%A_%a.log
set -eu
: "${RUNS:?set RUNS to a folder that every node can write, such as RUNS=\$PWD/runs/first}"
shards=${SHARDS:-8}       # of the whole run: an array of one task is still one of these
shard=$SLURM_ARRAY_TASK_ID
rm -rf -- "${RUNS:?}/shard-$shard" # a shard that runs again replaces its record
mkdir -p -- "$RUNS/shard-$shard"
# Each task builds into its own cache. The exit code is that of the run: 0, 1 (a difference) or 2 (no result).
exec trt-conformance run --shard "$shard/$shards" --record-root="$RUNS/shard-$shard" \
  --cache-dir="${CACHE:-${TMPDIR:-/tmp}}/trt-conformance-$SLURM_JOB_ID" "$@"
