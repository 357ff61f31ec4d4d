import fcntl
import sys
import time

with open(sys.argv[1], "r+") as file:
    fcntl.lockf(file, fcntl.LOCK_EX)
    count = int(file.read())
    time.sleep(0.01)
    file.seek(0)
    file.write("%d\n" % (count + 1))
