#!/bin/bash
# A job that says why it was killed: each step is observed from inside, and after its end the job asks who did it.
#SBATCH --job-name=memoom
#SBATCH --mem=2G
#SBATCH --output=memoom-%j.out
set -u
program=("${@:-hostname}")
# Each death below it, explained while it happens: by the counters of the job's own groups, and with the kernel log where
# the node lets users read it (kernel.dmesg_restrict=0).
srun memoom observe -- "${program[@]}"
status=$?
# A step that was killed whole leaves nobody to tell: what is still there does.
if [ "$status" -eq 137 ]; then
    memoom why --slurm "$SLURM_JOB_ID"
fi
exit "$status"
