#!/usr/bin/env bash
# Fetches what the browser tests need and no one else: Debian's Chromium, and axe-core by its lock file.
set -euo pipefail
cd "$(dirname "$0")"
if ! command -v chromium >/dev/null; then
    apt-get -o Acquire::Retries=3 -q update
    DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=3 -q -y install --no-install-recommends chromium
fi
npm ci --no-audit --no-fund --fetch-retries 3
