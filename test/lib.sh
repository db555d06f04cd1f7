# shellcheck shell=bash
#
# lib.sh: what demo/run.sh, bench/run.sh and test/run-all.sh have in common.
#
# Packages, a private copy of the PostgreSQL server to install into, and
# throw-away clusters in it.  Everything lives below one temporary directory
# (omen_work) that is removed at the end, also after an interrupt, together
# with each server that still runs in it.  Nothing of the system's PostgreSQL
# is changed: neither its clusters nor its extension directory.
#
# To be sourced by bash with "set -euo pipefail".

omen_top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
omen_work=
omen_child=

# Make passes its own flags and overrides on; the builds here choose theirs.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

# A user's defaults must not lead a client to some other server.
unset PGHOST PGHOSTADDR PGPORT PGDATABASE PGUSER PGPASSWORD PGSERVICE \
	PGOPTIONS PGSSLMODE PGDATA

omen_die()
{
	echo "error: $*" >&2
	exit 1
}

# The server versions that omenvec is written for, newest first.
omen_versions="18 17 16 15"

#----------
# Packages
#----------

# Runs its arguments as root, or fails where that would take a password.
omen_root()
{
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo -n "$@"
	fi
}

omen_can_root()
{
	[ "$(id -u)" -eq 0 ] || sudo -n true 2> /dev/null
}

omen_have_package()
{
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2> /dev/null)" \
		= installed ]
}

# Debian's server package makes and starts a cluster "main" when it is
# installed.  Where the server is there only because of us, that is unwanted:
# a drop-in file switches it off while apt runs.
omen_apt_install()
{
	local drop_in=/etc/postgresql-common/createcluster.d/omenvec.conf
	local status=0

	omen_root mkdir -p "${drop_in%/*}"
	echo "create_main_cluster = false" | omen_root tee "$drop_in" > /dev/null
	omen_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
		--no-install-recommends -o Dpkg::Use-Pty=0 "$@" || status=$?
	omen_root rm -f "$drop_in"
	return $status
}

