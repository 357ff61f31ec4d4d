for t in e f d r w x s; do [ -$t "$1" ] && printf %s $t; done; echo " $1"
