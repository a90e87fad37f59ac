/* SPDX-License-Identifier: Apache-2.0 */
/* calls.c - one call: what it hears, how it went, what became known later; and what was learned from all of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "message_signals.h"
#include "rlctl.h"

/* "LEARNED" of DECISION_SOURCE_LEARNED. */
static const char *source_text(Tom__Rl__V1__DecisionSource source)
{
    const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(&tom__rl__v1__decision_source__descriptor, source);

    return v ? v->name + strlen("DECISION_SOURCE_") : "?";
}

/* --- select ----------------------------------------------------------------------------------------------------------------- */

typedef Tom__Rl__V1__PolicySelectReply__ProbabilitiesEntry Share;

static int by_share(const void *a, const void *b)
{
    double x = (*(Share *const *)a)->value, y = (*(Share *const *)b)->value;

    return (x < y) - (x > y);
}

static void print_selected(struct ctl *ctl, const PolicySelectReply *r, bool dry)
{
    const char *chosen = r->policy_variant;

    printf("%s  %s%s, drawn with probability %.4g\n", chosen, source_text(r->source),
           dry ? " (a trial: nothing was recorded)" : "", r->propensity);
    for (size_t i = 0; i < r->n_parameters; i++)
        printf("  %-20s %s\n", r->parameters[i]->key, r->parameters[i]->value);
    fputs("why\n  context             ", stdout);
    for (size_t i = 0; i < r->n_context; i++)
        printf(" %s=%s", r->context[i]->key, r->context[i]->value);
    printf("\n  %-20s %s, guard %s, decision %s\n", "policy", r->policy_version[0] ? r->policy_version : "none yet",
           r->guard_version[0] ? r->guard_version : "none yet", r->decision_id);
    if (r->n_probabilities)
        qsort(r->probabilities, r->n_probabilities, sizeof *r->probabilities, by_share);
    for (size_t i = 0; i < r->n_probabilities; i++)
        printf("  %-5s %6.2f %%  %-30s%s\n", r->probabilities[i]->key, 100 * r->probabilities[i]->value,
               ctl_bar(ctl, r->probabilities[i]->value), strcmp(r->probabilities[i]->key, chosen) == 0 ? "  <- this call" : "");
}

int verb_select(struct ctl *ctl)
{
    PolicySelectRequest *request;
    const void *reply;
    int code = ctl_message(ctl, &tom__rl__v1__policy_select_request__descriptor, (void **)&request);

    if (code != EXIT_OK)
        return code;
    if (ctl->args.word_count == 0)
        request->dry_run = true;
    request->call_id = ctl->args.word_count ? arena_str(&ctl->arena, ctl->args.words[0])
                                            : arena_printf(&ctl->arena, "rlctl-%lld", (long long)time(NULL));
    code = ctl_ask(ctl, SUBJECT_POLICY_SELECT, request, &reply);
    if (code == EXIT_OK && !ctl->args.json)
        print_selected(ctl, reply, request->dry_run);
    return code;
}

/* --- end and amend ---------------------------------------------------------------------------------------------------------- */

/* What the service would refuse is said here and now. */
static int check_signals(const struct ctl *ctl, const Signals *signals)
{
    struct reason reason;
    enum status status = signals_check(signals, &reason);

    return status == STATUS_OK ? EXIT_OK : ctl_fail(ctl, status, &reason);
}

/* No message id: the first end of a call counts anyway, and an id would swallow a second one that corrects a refused first. */
int verb_end(struct ctl *ctl)
{
    CallEnded *message;
    int code = ctl_message(ctl, &tom__rl__v1__call_ended__descriptor, (void **)&message);

    if (code == EXIT_OK)
        code = check_signals(ctl, message->signals);
    if (code != EXIT_OK)
        return code;
    if (!message->signals || !HAS(message->signals, has_resolution_case))
        return ctl_usage("", "was the caller's problem solved?  give --resolved or --unresolved");
    message->call_id = arena_str(&ctl->arena, ctl->args.words[0]);
    return ctl_say(ctl, SUBJECT_CALL_ENDED, message, NULL);
}

int verb_amend(struct ctl *ctl)
{
    CallAmended *message;
    int code = ctl_message(ctl, &tom__rl__v1__call_amended__descriptor, (void **)&message);

    if (code != EXIT_OK)
        return code;
    if (!message->signals && !HAS(message, has_retracted_case))
        return ctl_usage("", "nothing to amend: give --rating, --resolved, --retract, ...");
    code = check_signals(ctl, message->signals);
    if (code != EXIT_OK)
        return code;
    message->call_id = arena_str(&ctl->arena, ctl->args.words[0]);
    return ctl_say(ctl, SUBJECT_CALL_AMENDED, message, NULL);
}

/* --- stats, replay, bandit -------------------------------------------------------------------------------------------------- */

/* Of a report of one cell only. */
static bool has_joint(const BanditStatsReply *r)
{
    for (size_t i = 0; i < r->n_variants; i++)
        if (r->variants[i]->value->probability_best_joint > 0)
            return true;
    return false;
}

