/* SPDX-License-Identifier: Apache-2.0 */
/* guard.c - which variants may speak, how far each has come, and what an operator decides about them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rlctl.h"

/* "established" of STAGE_ESTABLISHED. */
static const char *stage_text(struct ctl *ctl, Stage stage)
{
    const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(&tom__rl__v1__stage__descriptor, stage);
    char *text = arena_str(&ctl->arena, v ? v->name + strlen("STAGE_") : "?");

    for (char *c = text; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    return text;
}

static int ask_health(struct ctl *ctl, const char *variant, const GuardHealthReply **ret)
{
    GuardHealthRequest request = TOM__RL__V1__GUARD_HEALTH_REQUEST__INIT;
    const void *reply;

    request.policy_variant = (char *)variant;
    int code = ctl_ask(ctl, SUBJECT_GUARD_HEALTH, &request, &reply);
    if (code == EXIT_OK)
        *ret = reply;
    return code;
}

static void print_row(struct ctl *ctl, const GuardHealthReply *h)
{
    const Tom__Rl__V1__GuardHealthReply__Stats *s = h->stats;

    printf("%-6s %-12s %8lld %+8.4f +-%-7.4f %9llu %11.1f\n", h->id, stage_text(ctl, h->stage), (long long)s->pulls,
           s->mean_reward, s->half_width, (unsigned long long)s->decided, s->expected);
}

static void print_head(void)
{
    printf("%-6s %-12s %8s %8s   %-7s %9s %11s\n", "", "stage", "pulls", "mean", "95 %", "decided", "expected");
}

static int by_key(const void *a, const void *b)
{
    return strcmp((*(Tom__Rl__V1__GuardStatusReply__StagesEntry *const *)a)->key,
                  (*(Tom__Rl__V1__GuardStatusReply__StagesEntry *const *)b)->key);
}

static int status(struct ctl *ctl)
{
    GuardStatusRequest none = TOM__RL__V1__GUARD_STATUS_REQUEST__INIT;
    const GuardHealthReply *health;
    const void *reply;
    int code = ctl_ask(ctl, SUBJECT_GUARD_STATUS, &none, &reply);

    if (code != EXIT_OK || ctl->args.json)
        return code;
    const GuardStatusReply *r = reply;
    printf("limits %s   base %s   %zu may speak   %zu blacklisted%s\n\n", r->guard_version, r->base_variant, r->n_eligible,
           r->n_blacklisted_variants, r->frozen ? "   FROZEN: all traffic goes to base" : "");
    print_head();
    if (r->n_stages)
        qsort(r->stages, r->n_stages, sizeof *r->stages, by_key);
    for (size_t i = 0; i < r->n_stages && code == EXIT_OK; i++)
        if ((code = ask_health(ctl, r->stages[i]->key, &health)) == EXIT_OK)
            print_row(ctl, health);
    for (size_t i = 0; i < r->n_pins; i++)
        printf("%s%-20s pinned to %s\n", i ? "" : "\n", r->pins[i]->key, r->pins[i]->value);
    return code;
}

static int health(struct ctl *ctl, const char *variant)
{
    const GuardHealthReply *h;
    int code = ask_health(ctl, variant, &h);

    if (code != EXIT_OK || ctl->args.json)
        return code;
    print_head();
    print_row(ctl, h);
    return EXIT_OK;
}

static int command(struct ctl *ctl)
{
    GuardCommandRequest *request;
    const char *user = getenv("USER");
    const void *reply;
    int code = ctl_message(ctl, &tom__rl__v1__guard_command_request__descriptor, (void **)&request);

    if (code != EXIT_OK)
        return code;
    request->command = arena_str(&ctl->arena, ctl->args.words[0]);
    request->who = arena_str(&ctl->arena, user ? user : "");
    if (ctl->args.word_count > 1)
        request->policy_variant = arena_str(&ctl->arena, ctl->args.words[1]);
    code = ctl_ask(ctl, SUBJECT_GUARD_COMMAND, request, &reply);
    if (code == EXIT_OK && !ctl->args.json)
        printf("%s\n", ((const GuardCommandReply *)reply)->status);
    return code;
}

int verb_guard(struct ctl *ctl)
{
    const struct args *args = &ctl->args;

    if (args->word_count == 0)
        return status(ctl);
    /* What begins like an id is one; the guard knows the commands. */
    return args->word_count == 1 && args->words[0][0] == 'v' ? health(ctl, args->words[0]) : command(ctl);
}
