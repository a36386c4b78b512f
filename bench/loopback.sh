#!/usr/bin/env bash
# Eight real nodes on this machine, each a process with a home of its own: one publishes a file, another finds it by two
# of its words and fetches it. Prints MiB/s, CPU seconds per GiB over all processes, and the peak memory of each.
#
#   bench/loopback.sh [MiB] [nodes]        default: 256 MiB, 8 nodes
#
# OBORO=path to the program (default: built with --release), HOPS=0..3 relays between who asks and who stores (default
# 3), KEEP=1 leaves the homes, RESUME=1 kills the fetching node in the middle and looks at how much is fetched again,
# KILL=1 kills two storing nodes after publishing.
set -euo pipefail
cd "$(dirname "$0")/.."
mib=${1:-256} nodes=${2:-8} hops=${HOPS:-3}
oboro=${OBORO:-}
if [ -z "$oboro" ]; then
  cargo build --release --locked -p oboro >&2
  oboro=${CARGO_TARGET_DIR:-target}/release/oboro
fi
root=$(mktemp -d)
last=$((nodes - 1))
run() { local n=$1; shift; "$oboro" --home "$root/n$n" "$@"; }
pid_of() { cat "$root/n$1.pid"; }
finish() {
  for n in $(seq 0 "$last"); do run "$n" stop >/dev/null 2>&1 || true; done
  [ -n "${KEEP:-}" ] && echo "homes kept in $root" >&2 || rm -rf "$root"
}
trap finish EXIT

ticks() { # CPU ticks of all nodes so far; a node that was killed is not counted
  local sum=0 n
  for n in $(seq 0 "$last"); do
    if [ -r "/proc/$(pid_of "$n")/stat" ]; then
      sum=$((sum + $(awk '{print $14 + $15}' "/proc/$(pid_of "$n")/stat")))
    fi
  done
  echo "$sum"
}
now() { date +%s.%N; }
report() { # name start end ticks-before ticks-after MiB
  awk -v name="$1" -v hops="$hops" -v t="$(awk "BEGIN{print $3 - $2}")" -v c="$(($5 - $4))" -v m="$6" -v hz="$(getconf CLK_TCK)" \
    'BEGIN{printf "%-8s %d hops  %7.2f s  %7.1f MiB/s  %6.2f CPU-s/GiB over all processes\n", name, hops, t, m / t, c / hz / (m / 1024)}'
}

id_of() { # node: its node id; a status is one line of JSON
  run "$1" --json status | sed -n 's/.*"node_id":"\([0-9a-f]*\)".*/\1/p'
}
guard_of() { # node: the node id of its guard, nothing without one
  run "$1" --json status | sed -n 's/.*"guard":{[^}]*"node":"\([0-9a-f]*\)".*/\1/p'
}

"$oboro" network new bench --local --hops "$hops" -o "$root/network" >/dev/null
for n in $(seq 0 "$last"); do
  run "$n" init --network "$root/network" --listen 127.0.0.1:0 >/dev/null
  "$oboro" --home "$root/n$n" run >"$root/n$n.log" 2>&1 &
  echo $! >"$root/n$n.pid"
  for _ in $(seq 100); do run "$n" status >/dev/null 2>&1 && break; sleep 0.1; done
  [ "$n" = 0 ] || run 0 invite 2>/dev/null | run "$n" join - >/dev/null 2>&1
done
for _ in $(seq 300); do
  views=$(for n in $(seq 0 "$last"); do run "$n" --json status | grep -o '"view":[0-9]*'; done | sort -u)
  [ "$views" = "\"view\":$last" ] && break
  sleep 0.1
done
[ "$views" = "\"view\":$last" ] || { echo "the nodes did not find each other: $views" >&2; exit 1; }

file="$root/Measured delivery of a large file 東京都庁の資料.bin"
head -c "$((mib * 1024 * 1024))" /dev/urandom >"$file"

t0=$(now) c0=$(ticks)
run 0 publish "$file" >"$root/urn" 2>/dev/null
t1=$(now) c1=$(ticks)
report publish "$t0" "$t1" "$c0" "$c1" "$mib"

if [ -n "${KILL:-}" ]; then
  # A guard is kept on purpose: a node that took another as soon as its own is silent could be driven from guard to
  # guard by whoever can silence them, until it takes his. So a fetcher whose guard is killed waits for it, and what is
  # looked at here are storers that are gone, not that wait. A first search has the fetcher choose its guard.
  run "$last" search measured delivery >/dev/null 2>&1 || true
  guard=$(guard_of "$last") killed=()
  for n in $(seq 1 $((last - 1))); do
    [ "${#killed[@]}" -lt 2 ] || break
    [ "$(id_of "$n")" != "$guard" ] || continue
    kill -9 "$(pid_of "$n")"
    killed+=("$n")
  done
  echo "killed nodes ${killed[*]}"
fi
run "$last" search measured delivery >"$root/hits" 2>/dev/null
run "$last" search 東京都 >/dev/null 2>&1
code=0; run "$last" search unpublished >/dev/null 2>&1 || code=$?
[ "$code" = 4 ] || { echo "a word that was not published: exit $code, not 4" >&2; exit 1; }
run "$last" search measured delivery >/dev/null 2>&1

t0=$(now) c0=$(ticks)
if [ -n "${RESUME:-}" ]; then
  run "$last" fetch 1 -o "$root/fetched" >/dev/null 2>&1 &
  until [ "$(run "$last" --json jobs | grep -o '"done_bytes":[0-9]*' | tail -1 | cut -d: -f2)" -gt "$((mib * 1024 * 512))" ] 2>/dev/null; do sleep 0.02; done
  before=$(run "$last" --json jobs | grep -o '"done_bytes":[0-9]*' | tail -1 | cut -d: -f2)
  kill -9 "$(pid_of "$last")"
  wait %% 2>/dev/null || true
  "$oboro" --home "$root/n$last" run >>"$root/n$last.log" 2>&1 &
  echo $! >"$root/n$last.pid"
  for _ in $(seq 100); do run "$last" status >/dev/null 2>&1 && break; sleep 0.1; done
  until [ -e "$root/fetched" ]; do sleep 0.05; done
  again=$(run "$last" --json jobs | grep -o '"fetched_bytes":[0-9]*' | tail -1 | cut -d: -f2)
  awk -v b="$before" -v a="$again" -v m="$mib" 'BEGIN{t = m * 1048576; printf "killed at %.1f MiB, %.1f MiB fetched after the restart: %.1f %% of the file fetched twice\n", b / 1048576, a / 1048576, 100 * (a + b - t) / t}'
else
  run "$last" fetch 1 -o "$root/fetched" >"$root/fetch.log" 2>&1 || { cat "$root/fetch.log" >&2; exit 1; }
  t1=$(now) c1=$(ticks)
  report fetch "$t0" "$t1" "$c0" "$c1" "$mib"
fi
cmp "$file" "$root/fetched" && echo "byte-identical"
for n in $(seq 0 "$last"); do
  [ -r "/proc/$(pid_of "$n")/status" ] && awk -v n="$n" '/VmHWM/{printf "node %d: peak memory %.0f MiB\n", n, $2 / 1024}' "/proc/$(pid_of "$n")/status"
done
true