# omen_packages PACKAGE...: installs those that are missing, and says so.
omen_packages()
{
	local package missing=()

	if ! command -v apt-get > /dev/null; then
		echo "No apt-get here: going on, provided that these are installed"
		echo "in this system's own way: $*"
		return
	fi
	for package in "$@"; do
		omen_have_package "$package" || missing+=("$package")
	done
	if [ ${#missing[@]} -eq 0 ]; then
		return
	fi
	if ! omen_can_root; then
		echo "Some packages are missing. Please install them, then come back:"
		echo "    sudo apt-get install ${missing[*]}"
		exit 1
	fi
	echo "Installing by apt: ${missing[*]}"
	omen_refresh_lists
	omen_apt_install "${missing[@]}" > "$omen_work/apt.log" 2>&1 || {
		tail -n 40 "$omen_work/apt.log"
		omen_die "apt could not install ${missing[*]}"
	}
}

# A machine out of the box, or out of a container image, has no or old lists.
omen_refresh_lists()
{
	[ -e "$omen_work/lists" ] && return
	omen_root apt-get update -q > "$omen_work/apt.log" 2>&1 || {
		tail -n 20 "$omen_work/apt.log"
		omen_die "apt-get update failed"
	}
	touch "$omen_work/lists"
}

#----------
# The server
#----------

# Does this pg_config belong to a server that we can build for and run?
omen_usable()
{
	local version

	[ -x "$(command -v "$1")" ] || return 1
	version=$("$1" --version)
	version=${version#PostgreSQL }
	case " $omen_versions " in
		*" ${version%%[!0-9]*} "*) ;;
		*) return 1 ;;
	esac
	[ -x "$("$1" --bindir)/postgres" ] && [ -f "$("$1" --pgxs)" ]
}

# Prints the pg_config of a usable server: the one in the environment and no
# other, else the one in the path, else the newest of Debian's packages.
omen_find_server()
{
	local version candidate candidates=()

	if [ -n "${PG_CONFIG:-}" ]; then
		candidates=("$PG_CONFIG")
	else
		candidates=(pg_config)
		for version in $omen_versions; do
			candidates+=("/usr/lib/postgresql/$version/bin/pg_config")
		done
	fi
	for candidate in "${candidates[@]}"; do
		if omen_usable "$candidate"; then
			command -v "$candidate"
			return
		fi
	done
	return 1
}

# Prints the packages of the newest server that apt offers, one a line.
omen_server_packages()
{
	local version

	for version in $omen_versions; do
		if apt-cache show "postgresql-server-dev-$version" \
			> /dev/null 2>&1; then
			printf '%s\n' "postgresql-$version" \
				"postgresql-server-dev-$version"
			return
		fi
	done
}

# omen_prepare PACKAGE...: installs what is missing of these, and a server
# where there is none, and sets PG_CONFIG.
omen_prepare()
{
	local packages=("$@") server=()

	if ! omen_find_server > /dev/null; then
		[ -z "${PG_CONFIG:-}" ] ||
			omen_die "$PG_CONFIG: no PostgreSQL 15 to 18 with its headers"
		if command -v apt-get > /dev/null; then
			if omen_can_root; then
				omen_refresh_lists
			fi
			mapfile -t server < <(omen_server_packages)
			[ ${#server[@]} -gt 0 ] ||
				omen_die "apt offers no PostgreSQL 15 to 18 (is apt-get update due?)"
			packages+=("${server[@]}")
		fi
	fi
	omen_packages "${packages[@]}"
	PG_CONFIG=$(omen_find_server) ||
		omen_die "no PostgreSQL 15 to 18 with its headers found"
	if [ "$(id -u)" -eq 0 ] && ! id postgres > /dev/null 2>&1; then
		omen_die "a server does not run as root, and there is no user postgres"
	fi
	export PG_CONFIG
}

# Runs its arguments as a user that may run a server.
omen_as_server()
{
	if [ "$(id -u)" -eq 0 ]; then
		runuser -u postgres -- "$@"
	else
		"$@"
	fi
}

# omen_private_server DIR: a copy of the server below DIR, whose pg_config it
# prints.  PostgreSQL finds its other files relative to its programs, so these
# are copied and all the rest is linked; an installation for this pg_config
# goes below DIR.
omen_private_server()
{
	local dir

	for dir in --bindir --pkglibdir --sharedir --includedir; do
		dir=$("$PG_CONFIG" "$dir")
		[ -e "$1$dir" ] && continue
		mkdir -p "$1${dir%/*}"
		if [ "$dir" = "$("$PG_CONFIG" --bindir)" ]; then
			cp -a "$dir" "$1$dir"
		else
			cp -as "$dir" "$1$dir"
		fi
	done
	find "$1" -name 'omenvec*' -type l -delete
	echo "$1$("$PG_CONFIG" --bindir)/pg_config"
}

# omen_start PG_CONFIG DIR [SETTING...]: makes a cluster below DIR, starts it
# and points the clients to it.  It listens on a socket in DIR only, and DIR is
# open to nobody else.
omen_start()
{
	local bindir dir=$2

	bindir=$("$1" --bindir)
	shift 2
	mkdir -m 700 "$dir"
	if [ "$(id -u)" -eq 0 ]; then
		chown postgres: "$dir"
	fi
	{
		omen_as_server "$bindir/initdb" --pgdata="$dir/data" --auth=trust \
			--username=postgres --encoding=UTF8 --no-locale --no-sync
		printf '%s\n' "listen_addresses = ''" \
			"unix_socket_directories = '$dir'" "fsync = off" "$@" |
			omen_as_server tee -a "$dir/data/postgresql.conf"
		omen_as_server "$bindir/pg_ctl" start --wait --silent \
			--pgdata="$dir/data" --log="$dir/log"
	} > "$omen_work/start.log" 2>&1 || {
		cat "$omen_work/start.log" "$dir/log"
		omen_die "the server did not start"
	}
	export PGHOST=$dir PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
	export PATH=$bindir:$PATH
}

#----------
# The temporary directory
#----------

# Ends every server below the temporary directory, whoever started it.
omen_stop_servers()
{
	local file pid tries

	find "$omen_work" -name postmaster.pid 2> /dev/null |
		while read -r file; do
			pid=$(head -n 1 "$file") || continue
			kill -QUIT "$pid" 2> /dev/null || continue
			for ((tries = 0; tries < 200; tries++)); do
				[ -e "$file" ] || break
				sleep 0.05
			done
		done
}

omen_cleanup()
{
	local status=$?

	trap - EXIT
	trap '' INT TERM HUP
	if [ -n "$omen_child" ]; then
		kill -TERM -- "-$omen_child" 2> /dev/null || true
		wait "$omen_child" 2> /dev/null || true
	fi
	omen_stop_servers
	rm -rf "$omen_work"
	exit "$status"
}

# Makes the temporary directory and sees to its end.
omen_begin()
{
	omen_work=$(mktemp -d "${TMPDIR:-/tmp}/omenvec.XXXXXX")
	chmod 755 "$omen_work"
	trap omen_cleanup EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	# A directory that the user postgres may not enter gives warnings.
	cd "$omen_work" || exit
}

# Runs its arguments in a process group of their own and waits: a signal
# reaches this shell at once, and omen_cleanup() then ends the group.
omen_run()
{
	local status=0

	set -m
	"$@" &
	omen_child=$!
	set +m
	wait "$omen_child" || status=$?
	omen_child=
	return $status
}

# omen_copy DIR: copies the sources to DIR, without what a build or a test
# leaves behind, so that whatever happens here does not disturb the tree.
omen_copy()
{
	mkdir "$1"
	tar -C "$omen_top" -cf - --exclude=./.git --exclude=./results \
		--exclude=./tmp_check --exclude=./demo/report.html \
		--exclude=./bench/report.html --exclude=./bench/report.json \
		--exclude='*.o' --exclude='*.so' --exclude='*.bc' . |
		tar -C "$1" -xf - --no-same-owner
}

# What a copy cannot ask Git: the commit, which the build writes down.
omen_commit()
{
	git -C "$omen_top" describe --always --dirty --exclude='*' 2> /dev/null ||
		echo unknown
}

# omen_start_release SETTING...: builds omenvec as users do, and starts a
# cluster with it.
omen_start_release()
{
	local private_config

	echo "Building omenvec for $("$PG_CONFIG" --version)"
	omen_copy "$omen_work/omenvec"
	private_config=$(omen_private_server "$omen_work/server")
	omen_run make -C "$omen_work/omenvec" -s -j "$(nproc)" with_llvm=no \
		PG_CONFIG="$private_config" OMEN_GIT="$(omen_commit)" install \
		> "$omen_work/build.log" 2>&1 || {
		cat "$omen_work/build.log"
		omen_die "the build failed"
	}
	omen_start "$private_config" "$omen_work/cluster" "$@"
}

# omen_ill_treat PG_CONFIG SOURCES ARGUMENT...: runs the reliability driver on
# a server that has a build with fault points.  Its clusters are its own.
omen_ill_treat()
{
	local bindir sources=$2

	bindir=$("$1" --bindir)
	shift 2
	mkdir -p -m 700 "$omen_work/reliability"
	if [ "$(id -u)" -eq 0 ]; then
		chown postgres: "$omen_work/reliability"
	fi
	omen_as_server env TMPDIR="$omen_work/reliability" /usr/bin/python3 -B \
		"$sources/test/reliability/driver.py" --bindir "$bindir" --faults \
		--commit "$(omen_commit)" "$@"
}
