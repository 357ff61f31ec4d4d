printf "%s|" "$@"; echo
