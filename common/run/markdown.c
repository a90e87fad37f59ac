/* SPDX-License-Identifier: Apache-2.0 */
/* markdown.c - what the reference pages are printed with. */
#include "markdown.h"

#include <stdio.h>

void markdown_print(const char *text)
{
    for (; *text; text++) {
        if (*text == '<')
            fputs("&lt;", stdout);
        else if (*text == '|')
            fputs("\\|", stdout);
        else
            putchar(*text);
    }
}
