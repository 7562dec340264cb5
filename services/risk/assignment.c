/* Which worker may trade which route. Each route belongs to the live worker with the highest score of the two
 * names, among those whose pinned prefix fits: so a worker that leaves gives away only its own routes, and
 * one that comes takes only those on which it scores highest.
 *
 * A change of workers only says that assignments are due; assignment_settle writes them, some per input,
 * because one worker may own all routes. Between the two nobody can trade them: an owner that is gone is no
 * owner. */
#include <string.h>

#include "lib/base/text.h"
#include "services/risk/risk_internal.h"

bool route_busy(const struct held_route *route)
{
    return route->basket.open || route->adopted > 0 || route->stray.epoch != 0 || route->hold.epoch != 0 ||
           route->mend;
}

int route_leg_of(const struct held_route *route, const char *symbol, const char *venue)
{
    for (uint32_t i = 0; i < route->n_legs; i++) {
        if (strcmp(route->legs[i].symbol, symbol) == 0 && strcmp(route->legs[i].venue, venue) == 0)
            return (int)i;
    }
    return E_ABSENT;
}

/* ---- workers ---------------------------------------------------------------------------------------- */

int owner_find(const struct risk *self, const char *name)
{
    for (int i = 0; i < OWNERS_MAX; i++) {
        if (self->owners[i].name[0] != '\0' && strcmp(self->owners[i].name, name) == 0)
            return i;
    }
    return E_ABSENT;
}

int owner_take(struct risk *self, const char *name)
{
    int index = owner_find(self, name);
    if (index >= 0)
        return index;
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < OWNERS_MAX; i++) {
            struct owner *o = &self->owners[i];
            bool free = o->name[0] == '\0' || (pass == 1 && !o->live && o->routes == 0);
            if (!free)
                continue;
            memset(o, 0, sizeof *o);
            text_set(o->name, sizeof o->name, name);
            o->left = ASSIGN_GOODBYE;
            return i;
        }
    }
    return E_FULL;
}

static void set_due(struct risk *self)
{
    self->unsettled = true;
    self->settling = 0;
}

/* The oldest is forgotten when there is no room: a name has no more than a few lives going on. */
void owner_reborn(struct owner *o, uint64_t incarnation)
{
    if (o->incarnation != 0) {
        if (o->n_earlier == EARLIER_MAX)
            memmove(o->earlier, o->earlier + 1, --o->n_earlier * sizeof o->earlier[0]);
        o->earlier[o->n_earlier++] = o->incarnation;
    }
    o->incarnation = incarnation;
}

static bool is_of_earlier_life(const struct owner *o, uint64_t incarnation)
{
    for (uint32_t i = 0; i < o->n_earlier; i++) {
        if (o->earlier[i] == incarnation)
            return true;
    }
    return false;
}

static void join(struct risk *self, struct owner *o, const struct session *s)
{
    if (o->incarnation != s->incarnation) {
        owner_reborn(o, s->incarnation);
        o->high_water = 0;
        o->departed = 0;
    }
    self->departed_evaluations -= o->departed; /* it was away, and goes on counting */
    o->departed = 0;
    o->live = true;
    o->heard = false;
}

static void leave(struct risk *self, struct owner *o, const struct session *s)
{
    self->departed_evaluations += s->evaluations;
    o->departed = s->evaluations;
    o->live = false;
}

void assignment_apply_session(struct risk *self, const struct session *s)
{
    if (s->event != SESSION_WORKER_JOIN && s->event != SESSION_WORKER_LEAVE)
        return;
    int index = owner_take(self, s->who);
    if (index < 0)
        return;
    struct owner *o = &self->owners[index];
    bool was_unheard = o->live && !o->heard;
    if (s->event == SESSION_WORKER_JOIN)
        join(self, o, s);
    else
        leave(self, o, s);
    self->unheard += o->live && !o->heard;
    self->unheard -= was_unheard;
    text_set(o->strategy, sizeof o->strategy, s->strategy);
    o->params = s->params;
    o->build = s->build;
    o->evaluations = s->evaluations;
    o->intents = s->intents;
    o->digest = s->digest;
    set_due(self);
}

static void write_session(struct risk *self, enum session_event event, const struct owner *o, struct now now,
                          struct outbox *out)
{
    struct message *m = outbox_record(out, &self->head, MSG_SESSION, now);
    struct session *s = &m->session;
    s->event = event;
    text_set(s->who, sizeof s->who, o->name);
    s->incarnation = o->incarnation;
    text_set(s->run, sizeof s->run, self->run);
    text_set(s->strategy, sizeof s->strategy, o->strategy);
    s->params = o->params;
    s->build = o->build;
    s->evaluations = o->evaluations;
    s->intents = o->intents;
    s->digest = o->digest;
    s->market_time = now.market_ns;
    risk_apply(self, m);
}

static void dismiss(struct risk *self, struct owner *o, enum assign_cause cause, struct now now,
                    struct outbox *out)
{
    o->left = cause;
    write_session(self, SESSION_WORKER_LEAVE, o, now, out);
}

