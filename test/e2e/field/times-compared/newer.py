import os
import sys

names = sys.argv[1:]
for source, made in zip(names[::2], names[1::2]):
    if os.path.getmtime(source) > os.path.getmtime(made):
        print("python: newer", source)
