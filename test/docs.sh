#!/usr/bin/env bash
#
# docs.sh: the documentation's examples are run, and its links followed.
#
# Every block of README.md and doc/*.md that opens with ```sql is run, file by
# file in a fresh database of the server that the environment names; the first
# error ends the test.  A block that cannot be run here opens with
# "```sql norun".  Line numbers in error messages are those of the document.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

examples()
{
	awk '/^```sql$/ { run = 1; print ""; next }
		 /^```/ { run = 0 }
		 { print run ? $0 : "" }' "$1"
}

# Links to files of the repository must lead somewhere.
links()
{
	local link

	sed -nE 's/.*\]\(([^):#]+)[)#].*/\1/p' "$1" |
		while read -r link; do
			if [ ! -e "$(dirname "$1")/$link" ]; then
				echo "$1: nothing at $link" >&2
				return 1
			fi
		done
}

count=0
for document in README.md doc/*.md; do
	[ -e "$document" ] || continue
	links "$document"
	psql -X -q -c "SET client_min_messages = warning" \
		-c "DROP DATABASE IF EXISTS docs" -c "CREATE DATABASE docs"
	examples "$document" |
		psql -X -q -d docs -v ON_ERROR_STOP=1 -o /dev/null -f -
	count=$((count + $(grep -c '^```sql$' "$document" || true)))
done
if [ "$count" -eq 0 ]; then
	echo "no example found" >&2
	exit 1
fi
echo "$count blocks of examples ran"
