#include "services/recorder/ring.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/pool.h"

bool ring_open(struct ring *r, size_t size)
{
    *r = (struct ring){.bytes = room_new(size, 1), .size = size};
    return r->bytes;
}

void ring_close(struct ring *r)
{
    free(r->bytes);
    *r = (struct ring){0};
}

static void write_bytes(struct ring *r, const void *bytes, size_t len)
{
    size_t first = r->size - r->tail;
    first = first < len ? first : len;
    memcpy(r->bytes + r->tail, bytes, first);
    memcpy(r->bytes, (const char *)bytes + first, len - first);
    r->tail = (r->tail + len) % r->size;
    r->used += len;
}

static void peek(const struct ring *r, size_t at, void *bytes, size_t len)
{
    at = (r->head + at) % r->size;
    size_t first = r->size - at;
    first = first < len ? first : len;
    memcpy(bytes, r->bytes + at, first);
    memcpy((char *)bytes + first, r->bytes, len - first);
}

bool ring_put(struct ring *r, const struct message *m)
{
    const struct message_kind *kind = message_kind(m->env.type);
    if (!kind)
        return false;
    uint32_t len = (uint32_t)(offsetof(struct message, inst) + kind->body->size);
    if (r->size - r->used < sizeof len + len)
        return false;
    write_bytes(r, &len, sizeof len);
    write_bytes(r, m, len);
    r->records++;
    return true;
}

void ring_look(const struct ring *r, struct message *m)
{
    uint32_t len;
    peek(r, 0, &len, sizeof len);
    peek(r, sizeof len, m, len);
}

void ring_look_envelope(const struct ring *r, struct envelope *env)
{
    peek(r, sizeof(uint32_t), env, sizeof *env);
}

void ring_drop(struct ring *r)
{
    uint32_t len;
    peek(r, 0, &len, sizeof len);
    r->head = (r->head + sizeof len + len) % r->size;
    r->used -= sizeof len + len;
    r->records--;
}

bool ring_cut(struct ring *r, uint64_t first_pos, struct envelope *last)
{
    struct ring rest = *r;
    struct envelope env;
    bool any = false;
    for (; rest.records > 0; ring_drop(&rest)) {
        ring_look_envelope(&rest, &env);
        if (env.pos >= first_pos)
            break;
        *last = env;
        any = true;
    }
    r->tail = rest.head;
    r->used -= rest.used;
    r->records -= rest.records;
    return any;
}

void ring_empty(struct ring *r)
{
    r->head = r->tail = r->used = 0;
    r->records = 0;
}
