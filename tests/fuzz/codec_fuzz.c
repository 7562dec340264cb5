/* No bytes crash the decoder; and what it takes for a message, it encodes and decodes to the same message
 * again. */
#include "proto/codec.h"
#include "proto/json_form.h"
#include "proto/topic.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct decoder *decoder;
    static struct message first, second;
    static char packed[MESSAGE_BYTES_MAX], json[JSON_FORM_MAX];
    char topic[TOPIC_MAX];
    struct drops drops = {0};
    if (!decoder && !(decoder = decoder_new()))
        abort();
    if (!codec_decode(decoder, bytes, len, &first, &drops)) {
        uint64_t counted = 0;
        for (int why = 0; why < DROP_COUNT; why++)
            counted += drops.count[why];
        if (counted != 1 || drops.count[DROP_NONE] != 0 || drops.last[0] == '\0')
            abort();
        return 0;
    }
    size_t packed_len = codec_encode(&first, packed, sizeof(packed));
    if (packed_len == 0 || !codec_decode(decoder, packed, packed_len, &second, &drops))
        abort();
    if (!message_equal(&first, &second))
        abort();
    if (json_form(&first, json, sizeof(json)) == 0 || topic_of(&first, topic) == 0)
        abort();
    return 0;
}
