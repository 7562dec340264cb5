/* What must hold of what leaves the pipeline: orders at the venue, records in the database. */
#include <inttypes.h>
#include <string.h>

#include "lib/base/decimal.h"
#include "lib/base/table.h"
#include "services/recorder/store.h"
#include "tests/simulation/invariants.h"
#include "venues/paper/paper.h"

enum { IDS_MAX = 8192, ATTEMPTS_MOST = 16 };

static struct table *submitted;

void venue_open(void)
{
    submitted = table_new(IDS_MAX, 36);
    if (!submitted)
        violated("out of memory");
}

/* exec must have written that it sends the order before it does. */
static void check_written(const struct order *order)
{
    const struct ledger_watch *l = &ledgers[STREAM_EXEC];
    for (uint64_t i = l->n; i > 0; i--) {
        const struct message *m = l->records[i - 1].message;
        if (m->env.type != MSG_ORDER || strcmp(m->order.client_id, order->client_id) != 0)
            continue;
        if (m->env.pos > l->synced_pos)
            violated("order %s reaches the venue; exec's word of it, %" PRIu64 "/%" PRIu64 ", is not synced",
                     order->client_id, m->env.epoch, m->env.pos);
        return;
    }
    violated("order %s reaches the venue, and exec's journal has no word of it", order->client_id);
}

void invariants_submitted(const struct order *order)
{
    TRACE("submits %s: %s %s", order->client_id, side_text(order->side), order->symbol);
    const size_t len = strlen(order->client_id);
    if (table_find(submitted, order->client_id, len) >= 0)
        violated("order %s reaches the venue a second time", order->client_id);
    if (table_intern(submitted, order->client_id, len) < 0)
        violated("more orders than the simulation has room for");
    const struct accepted *a = accepted_at((struct place_at){order->risk_epoch, order->risk_pos});
    if (!a)
        violated("order %s reaches the venue; risk has accepted nothing at %" PRIu64 "/%" PRIu64,
                 order->client_id, order->risk_epoch, order->risk_pos);
    if (a->never_sent)
        violated("order %s reaches the venue; risk has written that its decision was never sent",
                 order->client_id);
    const struct decision *d = &a->decision;
    if (order->leg >= d->n_legs || order->attempt > ATTEMPTS_MOST)
        violated("order %s is for leg %u, attempt %u; the decision has %u legs", order->client_id, order->leg,
                 order->attempt, d->n_legs);
    const struct intent_leg *leg = &d->legs[order->leg];
    const struct dec qty = {order->qty, order->qty_exp}, most = {leg->qty, leg->qty_exp};
    if (strcmp(leg->symbol, order->symbol) != 0 || strcmp(leg->venue, order->venue) != 0 ||
        dec_cmp(qty, most) > 0)
        violated("order %s is not what decision %" PRIu64 "/%" PRIu64 " allows", order->client_id, a->epoch,
                 a->pos);
    if (order->attempt == 0 && (order->side != leg->side || order->price != leg->price))
        violated("order %s is not of the side and price that were decided", order->client_id);
    check_written(order);
}

void __real_paper_submit(struct paper *self, const struct order *order, struct now now);
void __wrap_paper_submit(struct paper *self, const struct order *order, struct now now);
void __wrap_paper_submit(struct paper *self, const struct order *order, struct now now)
{
    invariants_submitted(order);
    __real_paper_submit(self, order, now);
}

/* ---- the database ---------------------------------------------------------------------------------------------- */

static uint64_t committed[STREAMS];

uint64_t invariants_committed(int stream)
{
    return committed[stream];
}

void invariants_stored(const char *stream, uint64_t epoch, uint64_t pos)
{
    const int s = stream_of(stream);
    if (pos > committed[s])
        committed[s] = pos;
    const struct record *r = record_at(s, pos);
    if (pos > ledgers[s].synced_pos)
        violated("position %" PRIu64 "/%" PRIu64 " of %s is in the database; %" PRIu64 " is synced", epoch,
                 pos, stream, ledgers[s].synced_pos);
    if (r && r->epoch != epoch)
        violated("position %" PRIu64 " of %s is in the database with epoch %" PRIu64
                 "; the journal has %" PRIu64,
                 pos, stream, epoch, r->epoch);
}

struct paper *__real_paper_new(const struct config *config, const struct view *view, uint32_t orders,
                               struct paper_log log);
struct paper *__wrap_paper_new(const struct config *config, const struct view *view, uint32_t orders,
                               struct paper_log log);
struct paper *__wrap_paper_new(const struct config *config, const struct view *view, uint32_t orders,
                               struct paper_log log)
{
    return __real_paper_new(config, view, orders / 32, log);
}
