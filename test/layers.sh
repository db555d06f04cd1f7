#!/usr/bin/env bash
#
# layers.sh: a source file may include headers of its own layer and of lower
# ones only (src/README).

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../src"

status=0

# only FILES ALLOWED: of what FILES include, all must match ALLOWED.
only()
{
	local breach

	# shellcheck disable=SC2086
	breach=$(grep -InH '^#[[:blank:]]*include' $1 | grep -vE "[<\"]($2)[>\"]") ||
		return 0
	printf 'not of this layer or a lower one:\n%s\n' "$breach"
	status=1
}

# never FILES REFUSED: of what FILES include, nothing may match REFUSED.
never()
{
	local breach

	# shellcheck disable=SC2086
	breach=$(grep -InH '^#[[:blank:]]*include' $1 | grep -E "[<\"]($2)[>\"]") ||
		return 0
	printf 'refused here:\n%s\n' "$breach"
	status=1
}

own=$(find . -name '*.h' | sed 's,^\./,,')
upper=$(echo "$own" | grep '^[^/]*$' | paste -s -d '|')
c_library='(std[a-z]+|math|string|cpuid|[a-z0-9]*intrin|arm_neon|arm_fp16)\.h'
c_library+='|sys/[a-z]+\.h'

# Kernels know the C library alone.
only "$(echo simd/*)" "$c_library|simd/[a-z0-9_]+\.h"

# Types know the kernels, but nothing of the access method.
never "$(echo types/*)" "build/.*|${upper/omenversion.h|/}"

# The builder works on arrays from a store: no page, relation or catalog.
never "$(echo build/*)" \
	"types/.*|$(sed 's/store.h|//; s/team.h|//; s/|team.h$//' <<< "$upper")|(access|catalog|executor)/.*"
never "$(echo build/*)" 'storage/([^s]|s[^h]).*'
never "$(echo build/*)" 'utils/rel(cache)?\.h'

# Pages know nothing of what is made of them, nor segments of who makes them;
# but a segment is written from a graph, whose type build/build.h declares.
never "page.h layout.* storage.*" \
	'(segment|search|pending|rows|cache|quantizer|compact)\.h|build/.*'
never "segment.* search.* pending.* rows.* cache.* quantizer.*" \
	'compact\.h|build/builder\.h'

# The checker must not repeat the mistakes of what it checks.
for file in check.[ch]; do
	[ -e "$file" ] || continue
	never "$file" '(storage|segment|search|pending|rows|cache|quantizer)\.h'
	never "$file" 'compact\.h|build/.*'
done

[ $status -eq 0 ] && echo "$(find . -name '*.[ch]' | wc -l) files"
exit $status
