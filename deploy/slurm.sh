#!/usr/bin/env bash
#SBATCH --job-name=daskstem
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --mem=64G
#SBATCH --time=04:00:00

# sbatch deploy/slurm.sh RECIPE STORE [--set STEP.PARAMETER=VALUE]...
#
# A Dask scheduler on the first node, a worker on each, and a run of RECIPE on STORE. STORE lies
# on a file system that all nodes see. Memory: threads of a node times the memory per task that
# 'daskstem plan RECIPE STORE' shows must fit in --mem.
#
# Certificates in PEM format, yours or your computing centre's, on the same file system:
#   DASKSTEM_TLS_CA, DASKSTEM_TLS_CERT, DASKSTEM_TLS_KEY

set -euo pipefail

if (($# < 2)); then
    echo "usage: sbatch deploy/slurm.sh RECIPE STORE [--set STEP.PARAMETER=VALUE]..." >&2
    exit 2
fi
ca=${DASKSTEM_TLS_CA:?path of the certificate authority, .pem}
cert=${DASKSTEM_TLS_CERT:?path of the certificate, .pem}
key=${DASKSTEM_TLS_KEY:?path of its private key, .pem}
host=${DASKSTEM_HOST:-$(hostname)}
port=${DASKSTEM_PORT:-8786}
threads=${SLURM_CPUS_PER_TASK:-1}
tls=(--tls-ca-file "$ca" --tls-cert "$cert" --tls-key "$key")

# What 'daskstem run' shows the scheduler; without encryption nothing is to be said at all.
export DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION=true
export DASK_DISTRIBUTED__COMM__TLS__CA_FILE=$ca
export DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT=$cert
export DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY=$key

# Dask's sampling profiler can lock up Python 3.11 for good (cpython#106883).
export DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED=false

started=()
trap 'kill "${started[@]}" 2>/dev/null || true; wait' EXIT

dask scheduler "${tls[@]}" --protocol tls --host "$host" --port "$port" \
    --dashboard-address 127.0.0.1:0 &
started+=($!)

# Blocks are planned to fit, so workers neither spill nor pause.
srun --overlap dask worker "tls://$host:$port" "${tls[@]}" \
    --nworkers 1 --nthreads "$threads" --memory-limit 0 --no-dashboard --death-timeout 120 &
started+=($!)

for _ in $(seq 120); do
    if (exec 3<>"/dev/tcp/$host/$port") 2>/dev/null; then
        break
    fi
    sleep 1
done

daskstem run "$@" --scheduler "tls://$host:$port"
daskstem report "$2"
