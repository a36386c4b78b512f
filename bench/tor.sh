#!/usr/bin/env bash
# A fetch over three relays beside a download over three Tor relays, in one run on one machine, in turn.
#
#   bench/tor.sh PATH_TO_TOR_SCRIPT [MiB]      default: 256 MiB
#
# The script must set up a private Tor network on loopback and print lines that begin with `exit3` and say MiB/s and CPU
# seconds per GiB over all its processes. Ours is bench/loopback.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
script=$1 mib=${2:-256}
for round in 1 2; do
  echo "round $round"
  bench/loopback.sh "$mib" 8 2>/dev/null | grep -E '^(publish|fetch)'
  bash "$script" 1 "$mib" 2>/dev/null | grep -E '^exit3'
done
