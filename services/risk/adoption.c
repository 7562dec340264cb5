/* Orders of exec that follow no basket open here: their decision is lost, or was closed and the venue opened one
 * again. Each is counted as exposure until it is over. Reading old records again adopts what was closed long
 * ago, and lets go of it again, before anything is decided on it. */
#include <string.h>

#include "lib/base/text.h"
#include "services/risk/risk_internal.h"

static bool order_is_over(enum order_state state)
{
    return state == ORDER_FILLED || state == ORDER_CANCELED || state == ORDER_REJECTED ||
           state == ORDER_EXPIRED || state == ORDER_DENIED;
}

/* The order's place; a free one when it has none. NULL: none is free. */
static struct adopted_order *adopted_place(struct risk *self, const char *client_id)
{
    struct adopted_order *free = NULL;
    uint32_t passed = 0;
    for (uint32_t i = 0; i < ADOPTED_MAX; i++) {
        struct adopted_order *a = &self->adopted[i];
        if (a->told.client_id[0] == '\0') {
            free = free ? free : a;
            if (passed == self->adopted_orders)
                break;
            continue;
        }
        passed++;
        if (strcmp(a->told.client_id, client_id) == 0)
            return a;
    }
    return free;
}

static void let_go(struct risk *self, struct adopted_order *a, struct now now, struct outbox *out)
{
    struct held_route *route = a->route == NOBODY ? NULL : &self->routes[a->route];
    bool history = a->history;
    exposure_reserve(self, a->exposure, a->told.side, -a->rest);
    memset(a, 0, sizeof *a);
    self->adopted_orders--;
    self->open_orders--;
    if (!route)
        return;
    route->adopted--;
    bool told = !place_before(route->exec, self->exec) || (history && !route->told_busy);
    if (!route_busy(route) && !told)
        holdings_write(self, route, NULL, route->parked, REASON_NONE, now, out);
}

static void adopt(struct risk *self, struct adopted_order *a, const struct order *o)
{
    int index = table_find(self->route_names, o->route, strlen(o->route));
    a->route = index < 0 ? NOBODY : index;
    a->exposure = exposure_take(self, o->symbol, o->venue);
    self->adopted_orders++;
    self->open_orders++;
    if (a->route != NOBODY)
        self->routes[a->route].adopted++;
}

static void take_at(struct risk *self, struct adopted_order *a, const struct order *o, struct place at)
{
    money rest;
    int64_t open;
    if (a->told.client_id[0] == '\0')
        adopt(self, a, o);
    a->told = *o;
    a->at = at;
    if (__builtin_sub_overflow(o->qty, o->filled, &open) ||
        money_of((struct dec){open, o->qty_exp}, &rest) != OK) {
        self->broken = true;
        return;
    }
    exposure_reserve(self, a->exposure, o->side, rest - a->rest);
    a->rest = rest;
}

void adoption_take(struct risk *self, const struct order *o, struct place at)
{
    struct adopted_order *a = adopted_place(self, o->client_id);
    if (a && o->client_id[0] != '\0')
        take_at(self, a, o, at);
    else
        self->broken = true;
}

void adoption_on_order(struct risk *self, const struct order *o, struct now now, struct outbox *out)
{
    const struct held_route *route = route_named(self, o->route);
    struct adopted_order *a = adopted_place(self, o->client_id);
    bool held = a && a->told.client_id[0] != '\0';
    if (o->client_id[0] == '\0')
        return;
    if (order_is_over(o->state)) {
        if (held)
            let_go(self, a, now, out);
        return;
    }
    if (!held && route && route->basket.open && route->basket.decision.epoch == o->risk_epoch &&
        route->basket.decision.pos == o->risk_pos)
        return;
    if (!a) {
        self->broken = true;
        return;
    }
    take_at(self, a, o, self->exec);
    if (!held) {
        a->history = route && !place_before(route->exec, self->exec);
        self->adoptions += !a->history;
    }
}
