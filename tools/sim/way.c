/* SPDX-License-Identifier: Apache-2.0 */
/* way.c - the window in which reports wait for others. */
#include "way.h"

#include <stdlib.h>

#include "arena.h"

static size_t window_of(const struct way *w) { return w->reorder > 1 ? (size_t)w->reorder : 1; }

bool way_send(struct way *w, long call)
{
    if (!w->window)
        w->window = xcalloc(2 * window_of(w), sizeof *w->window);
    w->calls++;
    if (w->lost > 0 && rng_uniform(&w->rng) < w->lost)
        return false;
    w->window[w->count++] = call;
    if (w->duplicated > 0 && rng_uniform(&w->rng) < w->duplicated)
        w->window[w->count++] = call;
    return true;
}

size_t way_take(struct way *w, bool all, const long **ret)
{
    size_t count = w->count;

    if (!all && w->calls < (long)window_of(w))
        return 0;
    for (size_t i = count; i > 1 && w->reorder > 1; i--) { /* Durstenfeld 1964 */
        size_t other = rng_below(&w->rng, i);
        long call = w->window[i - 1];
        w->window[i - 1] = w->window[other];
        w->window[other] = call;
    }
    w->count = 0;
    w->calls = 0;
    *ret = w->window;
    return count;
}

void way_done(struct way *w)
{
    free(w->window);
    w->window = NULL;
}
