/* Which instruments make a route: those that the configuration names, or else every two of one base at two
 * venues, whose quote currencies are the same or joined by an instrument that trades one for the other.
 *
 * A route is formed once all its instruments are known, the joining one too, and then stays. */
#include <stdio.h>
#include <string.h>

#include "lib/base/text.h"
#include "services/risk/risk_internal.h"

int formation_take_route(struct risk *self, const char *name)
{
    uint32_t before = table_count(self->route_names);
    int index = table_intern(self->route_names, name, strlen(name));
    if (index < 0)
        self->routes_refused++;
    if (index >= 0 && (uint32_t)index == before) {
        struct held_route *route = &self->routes[index];
        text_set(route->name, sizeof route->name, name);
        route->owner = NOBODY;
    }
    return index;
}

void formation_set_leg(struct risk *self, struct held_route *route, uint32_t leg, const char *symbol,
                       const char *venue)
{
    text_set(route->legs[leg].symbol, sizeof route->legs[leg].symbol, symbol);
    text_set(route->legs[leg].venue, sizeof route->legs[leg].venue, venue);
    route->exposures[leg] = exposure_take(self, symbol, venue);
}

static uint32_t count_of_seen(const struct risk *self)
{
    uint32_t n = view_count(self->view);
    return n < EXPOSURES_MAX ? n : EXPOSURES_MAX;
}

static const struct inst *inst_at(const struct risk *self, uint32_t index)
{
    return &view_at(self->view, index)->inst;
}

/* fx: view index of the joining instrument, or E_ABSENT when the quotes are the same. */
static void form(struct risk *self, uint32_t a, uint32_t b, int fx)
{
    char name[100];
    const struct inst *x = inst_at(self, a), *y = inst_at(self, b);
    int len = snprintf(name, sizeof name, "%s@%s~%s@%s", x->symbol, x->venue, y->symbol, y->venue);
    if (len < 0 || len >= (int)sizeof((struct held_route *)NULL)->name) {
        self->routes_refused++;
        return;
    }
    if (table_find(self->route_names, name, (size_t)len) >= 0)
        return;
    int index = formation_take_route(self, name);
    if (index < 0)
        return;
    struct held_route *route = &self->routes[index];
    route->n_legs = 2;
    formation_set_leg(self, route, 0, x->symbol, x->venue);
    formation_set_leg(self, route, 1, y->symbol, y->venue);
    if (fx >= 0) {
        text_set(route->fx_symbol, sizeof route->fx_symbol, inst_at(self, (uint32_t)fx)->symbol);
        text_set(route->fx_venue, sizeof route->fx_venue, inst_at(self, (uint32_t)fx)->venue);
    }
    if (!self->unsettled)
        self->settling = (uint32_t)index; /* all before it have what is due to them */
    self->unsettled = true;
}

/* ---- joining quotes --------------------------------------------------------------------------------- */

/* A spot instrument with this base and this quote: that of `venue` before all others, then the first by venue
 * name, so that the choice does not hang on who came first. E_ABSENT. */
static int joining(const struct risk *self, int base, int quote, int venue)
{
    int found = E_ABSENT;
    for (uint32_t i = 0; i < count_of_seen(self); i++) {
        const struct seen_instrument *s = &self->seen[i];
        if (!s->known || s->kind != KIND_SPOT || s->base != base || s->quote != quote)
            continue;
        if (s->venue == venue)
            return (int)i;
        if (found < 0 || strcmp(inst_at(self, i)->venue, inst_at(self, (uint32_t)found)->venue) < 0)
            found = (int)i;
    }
    return found;
}

static bool tradable(const struct seen_instrument *s)
{
    return s->known && (s->kind == KIND_SPOT || s->kind == KIND_LINEAR);
}

/* ---- of all that is seen ---------------------------------------------------------------------------- */

static bool comes_first(const struct inst *a, const struct inst *b)
{
    int by_venue = strcmp(a->venue, b->venue);
    return by_venue != 0 ? by_venue < 0 : strcmp(a->symbol, b->symbol) < 0;
}