static void hear(struct risk *self, struct owner *o, const struct hello *hello, struct now now)
{
    o->evaluations = hello->evaluations;
    o->intents = hello->intents;
    o->digest = hello->digest;
    o->heard_mono_ns = now.mono_ns;
    if (o->heard && strcmp(o->pinned, hello->pinned) == 0)
        return;
    self->unheard -= !o->heard;
    o->heard = true;
    text_set(o->pinned, sizeof o->pinned, hello->pinned);
    set_due(self);
}

static void welcome(struct risk *self, const struct hello *hello, struct now now, struct outbox *out)
{
    struct owner *known = NULL;
    int index = owner_find(self, hello->worker);
    if (index >= 0) {
        known = &self->owners[index];
        if (known->live)
            dismiss(self, known, ASSIGN_INCARNATION, now, out);
        known->left = known->incarnation != hello->incarnation ? ASSIGN_INCARNATION : known->left;
    }
    struct owner fresh = {.incarnation = hello->incarnation,
                          .evaluations = hello->evaluations,
                          .intents = hello->intents,
                          .digest = hello->digest};
    text_set(fresh.name, sizeof fresh.name, hello->worker);
    text_set(fresh.strategy, sizeof fresh.strategy, hello->strategy);
    write_session(self, SESSION_WORKER_JOIN, &fresh, now, out);
}

void assignment_on_hello(struct risk *self, const struct hello *hello, struct now now, struct outbox *out)
{
    if (hello->worker[0] == '\0' || hello->incarnation == 0 || self->stopped) {
        self->ignored++;
        return;
    }
    int index = owner_find(self, hello->worker);
    bool present =
        index >= 0 && self->owners[index].live && self->owners[index].incarnation == hello->incarnation;
    if (!present) {
        if (hello->goodbye || (index >= 0 && is_of_earlier_life(&self->owners[index], hello->incarnation))) {
            self->ignored++;
            return;
        }
        index = owner_take(self, hello->worker);
        if (index < 0) {
            self->hellos_refused++;
            return;
        }
        welcome(self, hello, now, out);
        if (!self->owners[index].live || self->owners[index].incarnation != hello->incarnation)
            return;
    }
    struct owner *o = &self->owners[index];
    hear(self, o, hello, now);
    if (hello->goodbye)
        dismiss(self, o, ASSIGN_GOODBYE, now, out);
    assignment_settle(self, now, out);
}

/* A hello may still wait to be read: behind what one wake-up takes, or, after a pause of this process, behind
 * what its sockets have not handed over yet. */
static bool may_be_unread(struct risk *self, struct now now)
{
    bool paused = self->turned_mono_ns != 0 &&
                  now.mono_ns - self->turned_mono_ns > self->config->risk.lease_ms * NS_PER_MS / 2;
    self->turned_mono_ns = now.mono_ns;
    return paused || self->undrained;
}

void assignment_on_time(struct risk *self, struct now now, struct outbox *out)
{
    bool unread = may_be_unread(self, now);
    for (int i = 0; i < OWNERS_MAX && !unread; i++) {
        struct owner *o = &self->owners[i];
        if (o->live && now.mono_ns - o->heard_mono_ns > self->config->risk.lease_ms * NS_PER_MS)
            dismiss(self, o, ASSIGN_LEASE, now, out);
    }
    assignment_settle(self, now, out);
}

/* Leases begin anew: silence while risk was away is not the workers'. */
void assignment_resume(struct risk *self, struct now now)
{
    for (int i = 0; i < OWNERS_MAX; i++)
        self->owners[i].heard_mono_ns = now.mono_ns;
    set_due(self);
}

void assignment_stop(struct risk *self, struct now now, struct outbox *out)
{
    for (int i = 0; i < OWNERS_MAX; i++) {
        if (self->owners[i].live)
            dismiss(self, &self->owners[i], ASSIGN_GOODBYE, now, out);
    }
}

/* ---- routes ----------------------------------------------------------------------------------------- */

/* FNV's last byte hardly reaches the upper bits, and workers' names differ in the last byte: so the bits are
 * mixed before they are compared. */
static uint64_t score(const char *route, const char *worker)
{
    uint64_t h = fnv1a(fnv1a(FNV_OFFSET, route, strlen(route)), worker, strlen(worker));
    h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdu;
    h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53u;
    return h ^ (h >> 33);
}

/* 2: one of its prefixes begins the route's name; 1: it has none and takes any; 0: it may not have it. */
static int fit(const struct owner *o, const char *route)
{
    if (o->pinned[0] == '\0')
        return 1;
    return text_begins_with_one_of(route, o->pinned) ? 2 : 0;
}

/* Who is pinned to it comes before who takes any. */
static int highest(const struct risk *self, const struct held_route *route)
{
    int found = NOBODY, best = 1;
    uint64_t most = 0;
    for (int i = 0; i < OWNERS_MAX; i++) {
        const struct owner *o = &self->owners[i];
        int fits = o->live && o->heard ? fit(o, route->name) : 0;
        uint64_t s = score(route->name, o->name);
        if (fits > best || (fits == best && (found == NOBODY || s > most))) {
            found = i;
            best = fits;
            most = s;
        }
    }
    return found;
}

