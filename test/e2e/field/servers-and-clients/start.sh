setsid python3 server.py script >/dev/null 2>&1 &
until [ -e script.ready ]; do sleep 0.02; done
