out/inner: text/one.txt text/two.txt
	echo inner: $?
	cat $^ >$@
