#!/usr/bin/env bash
# The browser tests need a system Chromium. In CI, as root on Debian or Ubuntu, install it.
set -euo pipefail
for name in chromium chromium-browser google-chrome; do
  command -v "$name" >/dev/null && exit 0
done
if [ "${CI:-}" = true ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null
else
  echo "constraintlab: no Chromium found, so browser tests will be skipped: install chromium"
fi
