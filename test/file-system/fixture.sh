# Makes the tree that every check starts from in the current directory.
set -e
umask 022
echo hello > file
: > empty
i=0; while [ $i -lt 40000 ]; do echo "line $i of a larger file"; i=$((i + 1)); done > big
printf '#!/bin/sh\necho "ran with $1"\n' > executable && chmod 755 executable
echo protected > readonly && chmod 444 readonly
echo private > private && chmod 600 private
echo s > setuid && chmod 4755 setuid
mkdir -p dir/sub emptydir many
echo a > dir/a && echo b > dir/b && echo x > dir/sub/x && echo y > dir/sub/y
ln -s file link && ln -s nowhere dangling && ln -s dir dirlink
ln -s "$(printf '%0250d' 7)" longlink
echo hard > hard1 && ln hard1 hard2
echo same > twin1 && cp twin1 twin2
mkfifo pipe
echo 1 > 'name with space' && echo 2 > 'new
line' && echo 3 > "$(printf '\377\376 bytes')"
i=0; while [ $i -lt 500 ]; do echo $i > many/f$i; i=$((i + 1)); done
find . -exec touch -h -d '2020-02-02 02:02:02.123456789' {} +
