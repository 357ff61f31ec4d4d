for l in n s c f; do echo "$l $(ulimit -S -$l) $(ulimit -H -$l)"; done
