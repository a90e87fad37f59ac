/* SPDX-License-Identifier: Apache-2.0 */
/* svg.c - regret curves as a picture: one panel for each case, readable on light and on dark backgrounds. */
#include "svg.h"

#include <math.h>
#include <stdio.h>

/* Of one panel, in pixels; the legend stands below the axes. */
enum { WIDTH = 460, PLOT_HEIGHT = 230, LEFT = 62, RIGHT = 24, TOP = 34, BELOW = 40, LEGEND_LINE = 16, COLUMNS = 2, OTHERS = 9 };

static const char style[] =
    "<style>\n"
    "text{font:12px system-ui,sans-serif;fill:#24292f}.title{font-weight:600}.small{font-size:11px}\n"
    ".grid{stroke:#d0d7de;stroke-width:1}.axis{stroke:#57606a;stroke-width:1}.line{fill:none;stroke-width:1.8}"
    ".band{opacity:.09;stroke:none}\n"
    ".paper{fill:#fff}\n"
    ".s0{stroke:#0969da}.s1{stroke:#bc4c00}.s2{stroke:#1a7f37}.s3{stroke:#8250df}.s4{stroke:#9a6700}"
    ".s5{stroke:#bf3989}.s6{stroke:#57606a}.s7{stroke:#1b7c83}.s8{stroke:#8a5a44}\n"
    ".ours{stroke:#cf222e;stroke-width:3}.f0{fill:#0969da}.f1{fill:#bc4c00}.f2{fill:#1a7f37}.f3{fill:#8250df}"
    ".f4{fill:#9a6700}.f5{fill:#bf3989}.f6{fill:#57606a}.f7{fill:#1b7c83}\n"
    ".f8{fill:#8a5a44}.our-band{fill:#cf222e;opacity:.2;stroke:none}\n"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.paper{fill:#0d1117}.grid{stroke:#30363d}.axis{stroke:#8b949e}\n"
    ".s0{stroke:#58a6ff}.s1{stroke:#f0883e}.s2{stroke:#3fb950}.s3{stroke:#bc8cff}.s4{stroke:#d29922}"
    ".s5{stroke:#f778ba}.s6{stroke:#8b949e}.s7{stroke:#39c5cf}.s8{stroke:#c9a26d}\n"
    ".ours{stroke:#ff7b72}.f0{fill:#58a6ff}.f1{fill:#f0883e}.f2{fill:#3fb950}.f3{fill:#bc8cff}.f4{fill:#d29922}"
    ".f5{fill:#f778ba}.f6{fill:#8b949e}.f7{fill:#39c5cf}.f8{fill:#c9a26d}\n"
    ".our-band{fill:#ff7b72}}\n"
    "</style>\n";

struct drawing {
    FILE *f;
    const struct svg_panel *panel;
    double x, y; /* upper left corner */
    double most; /* regret at the top of the axis */
    double tick;
};

/* 1, 2 or 5 times a power of ten, so that four to eight of them make `most`. */
static double tick_of(double most)
{
    double power = pow(10, floor(log10(most / 4))), ratio = most / 4 / power;

    return power * (ratio >= 5 ? 5 : ratio >= 2 ? 2 : 1);
}

/* Some run far above all others; they may leave the panel, so that those near the last one, which is ours, can be told apart. */
static double top_of(const struct svg_panel *p)
{
    double ours = p->curves[p->count - 1].at[SVG_POINTS - 1], most = 0;

    for (size_t i = 0; i < p->count; i++)
        most = fmax(most, p->curves[i].at[SVG_POINTS - 1] + p->curves[i].half[SVG_POINTS - 1]);
    return fmax(1e-9, fmin(most * 1.05, 3.2 * fmax(ours, 1e-9)));
}

static double at_x(const struct drawing *d, double share) { return d->x + LEFT + share * (WIDTH - LEFT - RIGHT); }
static double at_y(const struct drawing *d, double regret)
{
    return d->y + TOP + PLOT_HEIGHT * (1 - fmin(1.02, regret / d->most));
}

static void escaped(FILE *f, const char *text)
{
    for (; *text; text++)
        *text == '<' ? fputs("&lt;", f) : *text == '&' ? fputs("&amp;", f) : fputc(*text, f);
}

static void draw_axes(const struct drawing *d)
{
    const struct svg_panel *p = d->panel;

    fprintf(d->f, "<text class=\"title\" x=\"%.0f\" y=\"%.0f\">%s  ", d->x + LEFT, d->y + 20, p->id);
    escaped(d->f, p->name);
    fprintf(d->f, "</text>\n");
    for (double v = 0; v <= d->most; v += d->tick)
        fprintf(d->f,
                "<line class=\"%s\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/><text class=\"small\" text-anchor=\"end\" "
                "x=\"%.1f\" y=\"%.1f\">%g</text>\n",
                v > 0 ? "grid" : "axis", at_x(d, 0), at_x(d, 1), at_y(d, v), at_y(d, v), at_x(d, 0) - 6, at_y(d, v) + 4, v);
    for (int k = 0; k <= 4; k++)
        fprintf(d->f, "<text class=\"small\" text-anchor=\"middle\" x=\"%.1f\" y=\"%.1f\">%g</text>\n", at_x(d, k / 4.0),
                at_y(d, 0) + 16, p->steps * k / 4);
    fprintf(d->f, "<line class=\"axis\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>\n", at_x(d, 0), at_x(d, 0), at_y(d, 0),
            d->y + TOP);
    fprintf(d->f, "<text class=\"small\" text-anchor=\"middle\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", at_x(d, 0.5), at_y(d, 0) + 32,
            p->below);
}

/* Classes of the i-th curve and of its band; the last is ours. */
static const char *colour_of(const struct drawing *d, size_t i, bool band)
{
    static const char *const lines[OTHERS + 1] = {"line s0", "line s1", "line s2", "line s3", "line s4",
                                                  "line s5", "line s6", "line s7", "line s8", "line ours"};
    static const char *const bands[OTHERS + 1] = {"band f0", "band f1", "band f2", "band f3", "band f4",
                                                  "band f5", "band f6", "band f7", "band f8", "our-band"};

    return (band ? bands : lines)[i + 1 == d->panel->count ? OTHERS : i % OTHERS];
}

static void draw_band(const struct drawing *d, size_t i)
{
    const struct svg_curve *c = &d->panel->curves[i];

    fprintf(d->f, "<polygon class=\"%s\" points=\"%.1f,%.1f", colour_of(d, i, true), at_x(d, 0), at_y(d, 0));
    for (int k = 0; k < SVG_POINTS; k++)
        fprintf(d->f, " %.1f,%.1f", at_x(d, (k + 1.0) / SVG_POINTS), at_y(d, c->at[k] + c->half[k]));
    for (int k = SVG_POINTS - 1; k >= 0; k--)
        fprintf(d->f, " %.1f,%.1f", at_x(d, (k + 1.0) / SVG_POINTS), at_y(d, fmax(0, c->at[k] - c->half[k])));
    fprintf(d->f, "\"/>\n");
}

static void draw_curve(const struct drawing *d, size_t i)
{
    const struct svg_curve *c = &d->panel->curves[i];

    draw_band(d, i);
    fprintf(d->f, "<polyline class=\"%s\" points=\"%.1f,%.1f", colour_of(d, i, false), at_x(d, 0), at_y(d, 0));
    for (int k = 0; k < SVG_POINTS; k++)
        fprintf(d->f, " %.1f,%.1f", at_x(d, (k + 1.0) / SVG_POINTS), at_y(d, c->at[k]));
    fprintf(d->f, "\"/>\n");
}

static void draw_marks(const struct drawing *d)
{
    for (size_t i = 0; i < d->panel->mark_count; i++) {
        double x = at_x(d, d->panel->marks[i] / d->panel->steps);
        fprintf(d->f, "<line class=\"axis\" stroke-dasharray=\"2 3\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>\n", x, x,
                at_y(d, 0), d->y + TOP);
    }
}

/* Two columns of names below the axes, each with what it came to. */
static void draw_legend(const struct drawing *d)
{
    for (size_t i = 0; i < d->panel->count; i++) {
        double x = at_x(d, 0) + (double)(i % 2) * 205, y = at_y(d, 0) + 50 + (double)(i / 2) * LEGEND_LINE;
        double end = d->panel->curves[i].at[SVG_POINTS - 1];
        fprintf(
            d->f,
            "<line class=\"%s\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/><text class=\"small\" x=\"%.1f\" y=\"%.1f\">",
            colour_of(d, i, false), x, x + 18, y - 4, y - 4, x + 24, y);
        escaped(d->f, d->panel->curves[i].name);
        fprintf(d->f, ": %.*f</text>\n", end < 100 ? 1 : 0, end);
    }
}

static double panel_height(const struct svg_panel *p)
{
    return TOP + PLOT_HEIGHT + BELOW + 12 + (double)((p->count + 1) / 2) * LEGEND_LINE + 10;
}

static void draw_panel(FILE *f, const struct svg_panel *panel, double x, double y)
{
    struct drawing d = {.f = f, .panel = panel, .x = x, .y = y, .most = top_of(panel)};

    d.tick = tick_of(d.most);
    draw_axes(&d);
    fprintf(f, "<svg x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"%d\" viewBox=\"%.1f %.1f %d %d\">\n", at_x(&d, 0), y + TOP,
            WIDTH - LEFT - RIGHT, PLOT_HEIGHT, at_x(&d, 0), y + TOP, WIDTH - LEFT - RIGHT, PLOT_HEIGHT);
    draw_marks(&d);
    for (size_t i = 0; i < panel->count; i++)
        draw_curve(&d, i);
    fprintf(f, "</svg>\n");
    draw_legend(&d);
}

/* Of the row that begins at a panel. */
static double row_height(const struct svg_panel *panels, size_t count)
{
    double height = 0;

    for (size_t i = 0; i < count && i < COLUMNS; i++)
        height = fmax(height, panel_height(&panels[i]));
    return height;
}

static double picture_height(const struct svg_panel *panels, size_t count)
{
    double height = 0;

    for (size_t i = 0; i < count; i += COLUMNS)
        height += row_height(panels + i, count - i);
    return height;
}

static void draw_panels(FILE *f, const struct svg_panel *panels, size_t count)
{
    double y = 0;

    for (size_t i = 0; i < count; i++) {
        draw_panel(f, &panels[i], (double)(i % COLUMNS * WIDTH), y);
        if (i % COLUMNS == COLUMNS - 1)
            y += row_height(panels + i + 1 - COLUMNS, COLUMNS);
    }
}

bool svg_write(const char *path, const struct svg_panel *panels, size_t count)
{
    FILE *f = fopen(path, "w");
    int width = count == 1 ? WIDTH : COLUMNS * WIDTH;
    double height = picture_height(panels, count);

    if (!f)
        return false;
    fprintf(f, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%.0f\" viewBox=\"0 0 %d %.0f\">\n%s", width,
            height, width, height, style);
    fprintf(f, "<rect class=\"paper\" width=\"100%%\" height=\"100%%\"/>\n");
    draw_panels(f, panels, count);
    fprintf(f, "</svg>\n");
    bool failed = ferror(f);
    return fclose(f) == 0 && !failed;
}
