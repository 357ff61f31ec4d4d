install -m 755 "$1" "$2" && echo "installed $(basename "$1")"
