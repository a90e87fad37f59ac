#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# picture.sh - terminal text in, a picture out: monospaced SVG, readable on light and on dark pages.
#
#     ./rl demo | tools/picture.sh './rl demo' >docs/demo.svg
set -eu
LC_ALL=C awk -v command="${1:-}" '
  function escape(s) { gsub(/&/, "\\&amp;", s); gsub(/</, "\\&lt;", s); gsub(/>/, "\\&gt;", s); return s }
  function columns(s) { gsub(/[\200-\277]/, "", s); return length(s) } # bytes that continue a character are none
  BEGIN { if (command != "") line[++n] = "$ " command }
  { line[++n] = $0; if (columns($0) > widest) widest = columns($0) }
  END {
    width = int(widest * 7.83) + 40; height = n * 18 + 34
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" " \
      "role=\"img\" aria-label=\"%s\">\n", width, height, width, height, escape(command)
    print "<style>"
    print "  .page { fill: #f6f8fa; stroke: #d0d7de } text { fill: #1f2328; " \
      "font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, \"DejaVu Sans Mono\", monospace; white-space: pre }"
    print "  .command { font-weight: bold } .bar { fill: #0969da } .kept { fill: #1a7f37 }"
    print "  @media (prefers-color-scheme: dark) { .page { fill: #0d1117; stroke: #30363d } text { fill: #e6edf3 } " \
      ".bar { fill: #58a6ff } .kept { fill: #3fb950 } }"
    print "</style>"
    printf "<rect class=\"page\" x=\"0.5\" y=\"0.5\" width=\"%d\" height=\"%d\" rx=\"8\"/>\n", width - 1, height - 1
    for (i = 1; i <= n; i++) {
      if (line[i] == "") continue
      class = i == 1 && command != "" ? " class=\"command\"" : line[i] ~ /exactly once/ ? " class=\"kept\"" : ""
      text = escape(line[i])
      gsub(/#+/, "<tspan class=\"bar\">&</tspan>", text)
      printf "<text x=\"20\" y=\"%d\"%s xml:space=\"preserve\" textLength=\"%.1f\">%s</text>\n",
        i * 18 + 14, class, columns(line[i]) * 7.83, text
    }
    print "</svg>"
  }'