/* Whom a route is due to, and why; false when it may stay as it is, or has to wait. Until every worker that
 * was live before a restart has said its hello, or lost its lease, only new incarnations get what they had.
 */
static bool due(const struct risk *self, const struct held_route *route, int *to, enum assign_cause *cause)
{
    const struct owner *o = route->owner == NOBODY ? NULL : &self->owners[route->owner];
    bool reborn = o && o->live && o->incarnation != route->owner_incarnation;
    if (self->unheard > 0 && !(reborn && o->heard))
        return false;
    *to = self->unheard > 0 ? route->owner : highest(self, route);
    if (reborn) {
        *cause = ASSIGN_INCARNATION;
        return true;
    }
    if (o && o->live) {
        *cause = ASSIGN_REBALANCE;
        return *to != route->owner && !route_busy(route);
    }
    *cause = o ? o->left : route->route_epoch == 0 ? ASSIGN_NEW : ASSIGN_REBALANCE;
    return o || *to != NOBODY;
}

void assignment_tell(const struct risk *self, const struct held_route *route, struct assign *a)
{
    text_set(a->route, sizeof a->route, route->name);
    a->route_epoch = route->route_epoch;
    if (route->owner != NOBODY)
        text_set(a->worker, sizeof a->worker, self->owners[route->owner].name);
    a->incarnation = route->owner_incarnation;
    a->cause = route->assigned_for;
    text_set(a->fx_symbol, sizeof a->fx_symbol, route->fx_symbol);
    text_set(a->fx_venue, sizeof a->fx_venue, route->fx_venue);
    a->busy = route_busy(route);
    a->parked = route->parked;
    a->entry_time = route->entry_time;
    a->cool_until = route->cool_until;
    a->entry_edge_nbps = route->entry_edge_nbps;
    a->entry_side = route->entry_side;
    a->n_legs = route->n_legs;
    memcpy(a->legs, route->legs, sizeof a->legs);
}

static void write_assign(struct risk *self, const struct held_route *route, int to, enum assign_cause cause,
                         struct now now, struct outbox *out)
{
    /* exec syncs what it sends: no fill may be left of a route that the gate has lost */
    struct message *m = outbox_record_synced(out, &self->head, MSG_ASSIGN, now);
    struct assign *a = &m->assign;
    assignment_tell(self, route, a);
    a->route_epoch++;
    memset(a->worker, 0, sizeof a->worker);
    a->incarnation = 0;
    if (to != NOBODY) {
        text_set(a->worker, sizeof a->worker, self->owners[to].name);
        a->incarnation = self->owners[to].incarnation;
    }
    a->cause = cause;
    risk_apply(self, m);
}

void assignment_settle(struct risk *self, struct now now, struct outbox *out)
{
    uint32_t n = table_count(self->route_names), written = 0;
    if (!self->unsettled || self->stopped)
        return;
    for (; self->settling < n; self->settling++) {
        struct held_route *route = &self->routes[self->settling];
        enum assign_cause cause;
        int to;
        if (!due(self, route, &to, &cause))
            continue;
        if (written++ == ASSIGN_PER_INPUT)
            return;
        write_assign(self, route, to, cause, now, out);
    }
    self->unsettled = false; /* who is not heard yet will set it */
    self->settling = 0;
}

void assignment_reconsider(struct risk *self, struct held_route *route, struct now now, struct outbox *out)
{
    enum assign_cause cause;
    int to;
    if (!self->unsettled && due(self, route, &to, &cause))
        write_assign(self, route, to, cause, now, out);
}

void assignment_apply(struct risk *self, const struct message *m)
{
    const struct assign *a = &m->assign;
    int index = formation_take_route(self, a->route);
    if (index < 0)
        return;
    struct held_route *route = &self->routes[index];
    if (route->n_legs == 0) {
        route->n_legs = a->n_legs <= LEGS_MAX ? a->n_legs : LEGS_MAX;
        for (uint32_t i = 0; i < route->n_legs; i++)
            formation_set_leg(self, route, i, a->legs[i].symbol, a->legs[i].venue);
    }
    text_set(route->fx_symbol, sizeof route->fx_symbol, a->fx_symbol);
    text_set(route->fx_venue, sizeof route->fx_venue, a->fx_venue);
    if (route->owner != NOBODY) {
        struct owner *before = &self->owners[route->owner];
        before->routes--;
        before->left = before->live ? before->left : a->cause;
    }
    route->owner = a->worker[0] == '\0' ? NOBODY : owner_take(self, a->worker);
    if (route->owner < 0)
        route->owner = NOBODY;
    if (route->owner != NOBODY)
        self->owners[route->owner].routes++;
    route->owner_incarnation = a->incarnation;
    route->assigned_for = a->cause;
    route->told_busy = a->busy;
    route->route_epoch = a->route_epoch;
    route->last = (struct place){m->env.epoch, m->env.pos};
}
