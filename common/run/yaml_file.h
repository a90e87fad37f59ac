/* SPDX-License-Identifier: Apache-2.0 */
/* yaml_file.h - a YAML file as a tree of nodes that know their line; what config and variants read.
 * Only here is yaml.h included. */
#ifndef RL_YAML_FILE_H
#define RL_YAML_FILE_H

#include <yaml.h>

#include "status.h"

struct yaml_file {
    const char *path;
    yaml_document_t document;
};

/* One document whose top is a mapping (or nothing at all); every key is a plain word that its mapping holds once, and nothing
 * holds itself.  STATUS_CONFIG says file, line and rule; then there is nothing to close. */
enum status yaml_file_open(const char *path, struct yaml_file *ret, struct reason *reason) MUST_CHECK;
void yaml_file_close(struct yaml_file *file);

/* The top mapping; NULL when the file says nothing. */
yaml_node_t *yaml_file_root(struct yaml_file *file);

/* The value of a key; NULL when `mapping` is NULL, no mapping, or has no such key. */
yaml_node_t *yaml_file_get(struct yaml_file *file, const yaml_node_t *mapping, const char *key);

/* Walks a mapping or a sequence: entry number `i`.  Mappings give the key too (ret_key NULL:
 * sequences).  False beyond the last. */
bool yaml_file_entry(struct yaml_file *file, const yaml_node_t *node, size_t i, yaml_node_t **ret_key, yaml_node_t **ret_value);

/* A scalar's text; NULL for anything else, also for ~ and null. */
const char *yaml_file_text(const yaml_node_t *node);

/* STATUS_CONFIG with field `key` and text "file:line: key: rule"; node NULL: line 1. */
enum status yaml_file_fail(const struct yaml_file *file, const yaml_node_t *node, struct reason *reason, const char *key,
                           const char *fmt, ...) PRINTF_LIKE(5, 6);

#endif
