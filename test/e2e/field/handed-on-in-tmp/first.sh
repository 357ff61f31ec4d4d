mkdir -p "$1" && wc -c <in.txt >"$1/count"
