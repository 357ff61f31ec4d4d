grep SigIgn /proc/self/status | cut -c1-30
