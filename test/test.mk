# Targets beyond PGXS, included by the Makefile at the top.  "test", "demo"
# and "bench" work before there is a PostgreSQL: they install it.  "make bench
# BENCH='--rows 5000'" passes arguments on.

omen_top := $(dir $(lastword $(MAKEFILE_LIST)))..

.PHONY: test reliability demo bench unittest

test:
	@bash $(omen_top)/test/run-all.sh

reliability:
	@bash $(omen_top)/test/reliability/run.sh $(RELIABILITY)

demo:
	@bash $(omen_top)/demo/run.sh

bench:
	@bash $(omen_top)/bench/run.sh $(BENCH)

unittest:
	$(MAKE) -C $(omen_top)/test/unit check
