#!/bin/sh
./shout >/dev/null
