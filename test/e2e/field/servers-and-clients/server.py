"""server.py NAME [SOCKET]: answers one client and ends; also when none comes."""
import os
import socket
import sys

name, *path = sys.argv[1:]
if path:
    if os.path.exists(path[0]):
        os.remove(path[0])
    server = socket.socket(socket.AF_UNIX)
    server.bind(path[0])
else:
    server = socket.create_server(("127.0.0.1", 0))
    with open(name + ".port", "w") as file:
        file.write(str(server.getsockname()[1]))
server.settimeout(30)
server.listen()
open(name + ".ready", "w").close()
try:
    client, _ = server.accept()
    client.sendall(("hello from " + name).encode())
finally:
    os.remove(name + ".ready")
    if path:
        os.remove(path[0])
