/* SPDX-License-Identifier: Apache-2.0 */
/* svg.h - curves of cumulative regret as a picture: for the laboratory and for rl-sim. */
#ifndef RL_SVG_H
#define RL_SVG_H

#include <stdbool.h>
#include <stddef.h>

enum { SVG_POINTS = 50 };

struct svg_curve {
    const char *name;
    double at[SVG_POINTS];   /* regret after (k + 1) / SVG_POINTS of the steps */
    double half[SVG_POINTS]; /* of the interval about it; 0: a line without a band */
};

struct svg_panel {
    const char *id, *name, *below;  /* title in two parts, and what the axes are */
    double steps;
    const struct svg_curve *curves; /* the last of them is ours: others may leave the panel, so that those near it can be
                                     * told apart */
    size_t count;
    const double *marks;            /* steps at which a broken line stands */
    size_t mark_count;
};

/* One panel in its own width, more in two columns.  False: errno says why. */
bool svg_write(const char *path, const struct svg_panel *panels, size_t count);

#endif
