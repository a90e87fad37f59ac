/* SPDX-License-Identifier: Apache-2.0 */
/* explain_text.c - why this variant for this caller: what was known, what was allowed, and where the draw fell. */
#include "explain_text.h"

#include <string.h>
#include <time.h>

#include "utf8.h"

enum { NAME_COLUMNS = 28 };
#define SOURCE(name) TOM__RL__V1__DECISION_SOURCE__DECISION_SOURCE_##name

/* The variants by number, and the part of [0, 1) that draws each of them. */
struct screen {
    FILE *out;
    struct arena *arena;
    const RouterSessionReply *reply;
    const PolicySelected *d;
    const DecisionGrounds *g; /* never NULL */
    size_t count, base;
    double *from, *to;
};

static const char *name_of(const struct screen *s, const char *id)
{
    for (size_t i = 0; i < s->reply->n_variant_names; i++)
        if (strcmp(s->reply->variant_names[i]->key, id) == 0)
            return s->reply->variant_names[i]->value;
    return "";
}

static const char *id_of(const struct screen *s, size_t i) { return s->d->probabilities[i]->key; }

/* The draw is from q: p without the share that base got for nothing. */
static void cumulate(struct screen *s)
{
    double h = s->g->base_share, sum = 0;

    for (size_t i = 0; i < s->g->n_stages; i++)
        if (s->g->stages[i] == TOM__RL__V1__STAGE__STAGE_BASE)
            s->base = i;
    for (size_t i = 0; i < s->count; i++) {
        double p = s->d->probabilities[i]->value - (i == s->base ? h : 0);
        s->from[i] = sum;
        s->to[i] = sum += h < 1 ? p / (1 - h) : p;
    }
}

static bool was_drawn(const struct screen *s)
{
    return (s->d->source == SOURCE(LEARNED) && !s->d->holdback) ||
           (s->d->source == SOURCE(DISABLED) && s->g->n_w && s->g->n_stages);
}

/* ---- the head -------------------------------------------------------------------------------------------------------------- */

static const char *source_words(const struct screen *s)
{
    switch (s->d->source) {
    case SOURCE(LEARNED):
        return s->d->holdback ? "LEARNED, but in the holdback: base, to measure the others against"
                              : "LEARNED: drawn from what was learned, within the guard's limits";
    case SOURCE(FALLBACK):
        return s->g->n_w == 0 ? "FALLBACK: the bandit had not said anything yet, so base"
                              : "FALLBACK: the guard had not said anything yet, so base";
    case SOURCE(DISABLED):
        return "DISABLED (RL_ENABLED=false): base; p is what would have been drawn from";
    case SOURCE(PINNED):
        return "PINNED: an operator gave all calls of this cell to this variant";
    case SOURCE(FROZEN):
        return "FROZEN: an operator gave all traffic to base";
    default:
        return "unknown";
    }
}

static const char *moment(struct arena *arena, double ts)
{
    time_t seconds = (time_t)ts;
    struct tm tm;
    char text[40];

    gmtime_r(&seconds, &tm);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &tm);
    return arena_str(arena, text);
}

static void print_head(const struct screen *s)
{
    const PolicySelected *d = s->d;

    fprintf(s->out, "%s  %s\n", d->policy_variant, name_of(s, d->policy_variant));
    fprintf(s->out, "  source     %s\n", source_words(s));
    fputs("  context   ", s->out);
    for (size_t i = 0; i < d->n_context; i++)
        fprintf(s->out, " %s=%s", d->context[i]->key, d->context[i]->value);
    if (s->g->cell[0])
        fprintf(s->out, "%s", strcmp(s->g->cell, "*") == 0 ? "; nothing learned of such calls yet" : "");
    fprintf(s->out, "\n  versions   policy %s, guard %s\n", d->policy_version[0] ? d->policy_version : "none",
            d->guard_version[0] ? d->guard_version : "none");
    fprintf(s->out, "  decided    %s, call %s:%.8s..\n", moment(s->arena, d->ts), d->key_id, d->call_key);
    fprintf(s->out, "  decision   %s\n", d->decision_id);
    fprintf(s->out, "  since then %s\n\n",
            strcmp(s->reply->state, "decided") == 0 ? "no event of this call was seen" : s->reply->state);
}

/* ---- the table ------------------------------------------------------------------------------------------------------------- */

