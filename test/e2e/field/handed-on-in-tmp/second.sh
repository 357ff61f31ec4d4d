cat "$1/count"; rm -r "$1"
