"""client.py NAME [SOCKET]: prints what the server says."""
import socket
import sys

name, *path = sys.argv[1:]
try:
    if path:
        client = socket.socket(socket.AF_UNIX)
        client.connect(path[0])
    else:
        port = 1 if name == "absent" else int(open(name + ".port").read())
        client = socket.create_connection(("127.0.0.1", port))
except OSError:
    sys.exit(1)
print(client.makefile().read())
