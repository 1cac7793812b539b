#!/usr/bin/env bash
set -uo pipefail

usage() {
  cat <<'TEXT'
Usage: tests/slurm/with_one_node_slurm.sh COMMAND [ARGUMENT]...

Starts a Slurm of one node on this machine, runs the command with $SLURM_CONF naming it, and ends
it again with every job that is left. Nothing is kept, and a Slurm of the machine's own is not
touched. A bash as COMMAND makes it a place to try batch scripts in:

  tests/slurm/with_one_node_slurm.sh bash

The exit status is the command's, 124 where it took longer than five minutes, or 77, after a line
that says why, where there is no Slurm to be had: it takes root and Debian's packages slurm-wlm and
munge (cmake/bootstrap.sh --slurm).
TEXT
}

case ${1:-} in
  --help) usage; exit 0 ;;
  "") usage >&2; exit 2 ;;
esac

skip() {
  echo "skipped: $1"
  exit 77
}

PATH=$PATH:/usr/sbin:/sbin
[ "$(id -u)" -eq 0 ] || skip "only root can start Slurm's daemons"
for program in munged slurmctld slurmd sbatch srun; do
  command -v $program > /dev/null || skip "$program is not installed (cmake/bootstrap.sh --slurm)"
done

folder=$(mktemp -d)
chmod 755 "$folder" # munged wants its socket where everybody can reach it
export SLURM_CONF=$folder/slurm.conf

start() { # name, command...
  local name=$1
  shift
  "$@" > "$folder/$name.out" 2>&1 &
  disown
}

# Daemons and jobs, which outlive their daemons, are known by the configuration that they were started with.
processes() {
  grep -lsz "^SLURM_CONF=$SLURM_CONF\$" /proc/[0-9]*/environ | cut -d / -f 3
}

# shellcheck disable=SC2317  # called by trap
stop() {
  trap '' INT TERM
  export -n SLURM_CONF # or this script's own children would be found too
  local found tries
  for ((tries = 0; tries < 50; ++tries)); do
    found=$(processes)
    [ -n "$found" ] || break
    # shellcheck disable=SC2086
    kill -KILL $found 2> /dev/null
    sleep 0.1
  done
  rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' INT TERM

free_port() {
  local port
  while port=$((20000 + RANDOM % 10000)) && (: < "/dev/tcp/127.0.0.1/$port") 2> /dev/null; do :; done
  echo "$port"
}

write_configuration() {
  local host
  host=$(uname -n)
  host=${host%%.*}
  mkdir "$folder/state" "$folder/spool" "$folder/tmp"
  # More ranks than cores are allowed. A requeued job waits for cred_expire seconds, and a few are
  # refused. PMIx names files in TmpFS after the job alone, so two Slurms must not share it; Open MPI
  # does the same in /dev/shm, which they do share, so they must not give a job the same number.
  cat > "$SLURM_CONF" <<TEXT
ClusterName=sward
FirstJobId=$((100 * ($$ % 600000) + 1))
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
AuthInfo=socket=$folder/munge.socket,cred_expire=15
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
TmpFS=$folder/tmp
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=100000
MpiDefault=pmix
KillWait=5
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=4
PartitionName=all Nodes=ALL Default=YES
TEXT
}

node_is_idle() { [ "$(sinfo --noheader --format=%t 2> /dev/null)" = idle ]; }

wait_for() { # condition...
  local deadline=$((SECONDS + 20))
  until "$@"; do
    if [ $SECONDS -ge $deadline ]; then
      tail -n 5 "$folder"/*.out
      skip "Slurm does not start here, see above"
    fi
    sleep 0.1
  done
}

start_slurm() {
  write_configuration
  (umask 077 && head -c 1024 /dev/urandom > "$folder/munge.key")
  start munged munged --foreground --key-file="$folder/munge.key" --socket="$folder/munge.socket" \
    --pid-file="$folder/munged.pid" --seed-file="$folder/munged.seed" --log-file="$folder/munged.log"
  wait_for test -S "$folder/munge.socket"
  start slurmctld slurmctld -D
  start slurmd slurmd -D
  wait_for node_is_idle
}

start_slurm
timeout --foreground 300 "$@"
