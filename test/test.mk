# Targets beyond PGXS, included by the Makefile at the top.  "test" and "demo"
# work before there is a PostgreSQL: they install it.

omen_top := $(dir $(lastword $(MAKEFILE_LIST)))..

.PHONY: test demo unittest

test:
	@bash $(omen_top)/test/run-all.sh

demo:
	@bash $(omen_top)/demo/run.sh

unittest:
	$(MAKE) -C $(omen_top)/test/unit check
