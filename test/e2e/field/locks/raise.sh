n=$(cat "$1")
sleep 0.01
echo $((n + 1)) >"$1"
