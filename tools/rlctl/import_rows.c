/* SPDX-License-Identifier: Apache-2.0 */
/* import_rows.c - the sources: feedback.db of the described system, CSV, and JSON lines. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "import.h"
#include "store.h"

enum { LINE_MAX_BYTES = 65536, FIELDS_MAX = 32 };

const struct csv_column csv_columns[CSV_COLUMNS] = {
    {"call_id", "call_id"}, {"ts", "ts"}, {"agent", "agent"}, {"profile", "profile"}, {"policy_variant", "policy_variant"},
    {"resolution", "signals.resolution"}, {"user_rating", "signals.user_rating"}, {"barge_in_count", "signals.barge_in_count"},
    {"handover", "signals.handover"}, {"duration_sec", "signals.duration_sec"}, {"repeats", "signals.repeats"},
    {"escalation", "signals.escalation"}, {"satisfaction", "signals.satisfaction"}};

static FILE *open_file(struct importer *im, const char *path)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");

    if (!file) {
        fprintf(stderr, "error: %s: %s\n", path, strerror(errno));
        im->code = EXIT_ERROR;
    }
    return file;
}

/* ---- feedback.db ----------------------------------------------------------------------------------------------------------- */

static const char *const tom3_columns[] = {"id", "call_id", "ts", "agent", "profile", "policy_variant", "signals", NULL};

static bool open_tom3(struct importer *im, const char *path, struct store **ret)
{
    struct reason reason;

    if (store_open_foreign(path, ret, &reason) != STATUS_OK) {
        fprintf(stderr, "error: %s\n", reason.text);
        return false;
    }
    for (int i = 0; tom3_columns[i]; i++)
        if (!store_has_column(*ret, "feedback", tom3_columns[i])) {
            fprintf(stderr, "error: %s: there is no column %s in a table feedback;"
                            " is it the feedback.db of the described system?\n", path, tom3_columns[i]);
            *ret = store_close(*ret);
            return false;
        }
    (void)im;
    return true;
}

