#!/usr/bin/env bash
#
# style.sh: rules for the text of the repository that a grep can check.
#
# The brackets in some patterns keep this file from finding itself.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

status=0

# refuse MESSAGE LINES: the lines, if there are any, break a rule.
refuse()
{
	[ -n "$2" ] || return 0
	printf '%s:\n%s\n' "$1" "$(head -n 20 <<< "$2")"
	status=1
}

# lines PATTERN FILE...: the lines that match, with their places.
lines()
{
	grep -nHE "$@" || true
}

# Lines that are too wide; a message is not broken to fit.
wide()
{
	local file

	for file in "$@"; do
		expand -t 4 "$file" | awk -v file="$file" \
			'length($0) > 80 && !/"/ { print file ":" FNR ": " $0 }'
	done
}

# Scripts, by their first line, that lack the permission.
unrunnable()
{
	local file

	for file in "$@"; do
		[ -x "$file" ] || head -n 1 "$file" | sed -n "s,^#!.*,$file,p"
	done
}

mapfile -t sources < <(find src test bench -name '*.[ch]')
mapfile -t texts < <(find . -path ./.git -prune -o -type f -print |
	grep -vE '/(results|tmp_check)/|^./(demo|bench)/report\.(html|json)$' |
	xargs grep -lI '')

refuse "wider than 80 columns" "$(wide "${sources[@]}")"
refuse "blanks at the end of a line" "$(lines '[[:blank:]]$' "${sources[@]}")"
refuse "indented by spaces" \
	"$(lines '^ {4,}[^ *]|^	* {4,}[^ *]' "${sources[@]}")"
refuse "a // comment" "$(lines '(^|[[:blank:];{}])//' "${sources[@]}")"
refuse "code for this machine only" "$(lines 'march=nativ[e]' "${texts[@]}")"
refuse "unfinished" "$(lines 'TOD[O]|FIXM[E]|XX[X]:' "${texts[@]}")"
refuse "a path outside the repository" \
	"$(lines '(^|[^[:alnum:]_])/wor[k]/|\.\./share[d]' "${texts[@]}")"
refuse "a script that cannot be run" "$(unrunnable "${texts[@]}")"

[ $status -eq 0 ] && echo "${#sources[@]} sources, ${#texts[@]} texts"
exit $status
