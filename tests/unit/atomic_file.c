/* SPDX-License-Identifier: Apache-2.0 */
/* atomic_file.c - a file is the old one or the new one, and nothing else is left in its folder. */
#include "atomic_file.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

static const char *path_of(const char *name)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/%s", test_dir(), name);
    return path;
}

static enum status write_text(const char *name, const char *text, struct reason *reason)
{
    return atomic_file_write(path_of(name), text, strlen(text), 0600, reason);
}

static size_t read_back(const char *name, char *data, size_t size)
{
    FILE *in = fopen(path_of(name), "rb");
    size_t n = in ? fread(data, 1, size - 1, in) : 0;

    data[n] = '\0';
    if (in)
        fclose(in);
    return n;
}

static int entries(void)
{
    DIR *folder = opendir(test_dir());
    int n = 0;

    while (readdir(folder))
        n++;
    closedir(folder);
    return n - 2; /* . and .. */
}

TEST(unit_atomic_file, the_new_content_replaces_the_old_whole)
{
    struct reason reason = {0};
    char text[64];

    CHECK_INT(write_text("state.json", "a longer old content", &reason), STATUS_OK);
    CHECK_INT(write_text("state.json", "new", &reason), STATUS_OK);
    read_back("state.json", text, sizeof text);
    CHECK_STR(text, "new");
    CHECK_INT(entries(), 1);
}

TEST(unit_atomic_file, bytes_of_any_kind_and_none_are_written)
{
    struct reason reason = {0};
    char data[8];

    CHECK_INT(atomic_file_write(path_of("bytes"), "a\0b\xff", 4, 0600, &reason), STATUS_OK);
    CHECK_INT(read_back("bytes", data, sizeof data), 4);
    CHECK(memcmp(data, "a\0b\xff", 4) == 0);
    CHECK_INT(atomic_file_write(path_of("bytes"), NULL, 0, 0600, &reason), STATUS_OK);
    CHECK_INT(read_back("bytes", data, sizeof data), 0);
}

TEST(unit_atomic_file, the_mode_is_that_of_the_new_file_also_over_an_open_one)
{
    struct reason reason = {0};
    struct stat st;

    CHECK_INT(atomic_file_write(path_of("secret"), "x", 1, 0644, &reason), STATUS_OK);
    CHECK_INT(atomic_file_write(path_of("secret"), "y", 1, 0600, &reason), STATUS_OK);
    CHECK_INT(stat(path_of("secret"), &st), 0);
    CHECK_INT(st.st_mode & 0777, 0600);
}

TEST(unit_atomic_file, who_has_the_old_one_open_reads_it_to_its_end)
{
    struct reason reason = {0};
    char text[16] = "";

    CHECK_INT(write_text("state", "old", &reason), STATUS_OK);
    FILE *reader = fopen(path_of("state"), "rb");
    CHECK_INT(write_text("state", "new", &reason), STATUS_OK);
    CHECK(fread(text, 1, sizeof text, reader) == 3);
    fclose(reader);
    CHECK_STR(text, "old");
}

TEST(unit_atomic_file, a_folder_that_is_not_there_is_said_with_its_path)
{
    struct reason reason = {0};

    CHECK_INT(write_text("nowhere/state", "x", &reason), STATUS_STORE);
    CHECK(strstr(reason.text, "nowhere/state") && strstr(reason.text, "No such file"));
}

TEST(unit_atomic_file, when_the_rename_fails_what_was_there_stays_and_no_temporary)
{
    struct reason reason = {0};
    struct stat st;

    CHECK_INT(mkdir(path_of("state"), 0700), 0); /* a file does not replace a folder */
    CHECK_INT(write_text("state", "x", &reason), STATUS_STORE);
    CHECK(strstr(reason.text, "/state: "));
    CHECK_INT(stat(path_of("state"), &st), 0);
    CHECK(S_ISDIR(st.st_mode));
    CHECK_INT(entries(), 1);
}
