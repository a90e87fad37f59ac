/* SPDX-License-Identifier: Apache-2.0 */
/* rating.c - ratings as people speak them: the grammar in sentences, and every line of tests/data/rating_utterances.tsv and
 * rating_fresh.tsv. */
#include "rating.h"

#include <stdlib.h>

#include "test.h"

enum { ROWS = 6, SECTIONS = 24 }; /* none, 1 .. 5 */

struct utterance_line {
    int truth; /* 0: none */
    bool silent, guess; /* rather nothing than the truth; no number was said, words of praise were */
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
    *ret = (struct utterance_line){.truth = part[0][0] == '-' ? 0 : atoi(part[0]), .language = part[1], .text = part[2],
                                   .silent = part[3] && strcmp(part[3], "silent") == 0,
                                   .guess = part[3] && strcmp(part[3], "guess") == 0};
    return true;
}

/* Counted is what feedback takes as it is shipped: praise and a number among unknown words are below
 * feedback.rating_min_confidence, a homophone just not. */
static void check_line(const struct utterance_line *l, int number, struct section *s)
{
    struct rating r = parse(l);
    bool praise = r.method == RATING_PRAISE;
    int expected = l->silent ? 0 : l->truth, heard = praise || r.confidence >= 0.6 ? r.value : 0;

    s->truth_said[l->truth][r.confidence >= 0.6 ? r.value : 0]++;
    s->lines++;
    if (heard != expected && !(l->guess && praise))
        test_fail(__FILE__, __LINE__, "line %d: \"%s\" is %d (%s, %s), not %d", number, l->text, heard,
                  rating_method_text(r.method), rating_reason_text(r.reason), expected);
}

static void add(struct section *all, const struct section *s)
{
    for (int t = 0; t < ROWS; t++)
        for (int h = 0; h < ROWS; h++)
            all->truth_said[t][h] += s->truth_said[t][h];
    all->lines += s->lines;
}

static void write_table(const struct section *s, FILE *out)
{
    static const char *const names[] = {"none", "1", "2", "3", "4", "5"};

    fputs("| meant \\ heard | none | 1 | 2 | 3 | 4 | 5 |\n| --- | --- | --- | --- | --- | --- | --- |\n", out);
    for (int t = 0; t < ROWS; t++) {
        fprintf(out, "| %s |", names[t]);
        for (int h = 0; h < ROWS; h++)
            fprintf(out, " %d |", s->truth_said[t][h]);
        fputs("\n", out);
    }
}

static int wrong_numbers(const struct section *s)
{
    int wrong = 0;

    for (int t = 0; t < ROWS; t++)
        for (int h = 1; h < ROWS; h++)
            wrong += h != t ? s->truth_said[t][h] : 0;
    return wrong;
}

static void read_file(const char *path, struct section *sections, size_t *section)
{
    FILE *f = fopen(path, "r");
    char line[512];
    int number = 0;

    CHECK(f != NULL);
    while (f && fgets(line, sizeof line, f)) {
        struct utterance_line l;
        number++;
        if (line[0] == '[' && *section + 1 < SECTIONS)
            snprintf(sections[++*section].name, sizeof sections[0].name, "%.*s", (int)strcspn(line + 1, "]"), line + 1);
        else if (line[0] != '#' && line[0] != '\n' && split(line, &l))
            check_line(&l, number, &sections[*section]);
        else if (line[0] != '#' && line[0] != '\n')
            test_fail(__FILE__, __LINE__, "line %d of %s has no three columns", number, path);
    }
    if (f)
        fclose(f);
}

/* Both files; with RL_PRINT_CONFUSION in the environment each section's table goes to the standard output. */
static struct section read_all(void)
{
    struct section sections[SECTIONS] = {0}, all = {0};
    size_t section = 0;

