# omenvec: PostgreSQL extension, built by PGXS.
#
#   make && make install      build and install for the server of PG_CONFIG
#   make installcheck         regression tests against a running server
#   make test                 every test, on throw-away clusters
#   make demo                 60,000 real images, indexed and searched

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

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

HEADERS_ALL = $(wildcard $(srcdir)/src/*.h $(srcdir)/src/*/*.h)
$(OBJS): $(HEADERS_ALL)

include $(srcdir)/test/test.mk
