#!/usr/bin/env bash
#
# run.sh: measures omen and other access methods ("make bench").
#
#   bench/run.sh                 Fashion-MNIST, all installed methods
#   bench/run.sh --rows 5000     the first 5,000 rows of it
#   bench/run.sh --help          everything else
#
# Like demo/run.sh, it installs what is missing by apt, builds omenvec, and
# works in a throw-away cluster of a private copy of the server, where the
# server's other extensions are found.

set -euo pipefail
# shellcheck source=test/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../test/lib.sh"

# The system's Python, for it is the one that Debian's packages belong to.
python=/usr/bin/python3
packages=(gcc make python3 python3-numpy python3-psycopg2 python3-matplotlib)
settings=("max_wal_size = 8GB" "checkpoint_timeout = 1h" "autovacuum = off"
	"jit = off" "max_worker_processes = 32" "max_parallel_workers = 32")

case " $* " in
	*" --base"*) ;;
	*) packages+=(dataset-fashion-mnist) ;;
esac
case " $*" in
	*.hdf5* | *.h5*) packages+=(python3-h5py) ;;
esac
if [ -x "$python" ]; then
	"$python" -B "$omen_top/bench/options.py" "$@"
fi
case " $* " in
	*" -h "* | *" --help "*) exit ;;
esac

# A quarter of the machine's memory, in MB.
quarter=$(($(awk '$1 == "MemTotal:" { print $2 }' /proc/meminfo) / 4096))
settings+=("shared_buffers = ${quarter}MB" "maintenance_work_mem = ${quarter}MB")

from=$PWD
omen_begin
omen_prepare "${packages[@]}"
if [ -e "$("$PG_CONFIG" --sharedir)/extension/vchord.control" ]; then
	settings+=("shared_preload_libraries = 'vchord'")
fi
omen_start_release "${settings[@]}"
omen_run env -C "$from" PYTHONPATH="$omen_top/demo" \
	"$python" -B "$omen_top/bench/bench.py" "$@"
