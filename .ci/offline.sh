#!/usr/bin/env bash
# Run a command with the network cut: in a network namespace that has nothing but its loopback.
# Where the system lets nobody make one (macOS, a container, some Linux), say so and run it all
# the same; with OFFLINE=required that is an error.
set -euo pipefail
inside='ip link set lo up 2>/dev/null || ifconfig lo up 2>/dev/null || exit 97; exec "$@"'
for how in "unshare --net" "unshare --net --map-root-user"; do
  if $how sh -c "$inside" sh true 2>/dev/null; then
    exec $how sh -c "$inside" sh "$@"
  fi
done
echo "offline: the network is not cut: this system lets us make no network namespace (unshare --net)" >&2
[ "${OFFLINE:-}" = required ] && exit 1
exec "$@"
