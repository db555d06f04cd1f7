#!/usr/bin/env bash
#
# run.sh: the reliability driver in its long form, the tests in C under
# sanitizers and valgrind, and libFuzzer for ten minutes.
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

# The tests in C: with the sanitizers, by valgrind, and libFuzzer.
unit_tests()
{
	local unit=(make -C "$omen_work/fault/test/unit" -s
		PG_CONFIG="$PG_CONFIG" AARCH64_CC= QEMU_X86_64=)

	echo "The tests in C with AddressSanitizer and UBSan"
	omen_run "${unit[@]}" check \
		OMEN_CFLAGS="-g -fsanitize=address,undefined -fno-sanitize-recover"
	echo "The tests in C by valgrind"
	omen_run "${unit[@]}" clean
	omen_run "${unit[@]}" check-programs OMEN_CFLAGS=-g \
		RUNNER="valgrind -q --error-exitcode=1"
	echo "libFuzzer"
	omen_run "${unit[@]}" fuzz FUZZ_SECONDS=600
}

main()
{
	omen_begin
	omen_prepare gcc clang make valgrind python3 python3-psycopg2
	private_config=$(omen_private_server "$omen_work/server")
	omen_run build > "$omen_work/build.log" 2>&1 || {
		cat "$omen_work/build.log"
		omen_die "the build failed"
	}
	omen_run omen_ill_treat "$private_config" "$omen_work/fault" "$@"
	if [ $# -eq 0 ]; then
		unit_tests
	fi
}

main "$@"
