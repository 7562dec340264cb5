/* Open baskets stay; finished ones are kept, with their orders and trades, for late words of them until their
 * room is needed: the oldest goes first. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/text.h"
#include "services/exec/exec_internal.h"

int remembered_open(struct exec *self)
{
    self->baskets = pool_new(BASKETS_MAX, sizeof(struct hand_basket));
    self->orders = pool_new(ORDERS_MAX, sizeof(struct hand_order));
    self->trades = pool_new(TRADES_MAX, sizeof(struct booked_trade));
    self->hashed = calloc(ORDER_HASHES, sizeof *self->hashed);
    return self->baskets && self->orders && self->trades && self->hashed ? OK : E_FULL;
}

void remembered_close(struct exec *self)
{
    pool_destroy(&self->baskets);
    pool_destroy(&self->orders);
    pool_destroy(&self->trades);
    free(self->hashed);
}

static struct hand_order **bucket(const struct exec *self, const char *client_id)
{
    uint64_t hash = fnv1a(FNV_OFFSET, client_id, strlen(client_id));
    return &self->hashed[(hash ^ hash >> 32) % ORDER_HASHES];
}

static void append(struct basket_list *list, struct hand_basket *b)
{
    b->before = list->last;
    b->after = NULL;
    *(list->last ? &list->last->after : &list->first) = b;
    list->last = b;
    list->n++;
}

static void withdraw(struct basket_list *list, struct hand_basket *b)
{
    *(b->before ? &b->before->after : &list->first) = b->after;
    *(b->after ? &b->after->before : &list->last) = b->before;
    list->n--;
}

static void forget_order(struct exec *self, struct hand_order *o)
{
    struct hand_order **link = bucket(self, o->told.client_id);
    while (*link != o)
        link = &(*link)->same_hash;
    *link = o->same_hash;
    for (struct booked_trade *t = o->trades, *next; t; t = next) {
        next = t->next;
        pool_give(self->trades, t);
    }
    pool_give(self->orders, o);
}

static void forget_oldest(struct exec *self)
{
    struct hand_basket *b = self->finished.first;
    withdraw(&self->finished, b);
    for (struct hand_order *o = b->first, *next; o; o = next) {
        next = o->next;
        forget_order(self, o);
    }
    pool_give(self->baskets, b);
    self->forgotten++;
}

static bool has_room(const struct exec *self, uint32_t orders)
{
    return pool_taken(self->baskets) < BASKETS_MAX && pool_taken(self->orders) + orders <= ORDERS_MAX &&
           pool_taken(self->trades) < TRADES_MAX;
}

bool remembered_has_room(struct exec *self, uint32_t orders)
{
    while (!has_room(self, orders) && self->finished.first)
        forget_oldest(self);
    return has_room(self, orders);
}

static struct hand_basket *find_in(const struct basket_list *list, struct place decision)
{
    for (struct hand_basket *b = list->last; b; b = b->before) {
        if (b->told.risk_pos == decision.pos && b->told.risk_epoch == decision.epoch)
            return b;
    }
    return NULL;
}

struct hand_basket *remembered_basket(struct exec *self, struct place decision)
{
    struct hand_basket *b = find_in(&self->open, decision);
    return b ? b : find_in(&self->finished, decision);
}

struct hand_basket *remembered_take_basket(struct exec *self)
{
    struct hand_basket *b = remembered_has_room(self, 0) ? pool_take(self->baskets) : NULL;
    if (b)
        append(&self->open, b);
    return b;
}

void remembered_finish(struct exec *self, struct hand_basket *b)
{
    withdraw(&self->open, b);
    append(&self->finished, b);
}

struct hand_order *remembered_order(const struct exec *self, const char *client_id)
{
    struct hand_order *o = *bucket(self, client_id);
    while (o && strcmp(o->told.client_id, client_id) != 0)
        o = o->same_hash;
    return o;
}

struct hand_order *remembered_take_order(struct exec *self, struct hand_basket *b, const char *client_id)
{
    struct hand_order *o = remembered_has_room(self, 1) ? pool_take(self->orders) : NULL;
    if (!o)
        return NULL;
    struct hand_order **head = bucket(self, client_id);
    text_set(o->told.client_id, sizeof o->told.client_id, client_id);
    o->same_hash = *head;
    *head = o;
    o->basket = b;
    *(b->last ? &b->last->next : &b->first) = o;
    b->last = o;
    return o;
}

bool remembered_trade(const struct hand_order *o, const char *trade_id)
{
    for (const struct booked_trade *t = o->trades; t; t = t->next) {
        if (strcmp(t->id, trade_id) == 0)
            return true;
    }
    return false;
}

void remembered_take_trade(struct exec *self, struct hand_order *o, const char *trade_id)
{
    struct booked_trade *t = pool_take(self->trades);
    if (!t)
        return; /* room was seen to before; a basket with a pool's worth of trades is not followed further */
    text_set(t->id, sizeof t->id, trade_id);
    t->next = o->trades;
    o->trades = t;
}
