#!/bin/bash
# Runs GNU make 4.4.1's own test suite (about 1400 tests) twice: with a stand-in for /bin/sh that only passes on, and with
# Termite's shell. Tests that only Termite fails have to be those of bench/make-tests.expected.
#
#   bench/make-tests.sh DIR      # sources and the make that is built stay there; takes a few minutes
#
# The suite cleans its environment and overrides variables, so the stand-in is compiled into make.
set -euo pipefail

dir=${1:?usage: bench/make-tests.sh DIR}
here=$(cd "$(dirname "$0")" && pwd)
termite=$here/../dist/wrapper/main.js
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
source=$dir/make-dfsg-4.4.1
stand_in=$source/stand-in/sh

build() {
  "$here/../scripts/debian-source.sh" "$dir" trixie make-dfsg
  cd "$source"
  mkdir -p doc bin stand-in
  # Debian takes the manual out, because of its licence, but not the mention of it.
  touch doc/Makefile.in
  # What is not the default shell is started for each line, with make's own tests for its name.
  sed -i "s|^  argv = construct_command_argv_internal (line, restp, shell, shellflags, ifs,|  if (streq (shell, default_shell))\n    shell = xstrdup (\"$stand_in\");\n&|" src/job.c
  grep -q "$stand_in" src/job.c
  ./configure --without-guile --disable-nls && sh build.sh
  mv make bin/make
}

# run NAME COMMAND…: the suite; its failures go to DIR/NAME.failed, one a line, as in "features/errors.3".
run() {
  local name=$1
  shift
  rm -rf "$source/tests/work"
  (cd "$source/tests" && "$@") > "$dir/$name.log" 2>&1
  (cd "$source/tests/work" && find . -name '*.diff*') | sed -E 's|^\./||; s|\.diff$|.0|; s|\.diff\.|.|' | sort > "$dir/$name.failed"
  echo "$name: $(wc -l < "$dir/$name.failed") failed, $(grep -cE ' ok  ' "$dir/$name.log") scripts without any"
}

write_stand_in() {
  cat > "$stand_in"
  chmod +x "$stand_in"
}

[ -x "$source/bin/make" ] || build > "$dir/build.log" 2>&1
suite=(perl run_make_tests.pl -make "$source/bin/make")

write_stand_in <<< $'#!/bin/sh\nexec /bin/sh "$@"'
run passed-on "${suite[@]}" || true

# What waits for another command's files, or signals make, is run here, as its user would say; what prints make's own
# variables is run each time.
cat > "$source/.termite-localrc" << 'RULES'
[
  { "Regexp": "run_make_tests|PPID|thelp\\.pl.* (wait|sleep|term) ", "Local": true, "Recurse": true },
  { "Regexp": "^echo .*MAKEFLAGS", "Cache": false }
]
RULES
cat > "$source/suite.mk" << MAKEFILE
all:
	+@printf '%s\n' '#!/bin/sh' '[ -S "\$(TERMITE_SOCKET)" ] || exec /bin/sh "\$\$@"' \\
	  'export TERMITE_SOCKET="\$(TERMITE_SOCKET)" TERMITE_SESSION="\$(TERMITE_SESSION)" TERMITE_SHELL=/bin/sh' \\
	  'exec "$here/../native/build/libexec/sh" "\$\$@"' > "$stand_in"
	+@env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS ${suite[*]} || true
MAKEFILE
rm -rf "$dir/cache"
export XDG_CACHE_HOME=$dir/cache
run termite node "$termite" make --root "$source" -f "$source/suite.mk"
grep '^termite: [0-9]* commands' "$dir/termite.log"

comm -13 "$dir/passed-on.failed" "$dir/termite.failed" > "$dir/only-termite.failed"
grep -v '^#' "$here/make-tests.expected" | cut -d ' ' -f 1 | sort | comm -13 - "$dir/only-termite.failed" > "$dir/unexpected.failed"
if [ -s "$dir/unexpected.failed" ]; then
  echo "Only with Termite, and not expected (see $source/tests/work/NAME.diff.N):"
  cat "$dir/unexpected.failed"
  exit 1
fi
echo "No unexpected failures; expected ones: $(tr '\n' ' ' < "$dir/only-termite.failed")"
