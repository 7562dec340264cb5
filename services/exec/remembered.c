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
    self->hashed = room_new(ORDER_HASHES, sizeof *self->hashed);
    self->hashed_baskets = room_new(BASKET_HASHES, sizeof *self->hashed_baskets);
    self->found = calloc(FOUND_MAX, sizeof *self->found);
    return self->baskets && self->orders && self->trades && self->hashed && self->hashed_baskets &&
                   self->found
               ? OK
               : E_FULL;
}

void remembered_close(struct exec *self)
{
    pool_destroy(&self->baskets);
    pool_destroy(&self->orders);
    pool_destroy(&self->trades);
    free(self->hashed);
    free(self->hashed_baskets);
    free(self->found);
}

static struct hand_order **bucket(const struct exec *self, const char *client_id)
{
    uint64_t hash = hash_words(FNV_OFFSET, client_id, strlen(client_id));
    return &self->hashed[(hash ^ hash >> 32) % ORDER_HASHES];
}

static struct hand_basket **basket_bucket(const struct exec *self, struct place decision)
{
    uint64_t hash = (decision.pos + decision.epoch * 0x9e3779b97f4a7c15u) * 0xff51afd7ed558ccdu;
    return &self->hashed_baskets[(hash >> 32) % BASKET_HASHES];
}

static struct place place_of(const struct hand_basket *b)
{
    return (struct place){b->told.risk_epoch, b->told.risk_pos};
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

/* The oldest finished basket of which no order is open again. */
static struct hand_basket *oldest(const struct exec *self)
{
    struct hand_basket *b = self->finished.first;
    while (b && b->open > 0)
        b = b->after;
    return b;
}

static void forget(struct exec *self, struct hand_basket *b)
{
    withdraw(&self->finished, b);
    for (struct hand_order *o = b->first, *next; o; o = next) {
        next = o->next;
        forget_order(self, o);
    }
    struct hand_basket **link = basket_bucket(self, place_of(b));
    while (*link != b)
        link = &(*link)->same_hash;
    *link = b->same_hash;
    if (place_after(place_of(b), self->last_forgotten))
        self->last_forgotten = place_of(b);
    pool_give(self->baskets, b);
    self->forgotten++;
}

static bool has_room(const struct exec *self, uint32_t orders)
{
    return pool_taken(self->baskets) < pool_capacity(self->baskets) &&
           pool_taken(self->orders) + orders <= pool_capacity(self->orders) &&
           pool_taken(self->trades) < pool_capacity(self->trades);
}

bool remembered_has_room(struct exec *self, uint32_t orders)
{
    struct hand_basket *b;
    while (!has_room(self, orders) && (b = oldest(self)) != NULL)
        forget(self, b);
    return has_room(self, orders);
}

struct hand_basket *remembered_basket(struct exec *self, struct place decision)
{
    struct hand_basket *b = *basket_bucket(self, decision);
    while (b && (b->told.risk_pos != decision.pos || b->told.risk_epoch != decision.epoch))
        b = b->same_hash;
    return b;
}

struct hand_basket *remembered_take_basket(struct exec *self, struct place decision)
{
    struct hand_basket *b = remembered_has_room(self, 0) ? pool_take(self->baskets) : NULL;
    if (!b)
        return NULL;
    struct hand_basket **head = basket_bucket(self, decision);
    b->told.risk_epoch = decision.epoch;
    b->told.risk_pos = decision.pos;
    b->same_hash = *head;
    *head = b;
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
    *(o->last_trade ? &o->last_trade->next : &o->trades) = t;
    o->last_trade = t;
}
