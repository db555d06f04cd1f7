# Targets beyond PGXS: included by the Makefile at the top.

.PHONY: test unittest demo

unittest:
	$(MAKE) -C $(srcdir)/test/unit check

test:
	bash $(srcdir)/test/run-all.sh

demo:
	bash $(srcdir)/demo/run.sh
