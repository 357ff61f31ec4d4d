case "${MAKEFLAGS%% *}" in *s*) echo quiet;; *) echo "loud";; esac
case "${MAKEFLAGS%% *}" in *k*) echo keep going;; esac
case "$MAKEFLAGS" in *V=*) echo "variables: ${MAKEFLAGS##* }";; esac
