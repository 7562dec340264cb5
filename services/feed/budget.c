#include "services/feed/budget.h"

#include <string.h>

enum { RING = BUDGET_SLOTS + 1 };

void budget_open(struct budget *b, uint32_t limit, int64_t window_ns)
{
    memset(b, 0, sizeof *b);
    b->limit = limit;
    b->slot_ns = window_ns / BUDGET_SLOTS > 0 ? window_ns / BUDGET_SLOTS + 1 : 1;
}

static void advance(struct budget *b, int64_t now_ns)
{
    int64_t slot = now_ns / b->slot_ns;
    if (slot <= b->slot)
        return;
    int64_t passed = slot - b->slot < RING ? slot - b->slot : RING;
    for (int64_t i = 0; i < passed; i++)
        b->used[(slot - i) % RING] = 0;
    b->slot = slot;
}

uint32_t budget_used(struct budget *b, int64_t now_ns)
{
    uint32_t sum = 0;
    advance(b, now_ns);
    for (int i = 0; i < RING; i++)
        sum += b->used[i];
    return sum;
}

bool budget_has(struct budget *b, uint32_t n, int64_t now_ns)
{
    if (n > b->limit)
        n = b->limit;
    return b->limit == 0 || budget_used(b, now_ns) + n <= b->limit;
}

bool budget_take(struct budget *b, uint32_t n, int64_t now_ns)
{
    if (!budget_has(b, n, now_ns))
        return false;
    b->used[b->slot % RING] += b->limit && n > b->limit ? b->limit : n;
    return true;
}
