"""Somebody with a descriptor of a job's folder, who edits it for as long as he lives.

    swap.py FOLDER COUNT

Exchanges each file f0… with the link l0…, and the folder d with the link ld, over and over. Says `ready`.
"""
import ctypes, os, sys

SYS_renameat2 = {"x86_64": 316, "aarch64": 276}[os.uname().machine]
RENAME_EXCHANGE = 2
libc = ctypes.CDLL(None)
folder, count = sys.argv[1], int(sys.argv[2])
at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
pairs = [(b"f%d" % i, b"l%d" % i) for i in range(count)] + [(b"d", b"ld")]
print("ready", flush=True)
while True:
    for file, link in pairs:
        libc.syscall(SYS_renameat2, at, file, at, link, RENAME_EXCHANGE)
