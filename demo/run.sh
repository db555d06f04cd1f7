#!/usr/bin/env bash
#
# run.sh: 60,000 real images, indexed and searched ("make demo").
#
# Installs what is missing by apt, builds the extension from a copy of the
# sources, installs it into a private copy of the server, starts a throw-away
# cluster there and hands over to demo.py.  What remains is the report.

set -euo pipefail
# shellcheck source=test/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../test/lib.sh"

# The system's Python, for it is the one that Debian's packages belong to.
python=/usr/bin/python3

omen_begin
omen_prepare gcc make dataset-fashion-mnist \
	python3 python3-numpy python3-psycopg2 python3-matplotlib python3-pil

omen_start_release \
	"shared_buffers = 512MB" "maintenance_work_mem = 1GB" \
	"max_wal_size = 4GB" "autovacuum = off" "jit = off"
omen_run "$python" -B "$omen_top/demo/demo.py" \
	--report "$omen_top/demo/report.html" "$@"
