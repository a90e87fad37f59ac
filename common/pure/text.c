/* SPDX-License-Identifier: Apache-2.0 */
/* text.c - the distance of two words, one row of the table at a time (Wagner & Fischer 1974). */
#include "text.h"

#include <string.h>

size_t text_distance(const char *a, const char *b)
{
    size_t row[128], width = strlen(b);

    if (width > 127)
        width = 127;
    for (size_t j = 0; j <= width; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (row[j] + 1 < best)
                best = row[j] + 1;
            row[j] = best;
        }
    }
    return row[width];
}
