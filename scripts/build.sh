#!/bin/sh
# Builds the C programs and the TypeScript: what `npm run build` and, after an install, npm's `prepare` do.
set -eu
cd "$(dirname "$0")/.."

fail() {
  echo "termite: cannot build: $1" >&2
  exit 1
}

node -e 'const [a, b, c] = process.versions.node.split(".").map(Number);
         process.exit(a > 20 || (a === 20 && (b > 18 || (b === 18 && c >= 1))) ? 0 : 1)' ||
  fail "Node.js 20.18.1 or newer is needed: this is $(node --version) (newer ones: https://nodejs.org/en/download)"
command -v make >/dev/null || fail 'make is missing: apt-get install make'
command -v cc >/dev/null || fail 'a C compiler is missing: apt-get install gcc libc6-dev'
printf '#include <stdio.h>\n#include <linux/fuse.h>\nint main(void) { return puts(""); }\n' |
  cc -static -x c - -o /dev/null 2>/dev/null ||
  fail 'the C library and the kernel headers for developers are missing: apt-get install libc6-dev'

# `npm install -g .` links this folder and runs `prepare`, but installs nothing of what the folder depends on.
# Its own settings (global, prefix, omitted dependencies) reach us in the environment and are not meant for this.
if [ ! -x node_modules/.bin/tsc ]; then
  npm ci --no-global --location=project --include=dev --ignore-scripts --no-audit --no-fund --loglevel=error
fi

make -s -C native
node_modules/.bin/tsc
chmod +x dist/wrapper/main.js
