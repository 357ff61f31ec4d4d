for file in "$@"; do
  [ "$(du -k "$file" | cut -f1)" -lt 100000 ] && kind=sparse || kind=full
  echo "$file $(stat -c %s "$file" | sed 's/^.\{1,5\}$/small/') $kind"
done
