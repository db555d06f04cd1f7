#!/usr/bin/env bash
#
# run.sh: the reliability driver in its long form, and the tests in C under
# sanitizers.
#
#   make reliability
#   make reliability RELIABILITY='--rows crash,mixed --rounds 100'
#
# It takes an hour or more; test/reliability/driver.py says what its arguments
# are.  Everything is done on a private copy of the server (test/lib.sh).

set -euo pipefail
# shellcheck source=test/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

build()
{
	omen_copy "$omen_work/fault"
	make -C "$omen_work/fault" -s -j "$(nproc)" with_llvm=no CC=gcc \
		OMEN_CFLAGS="-DUSE_ASSERT_CHECKING -DOMEN_FAULT" \
		OMEN_GIT="$(omen_commit)" PG_CONFIG="$private_config" install
}

main()
{
	omen_begin
	omen_prepare gcc make python3 python3-psycopg2
	private_config=$(omen_private_server "$omen_work/server")
	omen_run build > "$omen_work/build.log" 2>&1 || {
		cat "$omen_work/build.log"
		omen_die "the build failed"
	}
	omen_run omen_ill_treat "$private_config" "$omen_work/fault" "$@"
	if [ $# -eq 0 ]; then
		echo "The tests in C with AddressSanitizer and UBSan"
		omen_run make -C "$omen_work/fault/test/unit" -s \
			PG_CONFIG="$PG_CONFIG" AARCH64_CC= QEMU_X86_64= \
			OMEN_CFLAGS="-g -fsanitize=address,undefined -fno-sanitize-recover" \
			check
	fi
}

main "$@"
