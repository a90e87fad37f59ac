/* SPDX-License-Identifier: Apache-2.0 */
/* rating.c - ratings as people speak them: the grammar in sentences, and every line of tests/data/rating_utterances.tsv. */
#include "rating.h"

#include <stdlib.h>

#include "test.h"

enum { ROWS = 6 }; /* none, 1 .. 5 */

struct utterance_line {
    int truth; /* 0: none */
    bool silent;
    const char *language, *text;
};

struct section {
    char name[64];
    int truth_said[ROWS][ROWS], lines;
};

static struct rating parse(const struct utterance_line *l)
{
    if (strcmp(l->language, "dtmf") == 0)
        return rating_of_keys(l->text);
    return rating_of_text(l->text, strcmp(l->language, "en") == 0 ? RATING_ENGLISH : RATING_GERMAN);
}

static bool split(char *line, struct utterance_line *ret)
{
    char *part[4] = {line, NULL, NULL, NULL};

    line[strcspn(line, "\n")] = '\0';
    for (int i = 1; i < 4 && part[i - 1]; i++) {
        part[i] = strchr(part[i - 1], '\t');
        if (part[i])
            *part[i]++ = '\0';
    }
    if (!part[2])
        return false;
    *ret = (struct utterance_line){part[0][0] == '-' ? 0 : atoi(part[0]), part[3] && strcmp(part[3], "silent") == 0, part[1], part[2]};
    return true;
}

static void check_line(const struct utterance_line *l, int number, struct section *s)
{
    struct rating r = parse(l);
    int expected = l->silent ? 0 : l->truth;

    s->truth_said[l->truth][r.value]++;
    s->lines++;
    if (r.value != expected)
        test_fail(__FILE__, __LINE__, "line %d: \"%s\" is %d (%s, %s), not %d", number, l->text, r.value, rating_method_text(r.method),
                  rating_reason_text(r.reason), expected);
}

/* With RL_PRINT_CONFUSION in the environment: the tables of docs/ratings.md. */
static void print_table(const struct section *s)
{
    static const char *const names[] = {"none", "1", "2", "3", "4", "5"};
    int wrong = 0, silent = 0;

    printf("\n%s: %d answers\n\n| meant \\ heard | none | 1 | 2 | 3 | 4 | 5 |\n| --- | --- | --- | --- | --- | --- | --- |\n", s->name, s->lines);
    for (int t = 0; t < ROWS; t++) {
        printf("| %s |", names[t]);
        for (int h = 0; h < ROWS; h++) {
            printf(" %d |", s->truth_said[t][h]);
            wrong += h && h != t ? s->truth_said[t][h] : 0;
            silent += t && !h ? s->truth_said[t][h] : 0;
        }
        printf("\n");
    }
    printf("\nwrong numbers %d, ratings not heard %d\n", wrong, silent);
}

TEST(unit_rating, every_labelled_answer_is_read_as_labelled)
{
    FILE *f = fopen(RL_SOURCE_DIR "/tests/data/rating_utterances.tsv", "r");
    struct section sections[8] = {0};
    char line[512];
    int number = 0, all = 0, wrong = 0;
    size_t section = 0;

    CHECK(f != NULL);
    while (f && fgets(line, sizeof line, f)) {
        struct utterance_line l;
        number++;
        if (line[0] == '[')
            snprintf(sections[++section].name, sizeof sections[0].name, "%.*s", (int)strcspn(line + 1, "]"), line + 1);
        else if (line[0] != '#' && line[0] != '\n' && split(line, &l))
            check_line(&l, number, &sections[section]);
        else if (line[0] != '#' && line[0] != '\n')
            test_fail(__FILE__, __LINE__, "line %d has no three columns", number);
    }
    for (size_t s = 1; s <= section; s++) {
        for (int t = 0; t < ROWS; t++)
            for (int h = 1; h < ROWS; h++)
                wrong += h != t ? sections[s].truth_said[t][h] : 0;
        all += sections[s].lines;
        if (getenv("RL_PRINT_CONFUSION"))
            print_table(&sections[s]);
    }
    CHECK(all >= 400);
    CHECK(wrong * 200 <= all);
    if (f)
        fclose(f);
}
