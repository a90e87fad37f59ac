/* SPDX-License-Identifier: Apache-2.0 */
/* yaml_file.c - loading with libyaml, and the rules that hold in every file of ours. */
#include "yaml_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

enum { MAX_FILE_NODES = 100000 };

enum status yaml_file_fail(const struct yaml_file *file, const yaml_node_t *node, struct reason *reason, const char *key,
                           const char *fmt, ...)
{
    char rule[200];
    va_list args;

    va_start(args, fmt);
    vsnprintf(rule, sizeof rule, fmt, args);
    va_end(args);
    return reason_fail(reason, STATUS_CONFIG, key, "%s:%zu: %s%s%s", file->path, node ? node->start_mark.line + 1 : 1, key,
                       *key ? ": " : "", rule);
}

yaml_node_t *yaml_file_root(struct yaml_file *file)
{
    yaml_node_t *root = yaml_document_get_root_node(&file->document);

    return root && root->type == YAML_MAPPING_NODE ? root : NULL;
}

/* A plain ~ or null says that there is no value. */
static bool is_null(const yaml_node_t *node)
{
    const char *text = (const char *)node->data.scalar.value;

    return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE
           && (strcmp(text, "~") == 0 || strcmp(text, "null") == 0 || strcmp(text, "Null") == 0 || strcmp(text, "NULL") == 0);
}

const char *yaml_file_text(const yaml_node_t *node)
{
    return node && node->type == YAML_SCALAR_NODE && !is_null(node) ? (const char *)node->data.scalar.value : NULL;
}

bool yaml_file_entry(struct yaml_file *file, const yaml_node_t *node, size_t i, yaml_node_t **ret_key, yaml_node_t **ret_value)
{
    yaml_document_t *document = &file->document;

    if (!node || node->type != (ret_key ? YAML_MAPPING_NODE : YAML_SEQUENCE_NODE))
        return false;
    if (!ret_key) {
        const yaml_node_item_t *item = node->data.sequence.items.start + i;
        if (item >= node->data.sequence.items.top)
            return false;
        *ret_value = yaml_document_get_node(document, *item);
        return true;
    }
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start + i;
    if (pair >= node->data.mapping.pairs.top)
        return false;
    *ret_key = yaml_document_get_node(document, pair->key);
    *ret_value = yaml_document_get_node(document, pair->value);
    return true;
}

yaml_node_t *yaml_file_get(struct yaml_file *file, const yaml_node_t *mapping, const char *key)
{
    yaml_node_t *k, *value;

    for (size_t i = 0; yaml_file_entry(file, mapping, i, &k, &value); i++)
        if (strcmp(yaml_file_text(k), key) == 0)
            return value;
    return NULL;
}

/* Where the parser gave up: a line of the file, its number, and the key that it seems to set. */
struct place {
    size_t line;
    char key[64];
    bool tab; /* indented by a tab */
};

static void read_place(const char *line, struct place *ret)
{
    size_t indent = strspn(line, " \t"), dash = strspn(line + indent, "- "),
           word = strcspn(line + indent + dash, ":\"'{}[],# \t\r\n");
    const char *key = line + indent + dash;

    ret->tab = memchr(line, '\t', indent) != NULL;
    if (key[word] == ':' && word < sizeof ret->key && utf8_valid(key, word))
        snprintf(ret->key, sizeof ret->key, "%.*s", (int)word, key);
}

/* A byte that is no character is known by its offset, anything else by its line (from 0; past the end: the last one). */
static struct place find_place(const struct yaml_file *file, size_t line, bool by_offset, size_t offset)
{
    struct place place = {.line = 1};
    FILE *in = fopen(file->path, "re");
    char *text = NULL;
    size_t capacity = 0, at = 0;
    ssize_t size;

    for (size_t n = 0; in && (size = getline(&text, &capacity, in)) > 0; n++) {
        at += (size_t)size;
        place = (struct place){.line = n + 1};
        read_place(text, &place);
        if (by_offset ? at > offset : n >= line)
            break;
    }
    free(text);
    if (in)
        fclose(in);
    return place;
}

static enum status check_mapping(struct yaml_file *file, const yaml_node_t *mapping, struct reason *reason)
{
    yaml_node_t *key, *earlier, *value;

