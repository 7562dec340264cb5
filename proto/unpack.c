#include "proto/unpack.h"

#include <msgpack/unpack.h>
#include <msgpack/unpack_define.h>

/* What the template calls at each value. Negative: stop. */

static inline struct value values_root(struct value_pool **pool)
{
    (void)pool;
    return (struct value){.type = VALUE_NIL};
}

static inline int put_number(struct value *v, uint64_t number, enum value_type type)
{
    *v = (struct value){.number = number, .type = type};
    return 0;
}

static inline int values_unsigned(struct value_pool **pool, uint64_t number, struct value *v)
{
    (void)pool;
    return put_number(v, number, VALUE_UINT);
}

static inline int values_signed(struct value_pool **pool, int64_t number, struct value *v)
{
    (void)pool;
    return put_number(v, (uint64_t)number, number < 0 ? VALUE_NEGATIVE : VALUE_UINT);
}

static inline int values_real(struct value_pool **pool, double number, struct value *v)
{
    (void)pool;
    (void)number;
    return put_number(v, 0, VALUE_FLOAT);
}

static inline int values_nil(struct value_pool **pool, struct value *v)
{
    (void)pool;
    return put_number(v, 0, VALUE_NIL);
}

static inline int values_true(struct value_pool **pool, struct value *v)
{
    (void)pool;
    return put_number(v, 1, VALUE_BOOL);
}

static inline int values_false(struct value_pool **pool, struct value *v)
{
    (void)pool;
    return put_number(v, 0, VALUE_BOOL);
}

static inline int values_array(struct value_pool **pool, uint32_t count, struct value *v)
{
    struct value_pool *p = *pool;
    if (count > p->cap - p->used)
        return -1;
    *v = (struct value){.items = p->values + p->used, .type = VALUE_ARRAY};
    p->used += count;
    return 0;
}

static inline int values_array_item(struct value_pool **pool, struct value *array, struct value item)
{
    (void)pool;
    array->items[array->size++] = item;
    return 0;
}

static inline int values_map(struct value_pool **pool, uint32_t count, struct value *v)
{
    (void)pool;
    *v = (struct value){.size = count, .type = VALUE_MAP};
    return 0;
}

static inline int values_map_item(struct value_pool **pool, struct value *map, struct value key,
                                  struct value item)
{
    (void)pool;
    (void)map;
    (void)key;
    (void)item;
    return 0;
}

static inline int put_text(struct value *v, const char *at, uint32_t size, enum value_type type)
{
    *v = (struct value){.text = at, .size = size, .type = type};
    return 0;
}

/* An empty text has no bytes of its own: the template gives what it last had for its address. */
static inline int values_str(struct value_pool **pool, const char *frame, const char *at, uint32_t size,
                             struct value *v)
{
    (void)pool;
    return put_text(v, size > 0 ? at : frame, size, VALUE_STR);
}

static inline int values_bin(struct value_pool **pool, const char *frame, const char *at, uint32_t size,
                             struct value *v)
{
    (void)pool;
    return put_text(v, size > 0 ? at : frame, size, VALUE_BYTES);
}

static inline int values_ext(struct value_pool **pool, const char *frame, const char *at, uint32_t size,
                             struct value *v)
{
    (void)pool;
    return put_text(v, size > 0 ? at : frame, size, VALUE_EXTENSION);
}

#define values_uint8  values_unsigned
#define values_uint16 values_unsigned
#define values_uint32 values_unsigned
#define values_uint64 values_unsigned
#define values_int8   values_signed
#define values_int16  values_signed
#define values_int32  values_signed
#define values_int64  values_signed
#define values_float  values_real
#define values_double values_real

#define msgpack_unpack_struct(name)     struct values##name
#define msgpack_unpack_func(type, name) static type values##name
#define msgpack_unpack_callback(name)   values##name
#define msgpack_unpack_object           struct value
#define msgpack_unpack_user             struct value_pool *

#include <msgpack/unpack_template.h>

bool unpack_value(const void *bytes, size_t len, struct value_pool *pool, struct value *out)
{
    struct values_context context;
    size_t offset = 0;
    pool->used = 0;
    context.user = pool;
    values_init(&context);
    if (values_execute(&context, bytes, len, &offset) <= 0)
        return false;
    *out = values_data(&context);
    return true;
}
