set -C
until (: >once.lock) 2>/dev/null; do sleep 0.01; done
set +C
sh raise.sh count.noclobber
rm once.lock
