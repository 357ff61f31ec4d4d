tool=make; $tool -f inner.mk
