all: ok
	echo inner $(V)
ok:
	-@false
