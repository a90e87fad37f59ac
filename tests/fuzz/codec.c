/* SPDX-License-Identifier: Apache-2.0 */
/* codec.c - libFuzzer: what the codec accepts, it can say again in both encodings, and means the same.
 *
 * Not part of the build; after `ninja -C build/dev rl_proto`, from the top folder:
 *
 *     clang -g -O1 -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Icommon/pure -Icommon/run \
 *         -Ibuild/dev/proto tests/fuzz/codec.c common/run/codec*.c common/run/wiring.c common/pure/{arena,status,utf8}.c \
 *         build/dev/proto/tom/rl/v1/[a-z]*.c -lprotobuf-c -ljansson -lcrypto -lm -o /tmp/fuzz-codec \
 *         && /tmp/fuzz-codec -max_total_time=120
 *
 * The first byte of the input picks the message type, the rest is the payload. */
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "wiring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ProtobufCMessageDescriptor *type_of(uint8_t pick)
{
    const struct subject_info *subject = &subject_table[pick / 2 % SUBJECT_COUNT];

    return pick % 2 && subject->reply ? subject->reply : subject->message;
}

/* Encodes, decodes, and gives the protobuf bytes of what came back. */
static void again(struct arena *arena, const ProtobufCMessage *message, bool json, const uint8_t **ret_data, size_t *ret_size)
{
    const uint8_t *said;
    size_t size;
    bool was_json;
    struct reason reason;
    ProtobufCMessage *heard;

    codec_encode(arena, message, json, &said, &size);
    if (codec_decode(arena, message->descriptor, said, size, SIZE_MAX, &was_json, &heard, &reason) != STATUS_OK)
        abort();
    codec_encode(arena, heard, false, ret_data, ret_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct reason reason = {"", ""};
    ProtobufCMessage *message;
    const uint8_t *first, *wire, *text;
    size_t first_size, wire_size, text_size;
    bool json;

    if (size == 0)
        return 0;
    enum status status = codec_decode(&arena, type_of(data[0]), data + 1, size - 1, MAX_PAYLOAD, &json, &message, &reason);
    if (status != STATUS_OK && (status != STATUS_INVALID || !reason.text[0]))
        abort();
    if (status == STATUS_OK) {
        codec_encode(&arena, message, false, &first, &first_size);
        again(&arena, message, false, &wire, &wire_size);
        again(&arena, message, true, &text, &text_size);
        if (first_size != wire_size || first_size != text_size || memcmp(first, wire, wire_size) ||
            memcmp(first, text, text_size))
            abort();
    }
    arena_done(&arena);
    return 0;
}
