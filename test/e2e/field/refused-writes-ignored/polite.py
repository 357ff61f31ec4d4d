import sys

try:
    with open(sys.argv[1], "w") as file:
        file.write("python\n")
except OSError:
    pass
