/* SPDX-License-Identifier: Apache-2.0 */
/* yaml_file.c - loading with libyaml, and the rules that hold in every file of ours. */
#include "yaml_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

const char *yaml_file_text(const yaml_node_t *node)
{
    return node && node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
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

/* The nodes lie in one array in the order of the file, so that no depth of nesting matters; an alias of something around it points back. */
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
            status = yaml_file_fail(file, node, reason, "", "a value holds a NUL");
    }
    return status;
}

static enum status parse_failed(const struct yaml_file *file, const yaml_parser_t *parser, struct reason *reason)
{
    return reason_fail(reason, STATUS_CONFIG, "", "%s:%zu: %s%s%s", file->path, parser->problem_mark.line + 1,
                       parser->problem ? parser->problem : "not YAML", parser->context ? ", " : "", parser->context ? parser->context : "");
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
        if (yaml_document_get_root_node(&second))
            status = reason_fail(reason, STATUS_CONFIG, "", "%s: more than one document", file->path);
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
