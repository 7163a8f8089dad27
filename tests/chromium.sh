#!/bin/sh
# The browser walks drive Debian's Chromium: install it where it is missing and we may.
set -e
command -v chromium >/dev/null && exit 0
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null
    exit 0
fi
echo "The browser tests need Chromium: install the package 'chromium', then run 'make test' again." >&2
exit 1