    for (size_t i = 0; yaml_file_entry(file, mapping, i, &key, &value); i++) {
        const char *name = yaml_file_text(key);
        if (!name)
            return yaml_file_fail(file, key, reason, "", "a key must be a word");
        if (value <= mapping)
            return yaml_file_fail(file, key, reason, name, "holds itself");
        for (size_t j = 0; j < i && yaml_file_entry(file, mapping, j, &earlier, &value); j++)
            if (strcmp(yaml_file_text(earlier), name) == 0)
                return yaml_file_fail(file, key, reason, name, "given twice, first in line %zu", earlier->start_mark.line + 1);
    }
    return STATUS_OK;
}

/* The nodes lie in one array in the order of the file, so that no depth of nesting matters; an alias of
 * something around it points back. */
static enum status check_nodes(struct yaml_file *file, struct reason *reason)
{
    const yaml_node_t *root = yaml_document_get_root_node(&file->document), *top = file->document.nodes.top;
    enum status status = STATUS_OK;
    yaml_node_t *value;

    if (root && root->type != YAML_MAPPING_NODE)
        return yaml_file_fail(file, root, reason, "", "a file consists of \"key: value\" lines");
    if (top - file->document.nodes.start > MAX_FILE_NODES)
        return yaml_file_fail(file, NULL, reason, "", "larger than any file of this kind");
    for (const yaml_node_t *node = file->document.nodes.start; node < top && status == STATUS_OK; node++) {
        if (node->type == YAML_MAPPING_NODE)
            status = check_mapping(file, node, reason);
        for (size_t i = 0; status == STATUS_OK && yaml_file_entry(file, node, i, NULL, &value); i++)
            if (value <= node)
                status = yaml_file_fail(file, node, reason, "", "a list holds itself");
        if (node->type == YAML_SCALAR_NODE && strlen((const char *)node->data.scalar.value) != node->data.scalar.length)
            status = yaml_file_fail(file, node, reason, find_place(file, node->start_mark.line, false, 0).key,
                                    "a value holds a NUL");
    }
    return status;
}

static enum status parse_failed(const struct yaml_file *file, const yaml_parser_t *parser, struct reason *reason)
{
    bool reader = parser->error == YAML_READER_ERROR;
    struct place place = find_place(file, parser->problem_mark.line, reader, parser->problem_offset);
    const char *context = !reader && parser->context ? parser->context : "",
               *problem = parser->problem ? parser->problem : "not YAML";

    /* Never closed: where it was opened. */
    if (*context && (strstr(problem, "end of stream") || place.line <= parser->problem_mark.line))
        place = find_place(file, parser->context_mark.line, false, 0);
    if (place.tab) {
        problem = "indented by a tab; YAML wants spaces";
        context = "";
    }
    return reason_fail(reason, STATUS_CONFIG, place.key, "%s:%zu: %s%s%s%s%s", file->path, place.line, place.key,
                       place.key[0] ? ": " : "", problem, *context ? ", " : "", context);
}

static enum status load(struct yaml_file *file, FILE *in, struct reason *reason)
{
    yaml_parser_t parser;
    yaml_document_t second;
    enum status status;

    if (!yaml_parser_initialize(&parser))
        return reason_fail(reason, STATUS_CONFIG, "", "%s: no memory", file->path);
    yaml_parser_set_input_file(&parser, in);
    if (!yaml_parser_load(&parser, &file->document)) {
        status = parse_failed(file, &parser, reason);
        yaml_parser_delete(&parser);
        return status;
    }
    status = check_nodes(file, reason);
    if (status == STATUS_OK && !yaml_parser_load(&parser, &second)) {
        status = parse_failed(file, &parser, reason);
    } else if (status == STATUS_OK) {
        yaml_node_t *more = yaml_document_get_root_node(&second);
        if (more)
            status = yaml_file_fail(file, more, reason, "", "a second document; a file holds one");
        yaml_document_delete(&second);
    }
    yaml_parser_delete(&parser);
    if (status != STATUS_OK)
        yaml_document_delete(&file->document);
    return status;
}

enum status yaml_file_open(const char *path, struct yaml_file *ret, struct reason *reason)
{
    FILE *in = fopen(path, "re");
    struct yaml_file file = {.path = path};
    enum status status;

    if (!in)
        return reason_fail(reason, STATUS_CONFIG, "", "%s: %s", path, strerror(errno));
    status = load(&file, in, reason);
    fclose(in);
    if (status == STATUS_OK)
        *ret = file;
    return status;
}

void yaml_file_close(struct yaml_file *file) { yaml_document_delete(&file->document); }
