# Of the signals with names; libraries use those above for themselves.
mask=$(sed -n 's/^SigIgn:[[:space:]]*//p' /proc/self/status)
echo "ignored $((0x$mask & 0x7fffffff))"