    read_file(RL_SOURCE_DIR "/tests/data/rating_utterances.tsv", sections, &section);
    read_file(RL_SOURCE_DIR "/tests/data/rating_fresh.tsv", sections, &section);
    for (size_t s = 1; s <= section; s++) {
        add(&all, &sections[s]);
        if (getenv("RL_PRINT_CONFUSION")) {
            printf("\n%s: %d answers, %d wrong numbers\n\n", sections[s].name, sections[s].lines, wrong_numbers(&sections[s]));
            write_table(&sections[s], stdout);
        }
    }
    return all;
}

TEST(unit_rating, every_labelled_answer_is_read_as_labelled)
{
    struct section all = read_all();

    CHECK(all.lines >= 10700);
    CHECK_INT(wrong_numbers(&all), 0);
}

TEST(unit_rating, the_table_in_the_docs_is_the_one_that_is_measured)
{
    struct section all = read_all();
    char table[2048] = "", page[32768] = "";
    FILE *out = fmemopen(table, sizeof table, "w"), *in = fopen(RL_SOURCE_DIR "/docs/ratings.md", "r");

    CHECK(out && in && fread(page, 1, sizeof page - 1, in) > 0);
    write_table(&all, out);
    fclose(out);
    if (!strstr(page, table))
        test_fail(__FILE__, __LINE__, "docs/ratings.md lacks this table of all %d answers:\n%s", all.lines, table);
    fclose(in);
}

/* ---- the grammar in sentences ---------------------------------------------------------------------------------------------- */

static struct rating de(const char *text) { return rating_of_text(text, RATING_GERMAN); }
static struct rating en(const char *text) { return rating_of_text(text, RATING_ENGLISH); }

#define IS(actual, number, how)                                                              \
    do {                                                                                     \
        struct rating is_r = (actual);                                                       \
        CHECK_INT(is_r.value, number);                                                       \
        CHECK_STR(rating_method_text(is_r.method), how);                                     \
    } while (0)
#define NONE(actual, why)                                                                    \
    do {                                                                                     \
        struct rating none_r = (actual);                                                     \
        CHECK_INT(none_r.value, 0);                                                          \
        CHECK_STR(rating_reason_text(none_r.reason), why);                                   \
        CHECK(none_r.confidence == 0);                                                       \
    } while (0)

TEST(unit_rating, case_and_unicode_form_do_not_matter)
{
    static const char *const fives[] = {"fünf", "FÜNF", "fu\xcc\x88nf", "FU\xcc\x88NF", "fuenf", "Funf", "\xef\xbc\x95",
                                        "5\xef\xb8\x8f\xe2\x83\xa3", "\xe2\x80\x9e"  "Fünf\xe2\x80\x9c",
                                        "\xc2\xa0" "fünf\xe2\x80\x8b", "'fünf'"};

    for (size_t i = 0; i < sizeof fives / sizeof *fives; i++)
        CHECK_INT(de(fives[i]).value, 5);
    IS(en("Fóur"), 4, "number");
}

TEST(unit_rating, a_number_of_someone_else_or_of_another_day_is_none)
{
    NONE(de("Meine Mutter gibt fünf."), "unclear");
    NONE(de("Meine Frau meint, vier."), "unclear");
    NONE(de("Drück mal die Fünf."), "unclear");
    NONE(de("Wenn ihr mich zurückruft, gebe ich fünf."), "unclear");
    NONE(de("Es ist gleich vier."), "unclear");
    NONE(de("Fünf, haha, guter Witz."), "unclear");
    NONE(de("Na klar, fünf, weil ich so gern warte."), "unclear");
    NONE(en("Oh great, a five, because you lost my bag."), "unclear");
    NONE(de("Wenn der Techniker bis zwei da ist, gebe ich fünf."), "unclear");
    NONE(de("Vier. Obwohl, ich weiß nicht."), "withdrawn");
    NONE(en("Three max."), "between");
    NONE(de("Vier oder witzig."), "unclear");
    NONE(en("Last time I gave you a five."), "unclear");
    NONE(en("What do you think, four?"), "unclear");
    NONE(en("Had it worked it would be a five."), "unclear");
    NONE(en("I'd say five but."), "withdrawn");
    NONE(de("Eine Eins."), "grade");
    CHECK_INT(de("Eine Eins, weil mir keiner helfen konnte.").value, 1);
    CHECK_INT(en("vie four").value, 0);
    CHECK_INT(de("vie vier").value, 4);
}

