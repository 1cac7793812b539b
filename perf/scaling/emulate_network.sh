#!/usr/bin/env bash
# Runs an MPI program with every rank on a host of its own, on a network whose links have a chosen rate.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: perf/scaling/emulate_network.sh [--ranks N] [--rate RATE] COMMAND...

Starts COMMAND on N ranks (default 2), each in a network namespace with its own host name, which a
virtual link joins to a switch; whatever a rank sends or receives passes through its link at RATE (as
tc writes it: 100mbit, 1gbit, ...; default 1gbit) in each direction. Messages are TCP's own, between
sockets, with acknowledgements, windows and the kernel's work; nothing passes through shared memory.
What COMMAND prints comes through; the last line on standard error says what the links carried:

  emulate_network.sh: {"rate": "1gbit", "sent": [bytes of rank 0, ...], "received": [...]}

Needs root, iproute2 and Open MPI 4. Sums over ranks go around a ring, unless
OMPI_MCA_coll_libnbc_iallreduce_algorithm says otherwise; by itself Open MPI would send whole messages
log2 N times there and back. All is removed at the end, however that comes.
TEXT
}

ranks=2
rate=1gbit
while [ $# -gt 0 ]; do
  case $1 in
    --ranks) ranks=${2:?--ranks needs a number}; shift 2 ;;
    --rate) rate=${2:?--rate needs a rate}; shift 2 ;;
    --help) usage; exit 0 ;;
    -*) echo "emulate_network.sh: unknown option '$1' (see --help)" >&2; exit 2 ;;
    *) break ;;
  esac
done
[ $# -gt 0 ] || { usage >&2; exit 2; }
[ "$(id -u)" -eq 0 ] || { echo "emulate_network.sh: needs root" >&2; exit 2; }

name=sward-$$
folder=$(mktemp -d)
subnet=10.213.77

clean_up() {
  local status=$? rank
  trap '' INT TERM
  # Removing a namespace leaves its processes alone; after an interrupted run there may be some.
  for space in "$name-switch" $(seq -f "$name-%.0f" 0 $((ranks - 1))); do
    { ip netns pids "$space" | xargs -r kill -KILL; ip netns delete "$space"; } 2> /dev/null || true
  done
  rm -rf "$folder"
  exit $status
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# A queue of 20 ms, and bursts of a millisecond, which timers of the kernel can still keep to. The bucket must hold the
# largest packet that the sockets hand over at once.
limit() { # namespace, interface
  local bits burst
  ip netns exec "$1" tc qdisc add dev "$2" root tbf rate "$rate" burst 128k latency 20ms
  bits=$(ip netns exec "$1" tc -j qdisc show dev "$2" | sed -n 's/.*"rate":\([0-9]*\).*/\1/p')
  burst=$((bits / 1000))
  if [ "$burst" -gt 131072 ]; then
    ip netns exec "$1" tc qdisc replace dev "$2" root tbf rate "$rate" burst "$burst" latency 20ms
  fi
}

make_switch() {
  ip netns add "$name-switch"
  ip -n "$name-switch" link set lo up
  ip -n "$name-switch" link add switch type bridge
  ip -n "$name-switch" address add "$subnet.254/24" dev switch
  ip -n "$name-switch" link set switch up
}

make_host() { # rank
  local space=$name-$1
  ip netns add "$space"
  ip -n "$space" link set lo up
  ip -n "$name-switch" link add "port$1" type veth peer name eth0 netns "$space"
  ip -n "$name-switch" link set "port$1" master switch up
  ip -n "$space" address add "$subnet.$(($1 + 1))/24" dev eth0
  ip -n "$space" link set eth0 up
  limit "$space" eth0                 # what the rank sends
  limit "$name-switch" "port$1"       # what it receives
  echo "$subnet.$(($1 + 1)) slots=1" >> "$folder/hosts"
}

# Open MPI calls this in place of ssh: host, and a command line for its shell.
write_agent() {
  cat > "$folder/agent" <<AGENT
#!/usr/bin/env bash
rank=\$((\${1##*.} - 1))
shift
export name=$name-\$rank command="\$*"
exec ip netns exec \$name unshare --uts bash -c 'hostname "\$name"; eval "exec \$command"'
AGENT
  chmod +x "$folder/agent"
}

counters() { # tx or rx
  local rank list=""
  for rank in $(seq 0 $((ranks - 1))); do
    list+=", $(ip netns exec "$name-$rank" cat "/sys/class/net/eth0/statistics/$1_bytes")"
  done
  echo "[${list:2}]"
}

export OMPI_MCA_coll_libnbc_iallreduce_algorithm=${OMPI_MCA_coll_libnbc_iallreduce_algorithm:-1}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} OMP_PROC_BIND=${OMP_PROC_BIND:-false}
make_switch
for rank in $(seq 0 $((ranks - 1))); do make_host "$rank"; done
write_agent
status=0
ip netns exec "$name-switch" mpirun -n "$ranks" --hostfile "$folder/hosts" --bind-to none \
  --mca plm_rsh_agent "$folder/agent" --mca plm_rsh_no_tree_spawn 1 --mca oob_tcp_if_include "$subnet.0/24" \
  --mca pml ob1 --mca btl tcp,self --mca btl_tcp_if_include "$subnet.0/24" \
  -x OMP_NUM_THREADS -x OMP_PROC_BIND "$@" &
wait $! || status=$? # in the background, so that a signal is seen at once
echo "emulate_network.sh: {\"rate\": \"$rate\", \"sent\": $(counters tx), \"received\": $(counters rx)}" >&2
exit $status
