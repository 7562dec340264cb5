/* Whatever the structure walk lets through, our reader takes, and reads as msgpack-c's own does. */
#include "proto/codec.h"
#include "proto/guard.h"
#include "proto/unpack.h"

#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void compare(const struct value *ours, const msgpack_object *theirs)
{
    switch ((enum value_type)ours->type) {
    case VALUE_NIL:
        must(theirs->type == MSGPACK_OBJECT_NIL);
        break;
    case VALUE_BOOL:
        must(theirs->type == MSGPACK_OBJECT_BOOLEAN && theirs->via.boolean == (ours->number == 1));
        break;
    case VALUE_UINT:
        must(theirs->type == MSGPACK_OBJECT_POSITIVE_INTEGER && theirs->via.u64 == ours->number);
        break;
    case VALUE_NEGATIVE:
        must(theirs->type == MSGPACK_OBJECT_NEGATIVE_INTEGER && theirs->via.i64 == (int64_t)ours->number);
        break;
    case VALUE_FLOAT:
        must(theirs->type == MSGPACK_OBJECT_FLOAT32 || theirs->type == MSGPACK_OBJECT_FLOAT64);
        break;
    case VALUE_STR:
        must(theirs->type == MSGPACK_OBJECT_STR && theirs->via.str.size == ours->size);
        must(ours->size == 0 || memcmp(theirs->via.str.ptr, ours->text, ours->size) == 0);
        break;
    case VALUE_BYTES:
        must(theirs->type == MSGPACK_OBJECT_BIN);
        break;
    case VALUE_EXTENSION:
        must(theirs->type == MSGPACK_OBJECT_EXT);
        break;
    case VALUE_ARRAY:
        must(theirs->type == MSGPACK_OBJECT_ARRAY && theirs->via.array.size == ours->size);
        for (uint32_t i = 0; i < ours->size; i++)
            compare(&ours->items[i], &theirs->via.array.ptr[i]);
        break;
    case VALUE_MAP:
        must(theirs->type == MSGPACK_OBJECT_MAP && theirs->via.map.size == ours->size);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct value values[MESSAGE_BYTES_MAX];
    struct value_pool pool = {.values = values, .cap = len};
    struct value ours;
    msgpack_zone zone;
    msgpack_object theirs;
    size_t at = 0;
    size_t offset = 0;
    if (len == 0 || len > MESSAGE_BYTES_MAX || guard_walk(bytes, len, &at) != GUARD_WHOLE)
        return 0;
    must(at == len && unpack_value(bytes, len, &pool, &ours));
    msgpack_zone_init(&zone, 64 * 1024);
    must(msgpack_unpack((const char *)bytes, len, &offset, &zone, &theirs) == MSGPACK_UNPACK_SUCCESS);
    must(offset == len);
    compare(&ours, &theirs);
    msgpack_zone_destroy(&zone);
    return 0;
}
