/* SPDX-License-Identifier: Apache-2.0 */
/* yaml_file.h - a YAML file as a tree whose nodes know their lines; errors name file, line and key. */
#ifndef RL_YAML_FILE_H
#define RL_YAML_FILE_H

#include <yaml.h>

#include "status.h"

struct yaml_file {
    const char *path;
    yaml_document_t document;
};

/* STATUS_CONFIG: "path:line: reason".  A file that is empty is a mapping without keys: root NULL. */
enum status yaml_file_load(const char *path, struct yaml_file *ret, struct reason *reason) MUST_CHECK;
void yaml_file_done(struct yaml_file *file);

yaml_node_t *yaml_root(struct yaml_file *file);
yaml_node_t *yaml_node(struct yaml_file *file, int index);
const char *yaml_text(const yaml_node_t *node); /* of a scalar; NULL when it is none */

/* "path:line: ..." with status STATUS_CONFIG; field is the key. */
enum status yaml_fail(struct reason *reason, const struct yaml_file *file, const yaml_node_t *node, const char *field, const char *fmt, ...)
    PRINTF_LIKE(5, 6);

/* Value of a key of a mapping, or NULL. */
yaml_node_t *yaml_get(struct yaml_file *file, const yaml_node_t *mapping, const char *key);

/* A mapping whose keys are text, each once. */
enum status yaml_check_mapping(struct yaml_file *file, const yaml_node_t *node, const char *field, struct reason *reason) MUST_CHECK;

#endif
