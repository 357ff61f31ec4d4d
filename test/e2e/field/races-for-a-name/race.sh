kind=${1%-*}
sleep 0.1
case $kind in
  mkdir) mkdir "won-$kind" ;;
  symlink) ln -s x "won-$kind" ;;
  noclobber) (set -C && : >"won-$kind") ;;
esac 2>/dev/null && { sleep 0.3; echo first; } || echo second
