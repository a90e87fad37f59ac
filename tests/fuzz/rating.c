/* SPDX-License-Identifier: Apache-2.0 */
/* rating.c - libFuzzer: whatever a recogniser writes, the parser gives 1 to 5 or none, and says why.
 *
 * Not part of the build; from the top folder:
 *
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Icommon/pure tests/fuzz/rating.c \
 *         common/pure/rating*.c common/pure/utf8.c -o /tmp/fuzz-rating && /tmp/fuzz-rating -max_len=700 -max_total_time=60
 *
 * The first byte of the input picks the language, or keys; tests/data/rating_utterances.tsv, a line a file, is a good corpus. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rating.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char *text = malloc(size);
    if (!text)
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    struct rating r = data[0] % 3 == 0 ? rating_of_keys(text)
                                       : rating_of_text(text, data[0] % 3 == 1 ? RATING_GERMAN : RATING_ENGLISH);
    bool has = r.value >= 1 && r.value <= 5;
    if ((r.value != 0) != has || has != (r.method != RATING_NONE) || has != (r.reason == RATING_CLEAR) ||
        has != (r.confidence > 0) || r.confidence > 1)
        abort();
    free(text);
    return 0;
}
