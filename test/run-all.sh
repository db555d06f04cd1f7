#!/usr/bin/env bash
#
# run-all.sh: every test of omenvec, on servers that it starts itself.
#
#   test/run-all.sh              all parts, as "make test" and CI run them
#   test/run-all.sh tap docs     these parts only
#   test/run-all.sh --list       what parts there are
#
# Each part runs in a copy of the sources and against a private copy of the
# server (lib.sh), so neither the work tree nor the system's PostgreSQL
# changes.  What a failed part printed is shown; the last line is
# "N passed, N failed", counted in parts.

set -euo pipefail
# shellcheck source=test/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

parts=(style layers gcc clang assert fault headers unit regress regress-assert
	isolation tap reliability docs bench)

packages=(gcc make clang perl libipc-run-perl
	python3 python3-numpy python3-psycopg2 python3-matplotlib)
if [ "$(dpkg --print-architecture 2> /dev/null)" = amd64 ]; then
	# The kernels for ARM are built and tested here too, by emulation.
	packages+=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user)
fi

jobs=$(nproc)

# A part that has nothing to do yet ends with this status.
skipped=77

skip()
{
	echo "$1"
	exit $skipped
}

#----------
# Builds and servers, made when the first part needs them
#----------

# build NAME MAKE-ARGUMENT...: builds the extension below $omen_work/NAME.
build()
{
	local dir=$omen_work/$1

	shift
	[ -d "$dir" ] || omen_copy "$dir"
	make -C "$dir" -s -j "$jobs" with_llvm=no PG_CONFIG="$PG_CONFIG" \
		OMEN_GIT="$(omen_commit)" "$@"
}

# server NAME BUILD: starts a server with that build installed, unless there
# is one, and sets private_config to its pg_config.
server()
{
	local dir=$omen_work/server-$1

	private_config=$(omen_private_server "$dir")
	part_"$1"
	make -C "$omen_work/$1" -s with_llvm=no PG_CONFIG="$private_config" install
	if [ ! -d "$omen_work/cluster-$1" ]; then
		omen_start "$private_config" "$omen_work/cluster-$1" \
			"max_prepared_transactions = 10"
	fi
	export PGHOST=$omen_work/cluster-$1 PGPORT=5432 PGUSER=postgres \
		PGDATABASE=postgres
}

# installcheck BUILD MAKE-ARGUMENT...: the tests that PGXS knows how to run.
installcheck()
{
	local dir=$omen_work/$1

	shift
	make -C "$dir" -s with_llvm=no PG_CONFIG="$private_config" "$@" \
		installcheck && return
	find "$dir" -name '*.diffs' -exec head -n 200 {} +
	return 1
}

#----------
# The parts
#----------

# The compilers' warnings are errors.  Clang is told not to mind the options
# for gcc that come with a PostgreSQL built by gcc.
part_gcc()
{
	build gcc CC=gcc OMEN_CFLAGS=-Werror
}

part_clang()
{
	build clang CC=clang OMEN_CFLAGS="-Werror -Wno-unknown-warning-option \
-Wno-ignored-optimization-argument -Wno-ignored-attributes"
}

part_assert()
{
	build assert CC=gcc OMEN_CFLAGS="-Werror -DUSE_ASSERT_CHECKING"
}

# With fault points (src/fault.c), which test/reliability makes use of.
part_fault()
{
	build fault CC=gcc \
		OMEN_CFLAGS="-Werror -DUSE_ASSERT_CHECKING -DOMEN_FAULT"
}

