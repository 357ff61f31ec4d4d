#!/bin/bash
# Builds the drivers that this Debian has too old a version of, for the tests: DIR/make-4.4/make is GNU make 4.4.1, whose
# job server is a named pipe, and DIR/ninja-1.13/ninja a ninja ≥ 1.13; each alone in a folder that can be put into PATH.
# Their sources come from newer Debian releases. What is there stays.
#
#   scripts/fetch-tools.sh [DIR]      # default: where test/rigs/tools.ts looks
set -euo pipefail

dir=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/termite-test-tools}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
sources=$dir/.sources
trap 'rm -rf "$sources"' EXIT

if [ ! -x "$dir/make-4.4/make" ]; then
  source=$("$here/debian-source.sh" "$sources" trixie make-dfsg)
  (
    cd "$source"
    # Debian takes the manual out, because of its licence, but not the mention of it.
    mkdir -p doc && touch doc/Makefile.in
    ./configure --without-guile --disable-nls && sh build.sh
  ) >&2
  install -D "$source/make" "$dir/make-4.4/make"
fi
if [ ! -x "$dir/ninja-1.13/ninja" ]; then
  source=$("$here/debian-source.sh" "$sources" forky ninja-build)
  (cd "$source" && python3 configure.py --bootstrap) >&2
  install -D "$source/ninja" "$dir/ninja-1.13/ninja"
fi
"$dir/make-4.4/make" --version | head -n 1
echo "ninja $("$dir/ninja-1.13/ninja" --version)"
