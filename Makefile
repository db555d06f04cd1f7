# omenvec: PostgreSQL extension, built by PGXS.
#
#   make && make install      build and install for the server of PG_CONFIG
#   make installcheck         regression tests against a running server
#   make test                 every test, on throw-away clusters
#   make reliability          crashes, damage and worse, for an hour or more
#   make demo                 60,000 real images, indexed and searched
#   make bench                figures, beside pgvector's where it is installed

EXTENSION = omenvec
MODULE_big = omenvec
DATA = $(wildcard sql/omenvec--*.sql)

OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c src/*/*.c)))

REGRESS_OPTS = --inputdir=. --load-extension=omenvec
REGRESS = $(patsubst sql/%.sql,%,$(filter-out sql/omenvec--%,$(sort $(wildcard sql/*.sql))))

# Kernels must give the same bits on every instruction set, so the compiler
# may not fuse a multiplication and an addition that the source keeps apart.
PG_CFLAGS = -std=gnu99 -O3 -ffp-contract=off -Wall -Wextra \
	-Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers \
	$(OMEN_CFLAGS)
PG_CPPFLAGS = -I$(srcdir)/src

# Not a dependency of everything: only version.c shows the commit.
EXTRA_CLEAN = src/omenversion.h
OMEN_GIT := $(shell git describe --always --dirty --exclude='*' 2>/dev/null)

PG_CONFIG ?= pg_config
# Without a server's headers there is no PGXS yet, but "make test" and "make
# demo" have to run, since they install it.
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
-include $(PGXS)

HEADERS_ALL = $(filter-out %/omenversion.h, \
	$(wildcard $(srcdir)/src/*.h $(srcdir)/src/*/*.h))
$(OBJS): $(HEADERS_ALL)

# Written again only when its text changes.
src/types/version.o src/types/version.bc: src/omenversion.h
src/omenversion.h: FORCE
	@printf '#define OMENVEC_VERSION "%s"\n#define OMENVEC_GIT "%s"\n' \
		"$$(sed -n "s/^default_version = '\(.*\)'/\1/p" omenvec.control)" \
		"$(or $(OMEN_GIT),unknown)" >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@
.PHONY: FORCE

include test/test.mk
