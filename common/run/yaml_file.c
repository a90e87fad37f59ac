/* SPDX-License-Identifier: Apache-2.0 */
/* yaml_file.c - libyaml's document API, with words for what went wrong. */
#include "yaml_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum status yaml_fail(struct reason *reason, const struct yaml_file *file, const yaml_node_t *node, const char *field, const char *fmt, ...)
{
    char text[sizeof reason->text];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return reason_fail(reason, STATUS_CONFIG, field, "%s:%zu: %s", file->path, node ? node->start_mark.line + 1 : 1, text);
}

enum status yaml_file_load(const char *path, struct yaml_file *ret, struct reason *reason)
{
    yaml_parser_t parser;
    FILE *f = fopen(path, "re");

    if (!f)
        return reason_fail(reason, STATUS_CONFIG, "", "%s: %s", path, strerror(errno));
    if (!yaml_parser_initialize(&parser))
        abort();
    yaml_parser_set_input_file(&parser, f);
    bool ok = yaml_parser_load(&parser, &ret->document);
    if (!ok)
        reason_fail(reason, STATUS_CONFIG, "", "%s:%zu: %s", path, parser.problem_mark.line + 1, parser.problem ? parser.problem : "not readable");
    yaml_parser_delete(&parser);
    fclose(f);
    ret->path = path;
    return ok ? STATUS_OK : STATUS_CONFIG;
}

void yaml_file_done(struct yaml_file *file) { yaml_document_delete(&file->document); }

yaml_node_t *yaml_root(struct yaml_file *file) { return yaml_document_get_root_node(&file->document); }

yaml_node_t *yaml_node(struct yaml_file *file, int index) { return yaml_document_get_node(&file->document, index); }

const char *yaml_text(const yaml_node_t *node)
{
    return node && node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

yaml_node_t *yaml_get(struct yaml_file *file, const yaml_node_t *mapping, const char *key)
{
    if (!mapping || mapping->type != YAML_MAPPING_NODE)
        return NULL;
    for (yaml_node_pair_t *p = mapping->data.mapping.pairs.start; p < mapping->data.mapping.pairs.top; p++) {
        const char *text = yaml_text(yaml_node(file, p->key));
        if (text && strcmp(text, key) == 0)
            return yaml_node(file, p->value);
    }
    return NULL;
}

enum status yaml_check_mapping(struct yaml_file *file, const yaml_node_t *node, const char *field, struct reason *reason)
{
    if (!node || node->type != YAML_MAPPING_NODE)
        return yaml_fail(reason, file, node, field, "expected keys with values");
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
        yaml_node_t *key = yaml_node(file, p->key);
        if (!yaml_text(key))
            return yaml_fail(reason, file, key, field, "a key must be text");
        for (yaml_node_pair_t *q = node->data.mapping.pairs.start; q < p; q++)
            if (strcmp(yaml_text(yaml_node(file, q->key)), yaml_text(key)) == 0)
                return yaml_fail(reason, file, key, yaml_text(key), "the key is there twice");
    }
    return STATUS_OK;
}