/* "established" of STAGE_ESTABLISHED; "-" without the guard's word. */
static const char *stage_text(const struct screen *s, size_t i)
{
    const ProtobufCEnumValue *v = i < s->g->n_stages
                                      ? protobuf_c_enum_descriptor_get_value(&tom__rl__v1__stage__descriptor, s->g->stages[i])
                                      : NULL;
    char *text = arena_str(s->arena, v && v->value ? v->name + strlen("STAGE_") : "-");

    for (char *c = text; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    return text;
}

static bool is_masked(const struct screen *s, size_t i)
{
    for (size_t k = 0; k < s->g->n_masked; k++)
        if (s->g->masked[k] == i)
            return true;
    return false;
}

static const char *limit_text(const struct screen *s, size_t i)
{
    uint32_t group = i < s->g->n_groups ? s->g->groups[i] : 0;

    if (is_masked(s, i))
        return "ruled out";
    if (group == 0 || group > s->g->n_caps)
        return "";
    return arena_printf(s->arena, "%s %.4g %%", s->g->caps[group - 1]->name, 100 * s->g->caps[group - 1]->cap);
}

static void print_row(const struct screen *s, size_t i, bool bold)
{
    bool chosen = strcmp(id_of(s, i), s->d->policy_variant) == 0;
    double p = s->d->probabilities[i]->value;
    char *name = arena_str(s->arena, name_of(s, id_of(s, i)));
    size_t bytes, columns;

    utf8_clean(name);
    columns = utf8_columns(name, NAME_COLUMNS, &bytes);
    fprintf(s->out, "%s%c %-5s %.*s%*s", chosen && bold ? "\033[1m" : "", chosen ? '>' : ' ', id_of(s, i), (int)bytes, name,
            (int)(NAME_COLUMNS - columns), "");
    fprintf(s->out, i < s->g->n_w ? " %6.2f %%" : "        -", i < s->g->n_w ? 100 * s->g->w[i] : 0);
    fprintf(s->out, " %6.2f %%", 100 * p);
    fprintf(s->out, was_drawn(s) && s->to[i] > s->from[i] ? "  %.4f .. %.4f" : "                  ", s->from[i], s->to[i]);
    fprintf(s->out, *limit_text(s, i) ? "  %-11s %s" : "  %s", stage_text(s, i), limit_text(s, i));
    fprintf(s->out, "%s\n", chosen && bold ? "\033[0m" : "");
}

/* ---- the draw -------------------------------------------------------------------------------------------------------------- */

static void print_draw(const struct screen *s)
{
    double u = s->g->draw;
    size_t hit = s->count;

    for (size_t i = 0; i < s->count && (hit == s->count || u >= s->to[hit]); i++)
        if (s->to[i] > s->from[i])
            hit = i;
    if (was_drawn(s) && hit < s->count)
        fprintf(s->out, "\n  draw       %.6f, which %s to %s: %.6f .. %.6f of the cumulated p\n", u,
                s->d->source == SOURCE(DISABLED) ? "would have fallen" : "fell", id_of(s, hit), s->from[hit], s->to[hit]);
    else
        fprintf(s->out, "\n  draw       %.6f, which was not used\n", u);
    if (s->g->base_share > 0)
        fprintf(s->out, "  holdback   %.4g %% of calls always get base; this one %s\n", 100 * s->g->base_share,
                s->d->holdback ? "is among them" : "is not among them, and was drawn from the rest");
    else
        fputs("  holdback   off\n", s->out);
    if (s->g->n_masked)
        fprintf(s->out, "  request    ruled out %zu of %zu\n", s->g->n_masked, s->count);
    if (s->g->floor > 0)
        fprintf(s->out, "  floor      %.4g %% for each that may speak, before caps\n", 100 * s->g->floor);
    fputs("\n  w: probability of being best, says the bandit.  p: drawn from, after the guard's limits.\n", s->out);
}

void explain_text(FILE *out, struct arena *arena, const RouterSessionReply *reply, bool bold)
{
    static const DecisionGrounds none = TOM__RL__V1__DECISION_GROUNDS__INIT;
    const PolicySelected *d = reply->decision;
    struct screen s = {.out = out, .arena = arena, .reply = reply, .d = d, .g = d->grounds ? d->grounds : &none,
                       .count = d->n_probabilities, .from = arena_alloc(arena, d->n_probabilities * sizeof *s.from),
                       .to = arena_alloc(arena, d->n_probabilities * sizeof *s.to)};

    cumulate(&s);
    print_head(&s);
    fprintf(out, "  %-5s %-*s %8s %8s  %-16s  %-11s %s\n", "", NAME_COLUMNS, "", "w", "p", "drawn by", "stage", "together");
    for (size_t i = 0; i < s.count; i++)
        print_row(&s, i, bold);
    if (d->grounds)
        print_draw(&s);
    else
        fputs("\n  What it was drawn from is not known: recorded by an older router, or the variants were changed since.\n", out);
}
