/* Messages to bytes: codec.h's codec_encode. */
#include "proto/codec.h"
#include "proto/guard.h"

#include <msgpack.h>
#include <string.h>

enum { ENVELOPE_FIELDS = 9, TRACE_FIELDS = 5 };

struct span {
    char *at;
    char *end;
    bool full; /* something did not fit */
};

static int span_write(void *data, const char *bytes, size_t len)
{
    struct span *span = data;
    if (len == 0)
        return 0;
    if (len > (size_t)(span->end - span->at)) {
        span->full = true;
        return -1;
    }
    /* msgpack-c hands a number over as it stored it: a type byte, then 1, 2, 4 or 8 bytes. Copies of the same
     * shape read what is still on its way to the cache; one copy of the whole would wait for it. */
    *span->at = *bytes;
    switch (len) {
    case 1:
        break;
    case 2:
        span->at[1] = bytes[1];
        break;
    case 3:
        memcpy(span->at + 1, bytes + 1, 2);
        break;
    case 5:
        memcpy(span->at + 1, bytes + 1, 4);
        break;
    case 9:
        memcpy(span->at + 1, bytes + 1, 8);
        break;
    default:
        memcpy(span->at, bytes, len);
    }
    span->at += len;
    return 0;
}

static bool write_text(msgpack_packer *pk, const char *text, size_t size)
{
    size_t len = strnlen(text, size);
    if (len == size)
        return false;
    len = guard_text(text, len);
    msgpack_pack_str(pk, len);
    msgpack_pack_str_body(pk, text, len);
    return true;
}

static bool write_money(msgpack_packer *pk, const void *at)
{
    money amount;
    char text[MONEY_TEXT_MAX];
    memcpy(&amount, at, sizeof(amount));
    size_t len = money_format(amount, text);
    msgpack_pack_str(pk, len);
    msgpack_pack_str_body(pk, text, len);
    return true;
}

static bool exponent_fits(int64_t exp)
{
    return exp >= DEC_EXP_MIN && exp <= DEC_EXP_MAX;
}

static bool write_dec(msgpack_packer *pk, const struct dec *v)
{
    if (!exponent_fits(v->exp))
        return false;
    msgpack_pack_array(pk, 2);
    msgpack_pack_int64(pk, v->m);
    msgpack_pack_int8(pk, v->exp);
    return true;
}

static bool write_enum(msgpack_packer *pk, const struct enum_kind *values, const void *at)
{
    int32_t number;
    memcpy(&number, at, sizeof(number));
    if (!enum_listed(values, number))
        return false;
    msgpack_pack_int32(pk, number);
    return true;
}

static bool write_record(msgpack_packer *pk, const struct field *fields, const char *record);

static bool write_list(msgpack_packer *pk, const struct field *f, const char *record)
{
    uint32_t count;
    memcpy(&count, record + f->count_offset, sizeof(count));
    if (count > f->max)
        return false;
    const struct field *fields = f->record->fields();
    msgpack_pack_array(pk, count);
    for (uint32_t i = 0; i < count; i++)
        if (!write_record(pk, fields, record + f->offset + (size_t)i * f->size))
            return false;
    return true;
}

/* False where the value is none that the dictionary allows. A full span is found at the end, by its flag. */
static bool write_field(msgpack_packer *pk, const struct field *f, const char *record)
{
    const void *at = record + f->offset;
    switch (f->kind) {
    case FIELD_U64:
        msgpack_pack_uint64(pk, *(const uint64_t *)at);
        return true;
    case FIELD_I64:
    case FIELD_TIME:
    case FIELD_MONO:
    case FIELD_PRICE:
    case FIELD_QTY:
        msgpack_pack_int64(pk, *(const int64_t *)at);
        return true;
    case FIELD_U32:
        msgpack_pack_uint32(pk, *(const uint32_t *)at);
        return true;
    case FIELD_I32:
        msgpack_pack_int32(pk, *(const int32_t *)at);
        return true;
    case FIELD_BOOL:
        *(const bool *)at ? msgpack_pack_true(pk) : msgpack_pack_false(pk);
        return true;
    case FIELD_EXP:
        msgpack_pack_int8(pk, *(const int8_t *)at);
        return exponent_fits(*(const int8_t *)at);
    case FIELD_DEC:
        return write_dec(pk, at);
    case FIELD_MONEY:
        return write_money(pk, at);
    case FIELD_STR:
        return write_text(pk, at, f->size);
    case FIELD_ENUM:
        return write_enum(pk, f->values, at);
    case FIELD_LIST:
        return write_list(pk, f, record);
    }
    return false;
}

static bool write_record(msgpack_packer *pk, const struct field *fields, const char *record)
{
    msgpack_pack_array(pk, count_of_fields(fields));
    for (const struct field *f = fields; f->name; f++)
        if (!write_field(pk, f, record))
            return false;
    return true;
}

static void write_trace(msgpack_packer *pk, const struct trace *t)
{
    size_t hops = HOP_COUNT;
    while (hops > 0 && t->hop[hops - 1] == 0)
        hops--;
    if (hops == 0 && t->venue_time == 0 && t->recv_utc == 0 && t->recv_mono == 0 && t->boot_id == 0) {
        msgpack_pack_nil(pk);
        return;
    }
    msgpack_pack_array(pk, TRACE_FIELDS);
    msgpack_pack_int64(pk, t->venue_time);
    msgpack_pack_int64(pk, t->recv_utc);
    msgpack_pack_int64(pk, t->recv_mono);
    msgpack_pack_uint64(pk, t->boot_id);
    msgpack_pack_array(pk, hops);
    for (size_t i = 0; i < hops; i++)
        msgpack_pack_int64(pk, t->hop[i]);
}

size_t codec_encode(const struct message *m, void *out, size_t cap)
{
    const struct message_kind *kind = message_kind(m->env.type);
    if (!kind)
        return 0;
    struct span span = {.at = out, .end = (char *)out + (cap < MESSAGE_BYTES_MAX ? cap : MESSAGE_BYTES_MAX)};
    msgpack_packer pk;
    msgpack_packer_init(&pk, &span, span_write);
    msgpack_pack_array(&pk, ENVELOPE_FIELDS);
    msgpack_pack_uint32(&pk, PROTO_VERSION);
    msgpack_pack_uint32(&pk, m->env.type);
    if (!write_text(&pk, m->env.stream, sizeof(m->env.stream)))
        return 0;
    msgpack_pack_uint64(&pk, m->env.epoch);
    msgpack_pack_uint64(&pk, m->env.seq);
    msgpack_pack_uint64(&pk, m->env.pos);
    msgpack_pack_int64(&pk, m->env.time_out);
    write_trace(&pk, &m->env.trace);
    if (!write_record(&pk, kind->body->fields(), (const char *)&m->inst) || span.full)
        return 0;
    return (size_t)(span.at - (char *)out);
}