/* Doubt is asked again: such a number is below a homophone, which the shipped threshold just takes. */
TEST(unit_rating, a_number_beside_what_is_not_understood_is_unsure)
{
    static const char *const unsure[] = {"Der Zug hält gleich, fünf.", "Mein Ticket, vier.", "Fünf, so viele Äpfel sind da.",
                                         "Fünf. Niemals.", "Fünf, ist das gut?", "Blaue Pferde gebe ich eine Vier.",
                                         "Was meinten die noch, drei."};
    static const char *const sure[] = {"Die haben mir sofort geholfen, fünf.", "Fünf, mir wurde sofort geholfen.",
                                       "Tadellos, fünf.", "Jo mei, vier.",
                                       "Vier, die Wartezeit war lang.", "Eins, nie wieder.", "Das hat nicht geklappt, zwei."};

    for (size_t i = 0; i < sizeof unsure / sizeof *unsure; i++)
        CHECK(de(unsure[i]).confidence < en("for").confidence);
    for (size_t i = 0; i < sizeof sure / sizeof *sure; i++)
        CHECK(de(sure[i]).confidence > en("for").confidence);
}

TEST(unit_rating, a_tale_of_the_call_leaves_the_number_beside_it)
{
    static const char *const sure[] = {"Vier, mit der Spracherkennung hapert es noch ein bisschen.",
                                       "Du hast mich dauernd unterbrochen, vier.",
                                       "Sie haben mir die Sache gut erläutert und mich nicht gehetzt, also vier.",
                                       "Was wollten Sie? Ach so, vier.",
                                       "das hat mir gut gefallen ich gebe eine vier", "vier und jetzt verbinden Sie mich bitte"};
    static const char *const unsure[] = {"Ich bin am Gleis, vier.", "Ich brauche noch Brötchen, vier.",
                                         "Oma kommt auch, also vier.",
                                         "Vier, das ist mein Stockwerk.", "Welche Taste? Ach so, vier.",
                                         "Mein Sohn ist vier, ich sag vier Minuten.",
                                         "Denken Sie ernsthaft ich geb vier", "Na klar, vier, und ich bin der Kaiser von China."};

    for (size_t i = 0; i < sizeof sure / sizeof *sure; i++)
        CHECK(de(sure[i]).value == 4 && de(sure[i]).confidence > en("for").confidence);
    for (size_t i = 0; i < sizeof unsure / sizeof *unsure; i++)
        CHECK(de(unsure[i]).confidence < en("for").confidence);
}

TEST(unit_rating, the_callers_own_number_stands_last)
{
    CHECK_INT(de("Meine Frau sagt fünf, ich sag vier.").value, 4);
    CHECK_INT(de("Letztes Mal war es eine Zwei, heute vier.").value, 4);
    CHECK_INT(de("Fünf wäre zu viel, vier.").value, 4);
    CHECK_INT(en("My wife says five but I say four.").value, 4);
    CHECK_INT(en("Four to five, so four.").value, 4);
    CHECK_INT(de("Gestern hatte ich drei Anrufe, heute fünf.").value, 0);
    CHECK_INT(de("Mein Chef sagt zwei Tage, also zwei.").value, 0);
    CHECK_INT(en("On a scale of one to ten I'd say three.").value, 0);
}

TEST(unit_rating, a_number_of_a_thing_is_none)
{
    NONE(de("Das war jetzt der Anruf vier."), "unclear");
    NONE(de("Ihr drei."), "unclear");
    NONE(de("Jetzt fünf."), "unclear");
    NONE(en("One call."), "unclear");
    NONE(en("You two."), "unclear");
    NONE(en("A good one."), "unclear");
    NONE(en("No five."), "negated");
    NONE(de("Vergiss die Fünf."), "negated");
    NONE(de("Fünf würde ich geben, aber die Wartezeit war lang."), "withdrawn");
    CHECK_INT(de("Ich gebe Ihnen jetzt eine Fünf.").value, 5);
    CHECK_INT(en("I give you two.").value, 2);
}

