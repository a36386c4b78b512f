#!/usr/bin/env bash
# Nodes far from each other: each in a network namespace of its own, with 60 ms of round trip and 0.1 % loss between any
# two. Publishes a file at one, finds and fetches it at another over HOPS relays, and compares with one TCP stream over
# one such line. Needs root; uses `tc netem` where the kernel has it, and bench/links.py with TUN devices where not.
#
#   bench/wan.sh [MiB] [nodes]             default: 64 MiB, 8 nodes
#
# OBORO=path to the program, HOPS=0..3 (default 3), RTT=60 (ms), LOSS=0.1 (%), CC=congestion control of all (default: the kernel's;
# another must be among tcp_allowed_congestion_control),
# RUNS=3 fetches and TCP streams, in turn, KEEP=1 leaves the homes.
set -euo pipefail
cd "$(dirname "$0")/.."
mib=${1:-64} nodes=${2:-8} hops=${HOPS:-3} rtt=${RTT:-60} loss=${LOSS:-0.1} runs=${RUNS:-3}
oboro=${OBORO:-}
if [ -z "$oboro" ]; then
  cargo build --release --locked -p oboro >&2
  oboro=${CARGO_TARGET_DIR:-target}/release/oboro
fi
root=$(mktemp -d)
last=$((nodes - 1))
tag=ob$$
space() { echo "$tag-$1"; }
inside() { local n=$1; shift; ip netns exec "$(space "$n")" "$@"; }
run() { local n=$1; shift; inside "$n" "$oboro" --home "$root/n$n" "$@"; }
address() { echo "10.77.0.$(($1 + 1))"; }
finish() {
  for n in $(seq 0 "$last"); do run "$n" stop >/dev/null 2>&1 || true; done
  for pid in $(jobs -p); do kill "$pid" 2>/dev/null || true; done
  for n in $(seq 0 "$last"); do ip netns del "$(space "$n")" 2>/dev/null || true; done
  ip netns del "$tag-switch" 2>/dev/null || true
  [ -n "${KEEP:-}" ] && echo "homes kept in $root" >&2 || rm -rf "$root"
}
trap finish EXIT
now() { date +%s.%N; }

half=$(awk "BEGIN{print $rtt / 2}")
ip netns add "$tag-switch"
if ip netns exec "$tag-switch" tc qdisc add dev lo root netem delay 1ms 2>/dev/null; then kind=netem; else kind=tun; fi
echo "lines: $rtt ms round trip, $loss % loss, by $kind; ${CC:-$(sysctl -n net.ipv4.tcp_congestion_control)}" >&2
lines=()
for n in $(seq 0 "$last"); do
  ip netns add "$(space "$n")"
  inside "$n" ip link set lo up
  [ -z "${CC:-}" ] || inside "$n" sysctl -qw net.ipv4.tcp_congestion_control="$CC"
  if [ "$kind" = netem ]; then
    ip link add "$tag-v$n" netns "$tag-switch" type veth peer name line netns "$(space "$n")"
    inside "$n" tc qdisc add dev line root netem delay "${half}ms" loss "$loss%" limit 100000
  else
    inside "$n" ip tuntap add line mode tun
    inside "$n" ip link set line txqueuelen 10000
    lines+=("$(space "$n")=line=$(address "$n")")
  fi
  inside "$n" ip addr add "$(address "$n")/24" dev line
  inside "$n" ip link set line up
done
if [ "$kind" = netem ]; then
  ip netns exec "$tag-switch" ip link add bridge type bridge
  ip netns exec "$tag-switch" ip link set bridge up
  for n in $(seq 0 "$last"); do
    ip netns exec "$tag-switch" ip link set "$tag-v$n" master bridge up
  done
else
  python3 bench/links.py "$half" "$(awk "BEGIN{print $loss / 100}")" "${lines[@]}" >"$root/lines" &
  for _ in $(seq 50); do grep -q ready "$root/lines" && break; sleep 0.1; done
fi

"$oboro" network new far --local --hops "$hops" -o "$root/network" >/dev/null
for n in $(seq 0 "$last"); do
  run "$n" init --network "$root/network" --listen "$(address "$n"):4000" >/dev/null
  inside "$n" "$oboro" --home "$root/n$n" run >"$root/n$n.log" 2>&1 &
  for _ in $(seq 100); do run "$n" status >/dev/null 2>&1 && break; sleep 0.1; done
  [ "$n" = 0 ] || run 0 invite 2>/dev/null | run "$n" join - >/dev/null 2>&1
done
for _ in $(seq 300); do
  views=$(for n in $(seq 0 "$last"); do run "$n" --json status | grep -o '"view":[0-9]*'; done | sort -u)
  [ "$views" = "\"view\":$last" ] && break
  sleep 0.2
done
sleep 3

inside 1 python3 bench/stream.py serve 5000 "$mib" &
head -c "$((mib * 1024 * 1024))" /dev/urandom >"$root/a far delivery.bin"
begun=$(now)
run 0 publish "$root/a far delivery.bin" >/dev/null 2>"$root/publish.err" || { cat "$root/publish.err" >&2; exit 1; }
awk -v t="$(awk "BEGIN{print $(now) - $begun}")" -v m="$mib" 'BEGIN{printf "publish  %6.1f s  %6.2f MiB/s\n", t, m / t}'

for i in $(seq "$runs"); do
  begun=$(now)
  # The first line of an answer is a result; the search itself goes on to its end.
  run "$last" search far delivery >"$root/found" 2>"$root/search.err"
  awk -v t="$(awk "BEGIN{print $(now) - $begun}")" -v r="$rtt" -v h="$hops" \
    'BEGIN{printf "search   %6.2f s  (a round trip of the path: %.2f s)\n", t, r * (h + 1) / 1000}'
  tcp=$(inside "$last" python3 bench/stream.py take "$(address 1)" 5000)
  begun=$(now)
  run "$last" fetch 1 -o "$root/copy$i" >/dev/null 2>"$root/fetch.err" || { cat "$root/fetch.err" >&2; exit 1; }
  took=$(awk "BEGIN{print $(now) - $begun}")
  cmp "$root/a far delivery.bin" "$root/copy$i"
  awk -v t="$took" -v m="$mib" -v tcp="$tcp" \
    'BEGIN{printf "fetch    %6.1f s  %6.2f MiB/s   one TCP stream %6.2f MiB/s   ratio %.2f\n", t, m / t, tcp, m / t / tcp}'
done
tail -1 "$root/fetch.err"
