/* SPDX-License-Identifier: Apache-2.0 */
/* import.c - moving in: the history of another installation becomes calls here, and its blacklist the guard's.
 *
 * A call is published under the time at which it ended, so its row here is the same however often it is imported. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "import.h"
#include "message_signals.h"
#include "variants.h"

/* ---- one call -------------------------------------------------------------------------------------------------------------- */

void import_refuse(struct importer *im, const char *where, const struct reason *reason)
{
    if (im->refused < IMPORT_REASONS)
        snprintf(im->reasons[im->refused], sizeof im->reasons[0], "%s: %s%s%s", where, reason->field,
                 reason->field[0] ? ": " : "", reason->text);
    im->refused++;
}

static enum status check(const CallEnded *m, struct reason *reason)
{
    if (!m->call_id[0])
        return reason_set(reason, "call_id", "is required");
    if (!HAS(m, has_ts_case) || !(m->ts > 0))
        return reason_set(reason, "ts", "is required, in unix seconds: it makes the call the same one when it is imported again");
    if (!HAS(m, has_policy_variant_case) || !variant_id_valid(m->policy_variant))
        return reason_set(reason, "policy_variant", "is required, and looks like v1a");
    if (!m->signals || !HAS(m->signals, has_resolution_case))
        return reason_set(reason, "signals.resolution", "is required");
    return signals_check(m->signals, reason);
}

bool import_message(struct importer *im, const char *where, CallEnded *m)
{
    struct reason reason = {0};
    const uint8_t *data;

    if (check(m, &reason) != STATUS_OK) {
        import_refuse(im, where, &reason);
        return true;
    }
    im->sent++;
    if (im->dry_run)
        return true;
    struct client_publish out = {.subject = subject_table[SUBJECT_CALL_ENDED].name, .time_us = (int64_t)(m->ts * 1e6)};
    codec_encode(&im->arena, &m->base, false, &data, &out.size);
    out.data = data;
    enum status status = client_publish(im->ctl->client, &out, NULL, NULL, &reason);
    if (status != STATUS_OK)
        im->code = ctl_fail(im->ctl, status, &reason);
    return status == STATUS_OK;
}

bool import_json(struct importer *im, const char *where, const char *event)
{
    ProtobufCMessage *body = NULL;
    struct reason reason;
    bool json, going = true;

    if (codec_decode(&im->arena, &tom__rl__v1__call_ended__descriptor, event, strlen(event), MAX_PAYLOAD, &json, &body,
                     &reason) == STATUS_OK)
        going = import_message(im, where, (CallEnded *)body);
    else
        import_refuse(im, where, &reason);
    arena_reset(&im->arena);
    return going;
}

/* ---- the guard's part ------------------------------------------------------------------------------------------------------ */

static json_t *load_object(const char *path)
{
    json_error_t error;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);

    if (json_is_object(root))
        return root;
    fprintf(stderr, "error: %s:%d: %s\n", path, root ? 1 : error.line, root ? "is no object" : error.text);
    json_decref(root);
    return NULL;
}

static bool listed(const json_t *list, const char *id)
{
    size_t i;
    const json_t *item;

    json_array_foreach(list, i, item)
        if (json_is_string(item) && strcmp(json_string_value(item), id) == 0)
            return true;
    return false;
}

static int command(struct importer *im, const char *name, const char *variant, const char *path)
{
    GuardCommandRequest q = TOM__RL__V1__GUARD_COMMAND_REQUEST__INIT;
    const void *reply;
    const char *user = getenv("USER");

    printf("  guard       %s %s%s\n", name, variant, im->dry_run ? " (would be)" : "");
    q.command = (char *)name;
    q.policy_variant = (char *)variant;
    q.who = (char *)(user ? user : "");
    q.reason = arena_printf(&im->ctl->arena, "imported from %s", path);
    return im->dry_run ? EXIT_OK : ctl_ask(im->ctl, SUBJECT_GUARD_COMMAND, &q, &reply);
}

static bool named(char *const *ids, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(ids[i], id) == 0)
            return true;
    return false;
}