TEST(unit_rating, only_whole_words_count)
{
    static const char *const others[] = {"Dokument", "vierfach", "dreist", "einsam", "fünfmal", "zweifellos", "unzufriedenheit"};

    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        CHECK_INT(de(others[i]).value, 0);
    CHECK_INT(en("someone").value, 0);
    CHECK_INT(en("fourteen").value, 0);
}

TEST(unit_rating, says_how_it_knows)
{
    IS(de("vier"), 4, "number");
    IS(de("4 von 5"), 4, "scale");
    IS(de("vier Sterne"), 4, "scale");
    IS(de("eins, nein, zwei"), 2, "correction");
    IS(en("to"), 2, "homophone");
    IS(de("sehr gut"), 5, "praise");
    IS(rating_of_keys("3"), 3, "dtmf");
}

TEST(unit_rating, says_why_not)
{
    NONE(de(""), "empty");
    NONE(de(" ... "), "empty");
    NONE(de("Vielen Dank."), "phantom");
    NONE(de("Untertitelung des ZDF, 2020"), "phantom");
    NONE(en("Thanks for watching"), "phantom");
    NONE(de("keine Ahnung"), "no_answer");
    NONE(de("zehn"), "out_of_range");
    NONE(de("vier bis fünf"), "between");
    NONE(de("4,5"), "between");
    NONE(de("mehr als drei"), "between");
    NONE(de("eine Fünf hierfür, eine Zwei dafür"), "contradiction");
    NONE(de("fünf, schlecht"), "contradiction");
    NONE(de("keine Fünf"), "negated");
    NONE(de("eins, nein"), "withdrawn");
    NONE(de("eine glatte Eins"), "grade");
    NONE(de("ich warte seit vier Wochen"), "unclear");
    NONE(rating_of_keys("6"), "out_of_range");
    NONE(rating_of_keys("12"), "contradiction");
    NONE(rating_of_keys("#"), "empty");
}

TEST(unit_rating, a_sure_answer_is_surer_than_a_guess)
{
    CHECK(rating_of_keys("4").confidence == 1);
    CHECK(de("vier").confidence > de("vielleicht vier").confidence);
    CHECK(de("ich geb vielleicht ne drei äh nein ne vier").confidence > en("for").confidence);
    CHECK(en("for").confidence > de("unmöglich trotzdem geb ich ne vier").confidence);
    CHECK(en("for").confidence > en("good").confidence);
    CHECK(en("good").confidence >= 0.5);
}

TEST(unit_rating, a_homophone_counts_alone_and_in_its_language_only)
{
    CHECK_INT(en("uh, to").value, 2);
    CHECK_INT(en("to me").value, 0);
    CHECK_INT(en("for the record").value, 0);
    CHECK_INT(de("for").value, 0);
    CHECK_INT(de("dry").value, 3);
    CHECK_INT(en("dry").value, 0);
}

TEST(unit_rating, a_number_in_the_other_language_is_still_a_number)
{
    CHECK_INT(en("vier").value, 4);
    CHECK_INT(de("four").value, 4);
}

TEST(unit_rating, an_utterance_of_any_length_has_an_answer)
{
    char text[4000] = "";

    memset(text, '-', sizeof text - 1);
    for (size_t i = 1; i < sizeof text - 1; i += 2)
        text[i] = '5';
    CHECK_INT(de(text).value, 0);
    for (size_t n = 1; n < 700; n += 7) {
        text[n] = '\0';
        CHECK_INT(de(text).value, 0);
        text[n] = '+';
    }
    memset(text, ' ', sizeof text - 1);
    NONE(de(text), "too_long");
    CHECK_INT(de("\xff\xfe vier \xc3").value, 0);
}
