/* SPDX-License-Identifier: Apache-2.0 */
/* versions.c - two reward versions side by side, and the switch from one to the other. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rlctl.h"

/* "v2b leads, best with 83.1 %" under a version, of those that spoke. */
static int leader(struct ctl *ctl, const char *version, const char **ret)
{
    BanditStatsRequest request = TOM__RL__V1__BANDIT_STATS_REQUEST__INIT;
    const void *reply;
    const Tom__Rl__V1__BanditStatsReply__VariantsEntry *best = NULL;

    request.reward_version = (char *)version;
    int code = ctl_ask(ctl, SUBJECT_BANDIT_STATS, &request, &reply);
    if (code != EXIT_OK)
        return code;
    const BanditStatsReply *r = reply;
    for (size_t i = 0; i < r->n_variants; i++) {
        const BanditArmStats *s = r->variants[i]->value;
        if (s->pulls > 0 && (!best || s->probability_best > best->value->probability_best))
            best = r->variants[i];
    }
    *ret = best ? arena_printf(&ctl->arena, "%s leads, best with %.1f %%", best->key, 100 * best->value->probability_best) : "";
    return EXIT_OK;
}

static int print_versions(struct ctl *ctl, const BanditVersionsReply *r)
{
    const char *leads;
    int code = EXIT_OK;

    for (size_t i = 0; i < r->n_versions && code == EXIT_OK; i++) {
        const BanditVersion *v = r->versions[i];
        if ((code = leader(ctl, v->reward_version, &leads)) == EXIT_OK)
            printf("%-12s %-7s %9lld calls   %s\n", v->reward_version, v->active ? "active" : "", (long long)v->calls, leads);
    }
    if (code == EXIT_OK && r->n_versions == 2 && r->versions[1]->calls < r->versions[0]->calls)
        printf("%lld calls are not known under %s yet: rlctl replay --reward-version %s\n",
               (long long)(r->versions[0]->calls - r->versions[1]->calls), r->versions[1]->reward_version,
               r->versions[1]->reward_version);
    return code;
}

static void print_arm(const BanditVersionArm *a, bool two)
{
    printf("%-6s %9lld  %5.1f %%  %+9.4f", a->policy_variant, (long long)a->active_calls, 100 * a->response_rate, a->active_mean);
    if (two)
        printf("  %9lld %+9.4f  %9lld", (long long)a->other_calls, a->other_mean, (long long)a->pairs);
    if (two && a->n_interval == 2)
        printf(" %+9.4f  %+.4f .. %+.4f", a->difference, a->interval[0], a->interval[1]);
    putchar('\n');
}

static void print_arms(const BanditVersionsReply *r)
{
    bool two = r->n_versions == 2;

    printf("\n%-6s %9s  %7s  %9.9s", "", "calls", "rated", r->n_versions ? r->versions[0]->reward_version : "");
    if (two)
        printf("  %9s %9.9s  %9s %9s  %s", "calls", r->versions[1]->reward_version, "pairs", "change",
               "95 %, of both rewards of the same call");
    putchar('\n');
    for (size_t i = 0; i < r->n_variants; i++)
        print_arm(r->variants[i], two);
}

static void print_switches(const BanditVersionsReply *r)
{
    for (size_t i = 0; i < r->n_switches; i++) {
        const BanditVersionSwitch *s = r->switches[i];
        time_t at = (time_t)s->at;
        struct tm tm;
        char when[32];
        strftime(when, sizeof when, "%Y-%m-%d %H:%M:%SZ", gmtime_r(&at, &tm));
        printf("%s%s  %-12s by %s%s%s\n", i ? "" : "\n", when, s->reward_version, s->who, s->why[0] ? ": " : "", s->why);
    }
}

static double setting(const GuardStatusReply *g, const char *key)
{
    for (size_t i = 0; i < g->n_config; i++)
        if (strcmp(g->config[i]->key, key) == 0)
            return strtod(g->config[i]->value, NULL);
    return NAN;
}

/* The one thing that switching back does not undo. */
static int print_blacklist(struct ctl *ctl, const BanditVersionsReply *r)
{
    GuardStatusRequest none = TOM__RL__V1__GUARD_STATUS_REQUEST__INIT;
    const void *reply;
    int code = ctl_ask(ctl, SUBJECT_GUARD_STATUS, &none, &reply);

    if (code != EXIT_OK)
        return code;
    const GuardStatusReply *g = reply;
    double threshold = setting(g, "blacklist_threshold"), calls = setting(g, "min_pulls");
    for (size_t i = 0; i < r->n_variants; i++) {
        const BanditVersionArm *a = r->variants[i];
        if (strcmp(a->policy_variant, g->base_variant) != 0 && (double)a->other_calls >= calls && a->other_mean < threshold &&
            a->active_mean >= threshold)
            printf("\n%s would be blacklisted after a switch: mean below %g.  Only rlctl guard release takes that back.\n",
                   a->policy_variant, threshold);
    }
    return EXIT_OK;
}

int verb_versions(struct ctl *ctl)
{
    BanditVersionsRequest request = TOM__RL__V1__BANDIT_VERSIONS_REQUEST__INIT;
    const void *reply;

    if (ctl->args.word_count)
        request.reward_version = arena_str(&ctl->arena, ctl->args.words[0]);
    int code = ctl_ask(ctl, SUBJECT_BANDIT_VERSIONS, &request, &reply);
    if (code != EXIT_OK || ctl->args.json)
        return code;
    code = print_versions(ctl, reply);
    if (code != EXIT_OK)
        return code;
    print_arms(reply);
    code = print_blacklist(ctl, reply);
    print_switches(reply);
    return code;
}

int verb_switch(struct ctl *ctl)
{
    BanditSwitchRequest *request;
    const char *user = getenv("USER");
    const void *reply;
    int code = ctl_message(ctl, &tom__rl__v1__bandit_switch_request__descriptor, (void **)&request);

    if (code != EXIT_OK)
        return code;
    request->reward_version = arena_str(&ctl->arena, ctl->args.words[0]);
    request->who = arena_str(&ctl->arena, user ? user : "");
    code = ctl_ask(ctl, SUBJECT_BANDIT_SWITCH, request, &reply);
    if (code != EXIT_OK || ctl->args.json)
        return code;
    const BanditSwitchReply *r = reply;
    if (r->changed)
        printf("decisions come from %s now; back: rlctl switch %s\n", r->reward_version, r->previous);
    else
        printf("decisions come from %s already\n", r->reward_version);
    return EXIT_OK;
}
