#!/bin/sh
./shout | grep -i hello
