/* Messages on their way: packets that several may hold, and queues of them with the times of their arrival. */
#include <stdlib.h>
#include <string.h>

#include "tests/simulation/network.h"

void packet_add(struct packet *p, const void *bytes, size_t len)
{
    if (p->n == FRAMES_MAX)
        violated("a message of more than %d frames", FRAMES_MAX);
    p->bytes[p->n] = malloc(len ? len : 1);
    memcpy(p->bytes[p->n], bytes, len);
    p->len[p->n++] = len;
}

void packet_release(struct packet *p)
{
    if (!p || --p->uses > 0)
        return;
    for (uint32_t i = 0; i < p->n; i++)
        free(p->bytes[i]);
    free(p);
}

struct packet *packet_new(void)
{
    struct packet *p = calloc(1, sizeof *p);
    if (!p)
        violated("out of memory");
    p->uses = 1;
    return p;
}

void queue_put(struct queue *q, struct packet *p, int64_t at_ns)
{
    if (q->n == q->capacity) {
        const uint32_t capacity = q->capacity ? 2 * q->capacity : 16;
        void *items = malloc(capacity * sizeof *q->items);
        if (!items)
            violated("out of memory");
        struct queue grown = {.items = items, .n = q->n, .capacity = capacity, .last_ns = q->last_ns};
        for (uint32_t i = 0; i < q->n; i++)
            grown.items[i] = q->items[(q->head + i) % q->capacity];
        free(q->items);
        *q = grown;
    }
    q->items[(q->head + q->n) % q->capacity].packet = p;
    q->items[(q->head + q->n++) % q->capacity].at_ns = at_ns;
    q->last_ns = at_ns;
    p->uses++;
}

int64_t queue_first_ns(const struct queue *q)
{
    return q->n ? q->items[q->head].at_ns : NEVER;
}

struct packet *queue_take(struct queue *q)
{
    struct packet *p = q->items[q->head].packet;
    q->head = (q->head + 1) % q->capacity;
    q->n--;
    return p;
}

void queue_keep(struct queue *q, uint32_t keep)
{
    while (q->n > keep)
        packet_release(q->items[(q->head + --q->n) % q->capacity].packet);
    q->last_ns = q->n ? q->items[(q->head + q->n - 1) % q->capacity].at_ns : 0;
}

uint32_t queue_arrived(const struct queue *q)
{
    uint32_t n = 0;
    while (n < q->n && q->items[(q->head + n) % q->capacity].at_ns <= world.mono_ns)
        n++;
    return n;
}

void queue_break_off(struct queue *q)
{
    const uint32_t here = queue_arrived(q);
    uint32_t sent = here;
    while (sent < q->n && q->items[(q->head + sent) % q->capacity].at_ns != NEVER)
        sent++;
    queue_keep(q, here + (uint32_t)draw(sent - here + 1));
}

void queue_hurry(struct queue *q)
{
    const int64_t soon_ns = world.mono_ns + NS_PER_MS;
    for (uint32_t i = 0; i < q->n; i++) {
        int64_t *at_ns = &q->items[(q->head + i) % q->capacity].at_ns;
        if (*at_ns > soon_ns && *at_ns != NEVER)
            *at_ns = soon_ns;
    }
    if (q->last_ns > soon_ns)
        q->last_ns = soon_ns;
}