static void print_learned(struct ctl *ctl, const BanditStatsReply *r)
{
    bool jointly = has_joint(r);

    printf("cell %s   model %s   policy %s   exploration %.3g\n\n", r->cell[0] ? r->cell : "all", r->model, r->version,
           r->exploration_rate);
    printf("%-6s %8s %8s %9s %9s  %-8s %-30s %-18s %-8s %s%s\n", "", "pulls", "mean", "alpha", "beta", "best", "",
           "95 % interval", "borrowed", "rated", jointly ? "    jointly best" : "");
    for (size_t i = 0; i < r->n_variants; i++) {
        const BanditArmStats *s = r->variants[i]->value;
        if (s->suppressed) {
            printf("%-6s fewer calls than a report may show (rl.min_cell_size); --all shows them\n", r->variants[i]->key);
            continue;
        }
        const double *in = s->n_interval == 2 ? s->interval : (const double[]){-1, 1};
        printf("%-6s %8lld %+8.4f %9.4f %9.4f  %5.1f %%  %-30s %+.3f .. %+.3f   %-8.1f %.1f %%", r->variants[i]->key,
               (long long)s->pulls, s->mean_reward, s->alpha, s->beta, 100 * s->probability_best,
               ctl_bar(ctl, s->probability_best), in[0], in[1], s->n_borrowed, 100 * s->response_rate);
        if (jointly)
            printf("   %5.1f %%", 100 * s->probability_best_joint);
        puts("");
    }
}

/* Under --json: a line for each of the two replies. */
int verb_stats(struct ctl *ctl)
{
    FeedbackStatsRequest none = TOM__RL__V1__FEEDBACK_STATS_REQUEST__INIT;
    BanditStatsRequest *request;
    const void *learned, *heard;
    int code = ctl_message(ctl, &tom__rl__v1__bandit_stats_request__descriptor, (void **)&request);

    if (code != EXIT_OK)
        return code;
    request->report = !args_get(&ctl->args, "--all");
    code = ctl_ask(ctl, SUBJECT_BANDIT_STATS, request, &learned);
    if (code == EXIT_OK)
        code = ctl_ask(ctl, SUBJECT_FEEDBACK_STATS, &none, &heard);
    if (code != EXIT_OK || ctl->args.json)
        return code;
    const FeedbackStatsReply *f = heard;
    print_learned(ctl, learned);
    printf("\n%llu calls accepted, %llu waiting for a decision or an outcome, %llu retracted\n",
           (unsigned long long)f->total_events, (unsigned long long)f->waiting, (unsigned long long)f->retracted);
    return EXIT_OK;
}

/* A version that nobody scores by would make a dead letter of each call. */
static int check_version(struct ctl *ctl, const char *version)
{
    RewardComputeRequest request = TOM__RL__V1__REWARD_COMPUTE_REQUEST__INIT;
    bool json = ctl->args.json;
    const void *reply;

    request.reward_version = (char *)version;
    ctl->args.json = false;
    int code = ctl_ask(ctl, SUBJECT_REWARD_COMPUTE, &request, &reply);
    ctl->args.json = json;
    return code;
}

int verb_replay(struct ctl *ctl)
{
    FeedbackReplayRequest *request;
    const void *reply;
    int code = ctl_message(ctl, &tom__rl__v1__feedback_replay_request__descriptor, (void **)&request);

    if (code == EXIT_OK)
        code = check_version(ctl, request->reward_version);
    if (code == EXIT_OK)
        code = ctl_ask(ctl, SUBJECT_FEEDBACK_REPLAY, request, &reply);
    if (code == EXIT_OK && !ctl->args.json) {
        const FeedbackReplayReply *r = reply;
        printf("%llu calls are being said again (run %llu)\n", (unsigned long long)r->replayed, (unsigned long long)r->run);
    }
    return code;
}

int verb_bandit(struct ctl *ctl)
{
    const void *request, *reply;

    if (strcmp(ctl->args.words[0], "rebuild") != 0 || !args_get(&ctl->args, "--check"))
        return ctl_usage("bandit", "there is: rlctl bandit rebuild --check");
    int code = ctl_message(ctl, &tom__rl__v1__bandit_rebuild_request__descriptor, (void **)&request);
    if (code == EXIT_OK)
        code = ctl_ask(ctl, SUBJECT_BANDIT_REBUILD, request, &reply);
    if (code != EXIT_OK)
        return code;
    const BanditRebuildReply *r = reply;
    if (!ctl->args.json && r->given_up)
        printf("%lld calls count without a row, which was given up for its age\n", (long long)r->given_up);
    if (!ctl->args.json)
        printf("%s: %lld rows folded into %lld sums, %lld differ%s%s\n", r->identical ? "identical" : "DIFFERENT",
               (long long)r->rows, (long long)r->buckets, (long long)r->differences, r->first_difference[0] ? ", first " : "",
               r->first_difference);
    return r->identical ? EXIT_OK : EXIT_ERROR;
}
