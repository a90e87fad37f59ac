/* SPDX-License-Identifier: Apache-2.0 */
/* report.c - what came of it: the screen of ./rl demo, and the same as JSON. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"
#include "utf8.h"

enum { NAME_WIDTH = 29, BAR_WIDTH = 16, EXAMPLES = 3 };

static const char bar[] = "################";

static long tail_of(long calls) { return calls < 1000 ? calls : 1000; }

/* Calls from `from` on that got the variant; cell CALLER_CELLS: any. */
static long got(const struct sim *s, long from, size_t cell, size_t variant)
{
    long n = 0;

    for (long i = from; i < s->options.calls; i++)
        n += s->served[i].variant == variant && (cell == CALLER_CELLS || s->served[i].cell == cell);
    return n;
}

static double mean_truth(const struct sim *s, long from, long to)
{
    double sum = 0;

    for (long i = from; i < to; i++)
        sum += (double)s->served[i].truth;
    return to > from ? sum / (double)(to - from) : 0;
}

/* "established" of STAGE_ESTABLISHED. */
static void stage_text(Stage stage, char *ret, size_t size)
{
    const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(&tom__rl__v1__stage__descriptor, (int)stage);

    snprintf(ret, size, "%s", v ? v->name + strlen("STAGE_") : "?");
    for (; *ret; ret++)
        *ret = (char)(*ret >= 'A' && *ret <= 'Z' ? *ret - 'A' + 'a' : *ret);
}

/* 20000 -> "20,000"; lives in the arena. */
static const char *thousands(struct sim *s, unsigned long long n)
{
    return n < 1000 ? arena_printf(&s->arena, "%llu", n) : arena_printf(&s->arena, "%s,%03llu", thousands(s, n / 1000), n % 1000);
}

/* ---- the parts of the screen ----------------------------------------------------------------------------------------------- */

