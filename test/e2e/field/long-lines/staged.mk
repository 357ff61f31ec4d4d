# A second shell: Termite's own cannot stand for both by SHELL.
all: words other shown
words:
	@./count.sh $(wildcard a-*/a-*/a-*/a-*/*.txt)
	@$(MAKE) -s -C sub
other: SHELL = /bin/bash
other:
	@echo $${BASH_VERSION:+bash}
shown:
	$(info preloaded: $(LD_PRELOAD) $(shell printenv LD_PRELOAD))
	@printenv LD_PRELOAD || echo nothing; sh -c 'printenv LD_PRELOAD' || echo nothing
.PHONY: all words other shown
