/* SPDX-License-Identifier: Apache-2.0 */
/* markdown.h - what the reference pages are printed with. */
#ifndef RL_MARKDOWN_H
#define RL_MARKDOWN_H

/* Prints a sentence into a cell of a table, so that it reads as it stands: no tag, no further column. */
void markdown_print(const char *text);

#endif
