#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# pure_symbols.sh - fails when librl_pure.a uses anything beyond arithmetic, strings and memory.
#
#     tests/lint/pure_symbols.sh build/dev/librl_pure.a
set -eu

archive=${1:?usage: pure_symbols.sh path/to/librl_pure.a}
[ -r "$archive" ] || { echo "pure_symbols: cannot read $archive" >&2; exit 1; }

allowed='memcpy memset memmove memcmp strlen strcmp malloc calloc realloc free abort qsort
exp exp2 log log1p sqrt cos erfc pow lgamma_r fabs fmax fmin floor ceil round llround ldexp
vsnprintf snprintf __vsnprintf_chk __snprintf_chk __memcpy_chk __memset_chk __assert_fail __stack_chk_fail _GLOBAL_OFFSET_TABLE_'

{
    for name in $allowed; do echo "A $name"; done
    nm --defined-only "$archive" | awk 'NF == 3 { print "A", $3 }'
    nm -u -A "$archive" | awk '{ print "U", $NF, $1 }'
} | awk -v archive="$archive" '
    $1 == "A" { allowed[$2] = 1; next }
    { uses++ }
    $2 in allowed || $2 ~ /^__(asan|ubsan|tsan|lsan|sanitizer|gcov|llvm)_/ { next }
    { print "pure_symbols: " $3 " uses " $2; bad = 1 }
    END {
        if (!uses) { print "pure_symbols: nothing to check in " archive; bad = 1 }
        exit bad
    }'
