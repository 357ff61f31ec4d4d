if [ ! -e "$2" ] || [ "$1" -nt "$2" ]; then
  echo "render $1"
  sed 's/^/<p>/' "$1" >"$2"
fi
