for f in "$@"; do if [ -e "$f" ]; then echo "found"; else echo "none"; fi; done