static int by_float(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static void latencies(const struct sim *s, double *ret_p50, double *ret_p99)
{
    long n = s->options.calls;
    float *took = xcalloc((size_t)n, sizeof *took);

    for (long i = 0; i < n; i++)
        took[i] = s->served[i].took_ms;
    qsort(took, (size_t)n, sizeof *took, by_float);
    *ret_p50 = (double)took[n / 2];
    *ret_p99 = (double)took[n * 99 / 100];
    free(took);
}

static void print_head(struct sim *s)
{
    double p50, p99;

    printf("\n calls %s of %s   %s/s", thousands(s, (unsigned long long)s->options.calls),
           thousands(s, (unsigned long long)s->options.calls),
           thousands(s, (unsigned long long)((double)s->options.calls / s->seconds)));
    if (s->options.in_process) {
        printf("   in process, a snapshot every %ld calls\n\n", s->options.refresh);
        return;
    }
    latencies(s, &p50, &p99);
    long rated = 0;
    for (long i = 0; i < s->options.calls; i++)
        rated += s->served[i].rated;
    printf("   decision p50 %.2f ms  p99 %.2f ms   rated %ld %%   dead letters %llu", p50, p99, 100 * rated / s->options.calls,
           (unsigned long long)s->dead_letters);
    if (s->options.chaos)
        printf("\n services killed %llu times, decisions asked again %llu times", (unsigned long long)s->kills,
               (unsigned long long)s->asked_again);
    printf("\n\n");
}

static void print_variant(struct sim *s, size_t v)
{
    const struct variant *variant = &s->variants.items[v];
    long last = tail_of(s->options.calls);
    double share = (double)got(s, s->options.calls - last, CALLER_CELLS, v) / (double)last;
    char stage[32], label[160];
    int width = share > 0 ? (int)(share * BAR_WIDTH + 0.5) : 0;

    stage_text(s->lines[v].stage, stage, sizeof stage);
    snprintf(label, sizeof label, "%s %s", variant->id, variant->name);
    int pad = NAME_WIDTH > (int)utf8_count(label) ? NAME_WIDTH - (int)utf8_count(label) : 0;
    printf(" %s%*s %+.2f   %+.2f +-%.2f %8s   %-*.*s %4.1f %%  %s\n", label, pad, "", callers_overall(s->callers, v),
           s->lines[v].mean, s->lines[v].half_width, thousands(s, (unsigned long long)got(s, 0, CALLER_CELLS, v)), BAR_WIDTH,
           width, bar, 100 * share, stage);
}

static void print_variants(struct sim *s)
{
    size_t *order = arena_alloc(&s->arena, s->variants.count * sizeof *order);

    for (size_t v = 0; v < s->variants.count; v++) { /* sorted in, the best first */
        size_t at = v;
        for (; at > 0 && callers_overall(s->callers, order[at - 1]) < callers_overall(s->callers, v); at--)
            order[at] = order[at - 1];
        order[at] = v;
    }
    printf(" %-*s truth   learned          calls   share of the last %-7ld stage\n", NAME_WIDTH, "variant",
           tail_of(s->options.calls));
    for (size_t i = 0; i < s->variants.count; i++)
        print_variant(s, order[i]);
}

/* The variant that a cell got most, in the last quarter. */
static size_t favourite(const struct sim *s, size_t cell, double *ret_share)
{
    long from = s->options.calls * 3 / 4, most = 0, all = 0;
    size_t best = s->variants.base;

    for (size_t v = 0; v < s->variants.count; v++) {
        long n = got(s, from, cell, v);
        all += n;
        if (n > most) {
            most = n;
            best = v;
        }
    }
    *ret_share = all ? (double)most / (double)all : 0;
    return best;
}

/* Of each profile its busiest time, those first whose favourite was not named yet. */
static void print_favourites(struct sim *s)
{
    bool named[MAX_VARIANTS] = {false}, shown[CALLER_PROFILES] = {false};
    int left = EXAMPLES;

    printf("\n who gets what    ");
    for (int again = 0; again < 2; again++)
        for (size_t p = 0; p < CALLER_PROFILES && left; p++) {
            size_t time = p % (CALLER_TIMES - 1);
            double share;
            size_t v = favourite(s, p * CALLER_TIMES + time, &share);
            if (shown[p] || (named[v] && !again))
                continue;
            printf("%s%s/%s  %s %.0f %%", left < EXAMPLES ? "      " : "", caller_profiles[p], caller_times[time],
                   s->variants.items[v].id, 100 * share);
            named[v] = shown[p] = true;
            left--;
        }
    printf("\n");
}

static void print_rewards(const struct sim *s)
{
    long n = s->options.calls, part = tail_of(n);

    printf(" expected reward   first %ld calls %+.2f   last %ld calls %+.2f   always %s %+.2f   always the best %+.2f\n", part,
           mean_truth(s, 0, part), part, mean_truth(s, n - part, n), s->variants.items[s->variants.base].id,
           s->base_truth / (double)n, s->best_truth / (double)n);
}

/* Mean probability with which calls got one of a capped group, while it had members; -1: it never had. */
static double share_of(const struct sim *s, size_t limit)
{
    double sum = 0;
    long n = 0;

    for (long i = 0; i < s->options.calls; i++)
        if (s->served[i].capped >> limit & 1) {
            sum += (double)s->served[i].share[limit];
            n++;
        }
    return n ? sum / (double)n : -1;
}

static void print_safety(const struct sim *s)
{
    static const char *const names[] = {"new variants together", "uncertain", "on parole"};
    const double caps[] = {s->variants.cap_new, s->variants.cap_uncertain, s->guard.parole_cap};
    size_t blacklisted = 0;

    for (size_t v = 0; v < s->variants.count; v++)
        blacklisted += s->lines[v].stage == TOM__RL__V1__STAGE__STAGE_BLACKLISTED;
    printf(" safety           ");
    for (size_t g = 0; g < LIMIT_COUNT; g++)
        if (share_of(s, g) >= 0)
            printf(" %s %.1f %% (limit %g %%),", names[g], 100 * share_of(s, g), 100 * caps[g]);
    printf(" %zu blacklisted%s\n", blacklisted, s->exceeded ? "; A LIMIT WAS EXCEEDED" : "");
}

/* "kfz/morning", or what a level does not name. */
static const char *named(const char *name) { return name[0] ? name : "-"; }

static void print_restarts(struct sim *s)
{
    for (size_t i = 0; i < s->restart_count; i++) {
        const struct sim_restart *r = &s->restarts[i];
        printf("%s at call %-9s level %-7s  variant %-4s cell %-17s reward %+.2f -> %+.2f  evidence %.2f",
               i ? "                  " : " changes found    ", thousands(s, (unsigned long long)r->call),
               detect_level_names[r->what.level], named(r->what.variant), named(r->what.cell), r->what.before,
               r->what.after, r->what.evidence);
        if (r->since >= 0)
            printf("  since call %s", thousands(s, (unsigned long long)r->since));
        printf("\n");
    }
    if (s->options.in_process && !(s->model.change_delta > 0))
        printf(" changes           were not looked for: bandit.change_delta is 0\n");
    else if (!s->restart_count)
        printf(" changes           none was found%s\n",
               s->options.in_process ? "" : "; the bandit looks once an hour and at its start");
    else
        printf(" restarts          %zu; what came before each no longer counts\n", s->restart_count);
}

static void print_text(struct sim *s)
{
    print_head(s);
    print_variants(s);
    print_favourites(s);
    if (s->options.drift)
        printf(" drift             after %s calls %s solved half of the problems less\n",
               thousands(s, (unsigned long long)s->options.calls / 2), s->variants.items[s->spoiled].id);
    if (s->options.environment->swaps)
        printf(" swap              after %s calls %s and %s had each other's tastes\n",
               thousands(s, (unsigned long long)s->options.calls / 2), caller_profiles[0], caller_profiles[1]);
    print_restarts(s);
    print_rewards(s);
    print_safety(s);
    if (!s->options.in_process)
        printf(" exactly once      %s ended, %s stored, %s learned; statistics rebuilt from the ledger: %s\n",
               thousands(s, s->ended), thousands(s, s->stored), thousands(s, s->learned),
               s->identical ? "identical" : "DIFFERENT");
    if (s->lost)
        printf(" lost              %s calls were never reported\n", thousands(s, s->lost));
}

/* ---- JSON ------------------------------------------------------------------------------------------------------------------ */

static json_t *variants_json(const struct sim *s)
{
    json_t *list = json_array();
    long last = tail_of(s->options.calls);

    for (size_t v = 0; v < s->variants.count; v++) {
        char stage[32];
        stage_text(s->lines[v].stage, stage, sizeof stage);
        json_array_append_new(list,
                              json_pack("{s:s, s:f, s:f, s:f, s:I, s:f, s:s}", "policy_variant", s->variants.items[v].id, "truth",
                                        callers_overall(s->callers, v), "learned", s->lines[v].mean, "half_width",
                                        s->lines[v].half_width, "calls", (json_int_t)got(s, 0, CALLER_CELLS, v), "share_last",
                                        (double)got(s, s->options.calls - last, CALLER_CELLS, v) / (double)last, "stage", stage));
    }
    return list;
}

static json_t *restarts_json(const struct sim *s)
{
    json_t *list = json_array();

    for (size_t i = 0; i < s->restart_count; i++) {
        const struct sim_restart *r = &s->restarts[i];
        json_t *since = r->since < 0 ? json_null() : json_integer(r->since);
        json_array_append_new(list, json_pack("{s:I, s:s, s:s, s:s, s:o, s:f, s:f, s:f}", "call", (json_int_t)r->call, "level",
                                              detect_level_names[r->what.level], "policy_variant", r->what.variant, "cell",
                                              r->what.cell, "since", since, "mean_before", r->what.before, "mean_after",
                                              r->what.after, "evidence", r->what.evidence));
    }
    return list;
}

static void print_json(const struct sim *s)
{
    long n = s->options.calls, part = tail_of(n);
    json_t *root = json_pack("{s:s, s:I, s:I, s:I, s:o, s:f, s:f, s:o, s:f, s:f, s:f, s:f, s:b}", "environment",
                             s->options.environment->name, "calls", (json_int_t)n, "lost", (json_int_t)s->lost, "calls_per_hour",
                             (json_int_t)s->options.calls_per_hour, "restarts", restarts_json(s), "regret",
                             s->best_truth - (double)n * mean_truth(s, 0, n), "seconds", s->seconds, "variants", variants_json(s),
                             "first", mean_truth(s, 0, part), "last", mean_truth(s, n - part, n), "always_base",
                             s->base_truth / (double)n, "always_best", s->best_truth / (double)n, "sound", sim_sound(s));

    if (!s->options.in_process) {
        json_object_set_new(root, "ended", json_integer((json_int_t)s->ended));
        json_object_set_new(root, "stored", json_integer((json_int_t)s->stored));
        json_object_set_new(root, "learned", json_integer((json_int_t)s->learned));
        json_object_set_new(root, "dead_letters", json_integer((json_int_t)s->dead_letters));
        json_object_set_new(root, "kills", json_integer((json_int_t)s->kills));
        json_object_set_new(root, "identical", json_boolean(s->identical));
    }
    char *text = json_dumps(root, JSON_COMPACT);
    puts(text);
    free(text);
    json_decref(root);
}

void sim_report(struct sim *s)
{
    if (s->options.json)
        print_json(s);
    else
        print_text(s);
}