static char *event_of_row(const struct query *q)
{
    json_t *event = json_pack("{s:s, s:f, s:s, s:s, s:s}", "call_id", query_text(q, 1), "ts", query_real(q, 2), "agent",
                              query_text(q, 3), "profile", query_text(q, 4), "policy_variant", query_text(q, 5));
    json_t *signals = json_loads(query_text(q, 6), JSON_REJECT_DUPLICATES, NULL);
    char *text = NULL;

    if (event && signals && json_object_set_new(event, "signals", signals) == 0)
        text = json_dumps(event, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(event);
    return text;
}

bool import_tom3(struct importer *im, const char *path)
{
    struct store *store = NULL;
    bool row = false, going = true;

    if (!open_tom3(im, path, &store)) {
        im->code = EXIT_ERROR;
        return false;
    }
    struct query *q = store_query(store,
                                  "SELECT id, call_id, ts, agent, profile, policy_variant, signals FROM feedback ORDER BY id");
    enum status status;
    while ((status = query_step(q, &row)) == STATUS_OK && row && going) {
        char *event = event_of_row(q), where[64];
        snprintf(where, sizeof where, "row %lld", (long long)query_int(q, 0));
        struct reason reason;
        if (event) {
            going = import_json(im, where, event);
        } else {
            reason_set(&reason, "signals", "is no JSON object");
            import_refuse(im, where, &reason);
        }
        free(event);
    }
    query_reset(q);
    store_close(store);
    return status == STATUS_OK && going;
}

/* ---- JSON lines ------------------------------------------------------------------------------------------------------------ */

bool import_jsonl(struct importer *im, const char *path)
{
    FILE *file = open_file(im, path);
    char *line = NULL, where[64];
    size_t capacity = 0;
    bool going = file != NULL;

    for (long number = 1; going && getline(&line, &capacity, file) >= 0; number++) {
        line[strcspn(line, "\r\n")] = '\0';
        snprintf(where, sizeof where, "line %ld", number);
        if (line[strspn(line, " \t")])
            going = import_json(im, where, line);
    }
    free(line);
    if (file && file != stdin)
        fclose(file);
    return going;
}

/* ---- CSV ------------------------------------------------------------------------------------------------------------------- */

int csv_read(FILE *file, struct arena *arena, const char **ret_fields, int most)
{
    char *at = arena_alloc(arena, LINE_MAX_BYTES), *start = at, *end = at + LINE_MAX_BYTES - 1;
    int c = getc(file), count = 0;
    bool quoted = false;

    if (c == EOF)
        return -1;
    for (; at < end; c = getc(file)) {
        bool ends = c == EOF || (!quoted && (c == ',' || c == '\n'));
        if (quoted && c == EOF)
            return -2;
        if (c == '"' && quoted) { /* its end, or one of its characters */
            c = getc(file);
            quoted = c == '"';
            ungetc(c, file);
            if (quoted)
                *at++ = (char)getc(file);
        } else if (c == '"' && at == start) {
            quoted = true;
        } else if (!ends && c != '\r') {
            *at++ = (char)c;
        }
        if (!ends)
            continue;
        *at++ = '\0';
        if (count < most)
            ret_fields[count++] = start;
        start = at;
        if (c != ',')
            return count;
    }
    return -2;
}

/* The fields that the header names, by column; false: a name is unknown. */
static bool read_header(const char **names, int count, const char **ret_fields)
{
    for (int i = 0; i < count; i++) {
        ret_fields[i] = NULL;
        for (int k = 0; k < CSV_COLUMNS; k++)
            if (strcmp(csv_columns[k].name, names[i]) == 0)
                ret_fields[i] = csv_columns[k].field;
        if (ret_fields[i])
            continue;
        fprintf(stderr, "error: line 1: there is no column \"%.40s\"; there are:", names[i]);
        for (int k = 0; k < CSV_COLUMNS; k++)
            fprintf(stderr, " %s", csv_columns[k].name);
        fputc('\n', stderr);
        return false;
    }
    return count > 0;
}

static bool take_line(struct importer *im, const char *where, const char *const *fields, const char *const *values, int count)
{
    CallEnded *m = codec_new(&im->arena, &tom__rl__v1__call_ended__descriptor);
    struct reason reason;
    enum status status = STATUS_OK;

    for (int i = 0; i < count && status == STATUS_OK; i++)
        if (values[i][0])
            status = payload_set(&im->arena, &m->base, fields[i], values[i], &reason);
    if (status == STATUS_OK)
        return import_message(im, where, m);
    import_refuse(im, where, &reason);
    return true;
}

bool import_csv(struct importer *im, const char *path)
{
    FILE *file = open_file(im, path);
    const char *fields[FIELDS_MAX], *values[FIELDS_MAX];
    char where[64];
    struct reason reason;
    struct arena header = {0};
    int columns = file ? csv_read(file, &header, values, FIELDS_MAX) : -1, count = 0;
    bool going = columns > 0 && read_header(values, columns, fields);

    im->code = going || im->code != EXIT_OK ? im->code : EXIT_ERROR;
    for (long number = 2; going && (count = csv_read(file, &im->arena, values, FIELDS_MAX)) != -1; number++) {
        snprintf(where, sizeof where, "line %ld", number);
        if (count == columns) {
            going = take_line(im, where, fields, values, count);
        } else if (count != 1 || values[0][0]) { /* not an empty line */
            reason_set(&reason, "", count == -2 ? "a quote that does not end, or a line of more than 64 KiB"
                                                : "%d columns; the header has %d", count, columns);
            import_refuse(im, where, &reason);
        }
        arena_reset(&im->arena);
    }
    arena_done(&header);
    if (file && file != stdin)
        fclose(file);
    return going || count == -1;
}
