#!/bin/bash
# A sweep as an array of jobs: each task takes the shard of its number. A task that was requeued goes on where it was.
#
#   TRIALS=trials.toml RESULTS=results sbatch slurm-array.sh
#
#SBATCH --job-name=memoom-sweep
#SBATCH --array=0-7
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=2
#SBATCH --mem=2G
#SBATCH --time=01:00:00
#SBATCH --requeue
set -euo pipefail
results=${RESULTS:-results}
mkdir -p "$results"
exec memoom sweep "${TRIALS:-trials.toml}" \
    --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" \
    --jobs "${SLURM_CPUS_PER_TASK:-1}" \
    --output "$results/$SLURM_ARRAY_TASK_ID.jsonl"