# Each header compiles alone, after postgres.h; those of src/simd without it.
# A header that has no guard is a template, made to be included in the middle
# of a file.
part_headers()
{
	local header first count=0

	for header in "$omen_top"/src/*.h "$omen_top"/src/*/*.h; do
		grep -q '^#ifndef .*_H$' "$header" || continue
		case $header in
			*/simd/*) first=() ;;
			*) first=(-include postgres.h) ;;
		esac
		gcc -std=gnu99 -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
			-Wno-missing-field-initializers -Werror -fsyntax-only \
			-I "$omen_top/src" -I "$("$PG_CONFIG" --includedir-server)" \
			"${first[@]}" -x c "$header"
		count=$((count + 1))
	done
	echo "$count headers compile alone"
}

part_unit()
{
	build unit CC=gcc
	make -C "$omen_work/unit/test/unit" -s PG_CONFIG="$PG_CONFIG" check
}

part_regress()
{
	server gcc
	installcheck gcc
}

part_regress_assert()
{
	server assert
	installcheck assert
}

part_isolation()
{
	local specs

	specs=$(cd "$omen_top/test/specs" && ls -- *.spec 2> /dev/null) ||
		skip "no specs"
	server assert
	ISOLATION_OPTS="--inputdir=test --load-extension=omenvec" \
		installcheck assert REGRESS= \
		ISOLATION="$(echo "${specs//.spec/}" | tr '\n' ' ')"
}

# These make their own clusters, which root may not run.
part_tap()
{
	local dir=$omen_work/tap log

	compgen -G "$omen_top/test/t/*.pl" > /dev/null || skip "no TAP tests"
	server gcc
	unset PGHOST PGPORT PGUSER PGDATABASE
	rm -rf "$dir"
	cp -a "$omen_work/gcc" "$dir"
	if [ "$(id -u)" -eq 0 ]; then
		chown -R postgres: "$dir"
	fi
	if omen_as_server make -C "$dir" -s with_llvm=no \
		PG_CONFIG="$private_config" REGRESS= TAP_TESTS=1 \
		PROVE_TESTS='test/t/*.pl' PROVE_FLAGS="--timer -j $jobs" installcheck
	then
		return
	fi
	for log in "$dir"/tmp_check/log/regress_log_*; do
		# One that failed, or that ended before its time.
		if grep -q 'not ok' "$log" || ! grep -q '1\.\.[0-9]' "$log"; then
			tail -n 60 "$log"
		fi
	done
	return 1
}

# The short form; "make reliability" runs the long one.
part_reliability()
{
	server fault
	omen_ill_treat "$private_config" "$omen_work/fault" --form short
}

part_docs()
{
	server gcc
	bash "$omen_top/test/docs.sh"
}

part_bench()
{
	server gcc
	PYTHONPATH=$omen_top/demo /usr/bin/python3 -B "$omen_top/bench/test.py"
}

part_style()
{
	bash "$omen_top/test/style.sh"
}

part_layers()
{
	bash "$omen_top/test/layers.sh"
}

#----------
# The run
#----------

# In a subshell of its own, where the first failure ends the part.
in_subshell()
{
	(
		set -e
		"part_${1//-/_}"
	)
}

# Runs one part, its output in a file that is shown if it fails.
run_part()
{
	local log=$omen_work/$1.log start=$SECONDS status=0 word

	printf '%-16s' "$1"
	set +e
	omen_run in_subshell "$1" > "$log" 2>&1
	status=$?
	set -e
	case $status in
		0) word=ok passed=$((passed + 1)) ;;
		"$skipped") word=skipped not_run=$((not_run + 1)) ;;
		*) word=FAILED failed=$((failed + 1)) ;;
	esac
	printf '%-8s %4d s  %s\n' "$word" $((SECONDS - start)) \
		"$(grep -v '^[=[:blank:]]*$' "$log" | tail -n 1 | cut -c 1-100)"
	if [ "$word" = FAILED ]; then
		tail -n 400 "$log" | sed 's/^/    /'
	fi
}

main()
{
	local part passed=0 failed=0 not_run=0

	if [ "${1:-}" = --list ]; then
		echo "${parts[*]}"
		return
	fi
	for part in "$@"; do
		case " ${parts[*]} " in
			*" $part "*) ;;
			*) omen_die "no part \"$part\"; there are: ${parts[*]}" ;;
		esac
	done
	if [ $# -gt 0 ]; then
		parts=("$@")
	fi
	omen_begin
	omen_prepare "${packages[@]}"
	echo "Testing with $("$PG_CONFIG" --version), $jobs cores"
	for part in "${parts[@]}"; do
		run_part "$part"
	done
	echo "$passed passed, $failed failed$([ $not_run -eq 0 ] ||
		echo ", $not_run skipped")"
	[ "$failed" -eq 0 ]
}

main "$@"