/* What is blacklisted there is blacklisted here; what is not active there is removed here.  What is so already stays. */
static int take_deploy_state(struct importer *im, const char *path)
{
    GuardStatusRequest none = TOM__RL__V1__GUARD_STATUS_REQUEST__INIT;
    const void *reply = NULL;
    json_t *root = load_object(path);
    int code = root ? ctl_ask(im->ctl, SUBJECT_GUARD_STATUS, &none, &reply) : EXIT_ERROR;
    const GuardStatusReply *now = reply;
    const json_t *black = json_object_get(root, "blacklisted_variants"), *active = json_object_get(root, "active_variants");

    for (size_t i = 0; code == EXIT_OK && i < now->n_stages; i++) {
        const char *id = now->stages[i]->key;
        bool base = strcmp(id, now->base_variant) == 0;
        if (listed(black, id) && !base && !named(now->blacklisted_variants, now->n_blacklisted_variants, id))
            code = command(im, "blacklist", id, path);
        else if (json_array_size(active) && !listed(active, id) && !listed(black, id) && !base &&
                 named(now->active_variants, now->n_active_variants, id))
            code = command(im, "remove", id, path);
    }
    for (size_t i = 0; code == EXIT_OK && i < json_array_size(black); i++) {
        const char *id = json_string_value(json_array_get(black, i));
        bool known = false;
        for (size_t k = 0; id && k < now->n_stages; k++)
            known = known || strcmp(now->stages[k]->key, id) == 0;
        if (id && !known)
            printf("  guard       %s is blacklisted there and unknown here: nothing to do\n", id);
    }
    json_decref(root);
    return code;
}

/* ---- the reports ----------------------------------------------------------------------------------------------------------- */

static int check_variants(struct importer *im, const char *path)
{
    struct variants variants;
    struct reason reason;

    if (variants_load(&im->ctl->arena, path, &variants, &reason) != STATUS_OK) {
        fprintf(stderr, "error: %s\n", reason.text);
        return EXIT_ERROR;
    }
    printf("  variants    %s is valid: %zu variants, base %s; to use it: RL_VARIANTS_PATH=%s and a restart\n", path,
           variants.count, variants.items[variants.base].id, path);
    return EXIT_OK;
}

static void report(const struct importer *im)
{
    unsigned long long read = im->sent + im->refused;

    if (im->ctl->args.json) {
        printf("{\"read\":%llu,\"sent\":%llu,\"refused\":%llu,\"dry_run\":%s}\n", read, (unsigned long long)im->sent,
               (unsigned long long)im->refused, im->dry_run ? "true" : "false");
        return;
    }
    printf("  calls       %llu read, %llu %s, %llu refused\n", read, (unsigned long long)im->sent,
           im->dry_run ? "would be sent" : "sent", (unsigned long long)im->refused);
    for (uint64_t i = 0; i < im->refused && i < IMPORT_REASONS; i++)
        printf("  refused     %s\n", im->reasons[i]);
    if (im->refused > IMPORT_REASONS)
        printf("  refused     ... and %llu more\n", (unsigned long long)im->refused - IMPORT_REASONS);
}

/* ---- the verb -------------------------------------------------------------------------------------------------------------- */

static int take_calls(struct importer *im, const char *format, const char *file)
{
    static const struct {
        const char *name;
        bool (*read)(struct importer *, const char *);
    } formats[] = {{"tom3", import_tom3}, {"csv", import_csv}, {"jsonl", import_jsonl}};

    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(formats[i].name, format) == 0) {
            bool ok = !file || formats[i].read(im, file);
            return ok ? EXIT_OK : im->code ? im->code : EXIT_ERROR;
        }
    return ctl_usage("format", "there is tom3, csv and jsonl");
}

int verb_import(struct ctl *ctl)
{
    const struct args *a = &ctl->args;
    bool tom3 = strcmp(a->words[0], "tom3") == 0;
    const char *file = tom3 ? args_get(a, "--feedback-db") : a->word_count > 1 ? a->words[1] : NULL;
    const char *bandit = args_get(a, "--bandit-state"), *deploy = args_get(a, "--deploy-state"),
               *variants = args_get(a, "--variants");
    struct importer im = {.ctl = ctl, .dry_run = args_get(a, "--dry-run") != NULL};

    if (!file && !(tom3 && (bandit || deploy || variants)))
        return ctl_usage("", tom3 ? "name at least one of --feedback-db, --bandit-state, --deploy-state, --variants"
                                  : "name a file, or - for standard input");
    int code = variants ? check_variants(&im, variants) : EXIT_OK;
    if (code == EXIT_OK && ((file && !im.dry_run) || deploy))
        code = ctl_connect(ctl);
    if (code == EXIT_OK)
        code = take_calls(&im, a->words[0], file);
    if (code == EXIT_OK && file)
        report(&im);
    if (code == EXIT_OK && tom3 && (bandit || file))
        code = import_state(&im, bandit, file != NULL);
    if (code == EXIT_OK && deploy)
        code = take_deploy_state(&im, deploy);
    arena_done(&im.arena);
    return code == EXIT_OK && im.refused ? EXIT_ERROR : code;
}
