/* SPDX-License-Identifier: Apache-2.0 */
/* render.h - the bytes of a metrics file as Prometheus text, format 0.0.4.  Knows no metric by name;
 * trusts no number in the file. */
#ifndef RL_RENDER_H
#define RL_RENDER_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "metrics_file.h"

/* A checked view of a mapping; its pointers end with it. */
struct metrics_view {
    const struct metrics_header *header; /* NULL: there is no valid file */
    const struct metrics_family *families;
    const struct metrics_series *series;
    uint32_t used;
    const char *problem; /* why header is NULL; "" */
};

/* `data` NULL: there is no file. */
struct metrics_view metrics_view(const void *data, size_t size);

/* Ready, and the heartbeat younger than 5 s; one from the future is none.  `*ret_why` says why not ("" when up), and
 * lives as long as the mapping. */
bool metrics_view_up(const struct metrics_view *view, int64_t now_us, const char **ret_why);

/* Everything, rl_service_up{service} first; that alone, as 0, without a valid file. */
void render(FILE *out, const struct metrics_view *view, const char *service, int64_t now_us);

#endif