static void form_pair(struct risk *self, uint32_t a, uint32_t b)
{
    const struct seen_instrument *x = &self->seen[a], *y = &self->seen[b];
    if (a == b || !tradable(x) || !tradable(y) || x->base != y->base || x->venue == y->venue)
        return;
    if (x->quote == y->quote) {
        bool ordered = comes_first(inst_at(self, a), inst_at(self, b));
        form(self, ordered ? a : b, ordered ? b : a, E_ABSENT);
        return;
    }
    for (int turn = 0; turn < 2; turn++) {
        /* first leg: the one whose quote is what the joining instrument is priced in */
        uint32_t first = turn ? b : a, second = turn ? a : b;
        int fx = joining(self, self->seen[second].quote, self->seen[first].quote, self->seen[first].venue);
        if (fx >= 0) {
            form(self, first, second, fx);
            return;
        }
    }
}

static void form_all_with(struct risk *self, uint32_t index)
{
    uint32_t n = count_of_seen(self);
    const struct seen_instrument *fx = &self->seen[index];
    for (uint32_t i = 0; i < n; i++)
        form_pair(self, index, i);
    if (fx->kind != KIND_SPOT)
        return;
    /* what it joins: one leg quoted in its base, the other in its quote */
    for (uint32_t i = 0; i < n; i++) {
        if (!tradable(&self->seen[i]) || self->seen[i].quote != fx->base)
            continue;
        for (uint32_t j = 0; j < n; j++) {
            if (self->seen[j].quote == fx->quote && self->seen[j].base == self->seen[i].base)
                form_pair(self, i, j);
        }
    }
}

/* ---- as configured ---------------------------------------------------------------------------------- */

/* View index of "SYMBOL@VENUE" when its inst is known. */
static int instrument_named(const struct risk *self, const char *name)
{
    char symbol[32];
    const char *at = strrchr(name, '@');
    if (!at || (size_t)(at - name) >= sizeof symbol)
        return E_ABSENT;
    memcpy(symbol, name, (size_t)(at - name));
    symbol[at - name] = '\0';
    int index = view_find(self->view, symbol, at + 1);
    return index >= 0 && index < EXPOSURES_MAX && self->seen[index].known ? index : E_ABSENT;
}

static void form_configured(struct risk *self)
{
    for (uint32_t i = 0; i < self->config->n_routes; i++) {
        int a = instrument_named(self, self->config->routes[i].a);
        int b = instrument_named(self, self->config->routes[i].b);
        if (a < 0 || b < 0 || a == b || !tradable(&self->seen[a]) || !tradable(&self->seen[b]))
            continue;
        const struct seen_instrument *x = &self->seen[a], *y = &self->seen[b];
        int fx = E_ABSENT;
        if (x->quote != y->quote) {
            fx = joining(self, y->quote, x->quote, x->venue);
            if (fx < 0)
                fx = joining(self, x->quote, y->quote, y->venue);
            if (fx < 0)
                continue;
        }
        form(self, (uint32_t)a, (uint32_t)b, fx);
    }
}

void formation_on_instrument(struct risk *self, uint32_t index)
{
    const struct inst *inst = inst_at(self, index);
    struct seen_instrument *s = &self->seen[index];
    if (inst->symbol[0] == '\0' || s->known)
        return;
    s->kind = inst->kind;
    s->base = table_intern(self->terms, inst->base, strlen(inst->base));
    s->quote = table_intern(self->terms, inst->quote, strlen(inst->quote));
    s->venue = table_intern(self->terms, inst->venue, strlen(inst->venue));
    if (s->base < 0 || s->quote < 0 || s->venue < 0) {
        self->routes_refused++;
        return;
    }
    s->known = true;
    exposure_link(self, index);
    if (self->config->n_routes > 0)
        form_configured(self);
    else
        form_all_with(self, index);
}
