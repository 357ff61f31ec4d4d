tool=make
exec env $tool -s -f inner.mk
