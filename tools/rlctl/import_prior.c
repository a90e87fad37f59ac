/* SPDX-License-Identifier: Apache-2.0 */
/* import_prior.c - the other bandit's bandit_state.json becomes a prior of ours; unless its history came, too,
 * which says the same and more.
 *
 * What it learned is written as a file of priors where the bandit looks at its start.  The text depends on the state alone, so
 * that importing again writes the same. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "atomic_file.h"
#include "import.h"
#include "prior_file.h"

#define MARK "Written by rlctl import tom3, which replaces it, and takes it away when it imports the history."

enum { TEXT_LIMIT = 1 << 20 };

/* What lies there; "" nothing. */
static const char *read_text(const char *path, struct arena *arena)
{
    char *text = arena_alloc(arena, TEXT_LIMIT);
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(text, 1, TEXT_LIMIT - 1, f) : 0;

    if (f)
        fclose(f);
    text[n] = '\0';
    return text;
}

static bool is_ours(const char *text) { return strncmp(text, "# " MARK "\n", strlen(MARK) + 3) == 0; }

static int fail(const struct reason *reason)
{
    fprintf(stderr, "error: %s\n", reason->text);
    return EXIT_ERROR;
}

static int load(struct importer *im, const char *path, struct variants *ret_variants, struct prior_file *ret)
{
    const char *own = args_get(&im->ctl->args, "--variants");
    struct prior_terms terms = {.profiles = &im->ctl->config.profiles, .variants = ret_variants};
    struct reason reason;

    if (variants_load(&im->ctl->arena, own ? own : im->ctl->config.variants_path, ret_variants, &reason) != STATUS_OK ||
        prior_file_load(&im->ctl->arena, path, &terms, ret, &reason) != STATUS_OK)
        return fail(&reason);
    return EXIT_OK;
}

/* What the other bandit had learned; calls over all variants. */
static double print_rows(const struct prior_file *file, const struct variants *variants)
{
    double calls = 0;

    for (size_t i = 0; i < file->count; i++) {
        const struct prior_row *r = &file->rows[i];
        bool known = variants_find(variants, r->variant) >= 0;
        printf("  bandit      %-5s %8.0f calls there, mean reward %+.4f%s%s%s\n", r->variant, r->calls, r->mean,
               r->cell[0] ? " in " : "", r->cell, known ? "" : "; no variant here: left out until it is one");
        calls += r->calls;
    }
    return calls;
}

/* A prior beside the history would count the same calls twice. */
static int history_wins(struct importer *im)
{
    const char *place = prior_file_place(im->ctl->config.data_dir, &im->ctl->arena), *there = read_text(place, &im->ctl->arena);

    if (is_ours(there)) {
        printf("  prior       %s, of an earlier import, %s: the history says the same and more; restart the bandit\n", place,
               im->dry_run ? "would be taken away" : "is taken away");
        if (!im->dry_run && unlink(place) != 0) {
            fprintf(stderr, "error: %s: %s\n", place, strerror(errno));
            return EXIT_ERROR;
        }
    } else if (there[0]) {
        printf("  prior       %s stays; if it tells of the same calls, remove it: they would count twice\n", place);
    }
    return EXIT_OK;
}

static int put(struct importer *im, const struct prior_file *file)
{
    const char *place = prior_file_place(im->ctl->config.data_dir, &im->ctl->arena), *there = read_text(place, &im->ctl->arena);
    const char *text = prior_file_text(file, MARK, &im->ctl->arena);
    struct reason reason;

    if (there[0] && !is_ours(there)) {
        fprintf(stderr, "error: %s is there, and not from an import: move it away, or write these variants into it\n", place);
        return EXIT_ERROR;
    }
    if (strcmp(there, text) == 0) {
        printf("  prior       %s holds this already\n", place);
        return EXIT_OK;
    }
    if (!im->dry_run && atomic_file_write(place, text, strlen(text), 0640, &reason) != STATUS_OK)
        return fail(&reason);
    printf("  prior       %s %s: a variant counts as at most bandit.prior_strength calls; restart the bandit to use it\n", place,
           im->dry_run ? "would be written" : "is written");
    return EXIT_OK;
}

int import_state(struct importer *im, const char *path, bool history)
{
    struct variants variants;
    struct prior_file file = {0};
    double calls = 0;
    int code = path ? load(im, path, &variants, &file) : EXIT_OK;

    if (code != EXIT_OK)
        return code;
    if (path)
        calls = print_rows(&file, &variants);
    if (!history)
        return put(im, &file);
    if (path && im->sent && calls != (double)im->sent)
        printf("  bandit      %.0f calls there, %llu in its history: here the history counts, and no prior is placed\n", calls,
               (unsigned long long)im->sent);
    return history_wins(im);
}
