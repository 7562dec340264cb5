/* What venues say: any number of times, in any order, late. A fill is booked once, by its trade id; an order
 * is over when the venue said so and all that it then had executed is booked. */
#include <string.h>

#include "lib/base/text.h"
#include "services/exec/exec_internal.h"

static struct dec filled_of(const struct hand_order *o)
{
    return (struct dec){o->told.filled, o->told.qty_exp};
}

/* Brings the order to its state after the event. A fill is told even where the state stays. */
static void change(struct exec *self, struct hand_order *o, enum order_event event, enum reason reason,
                   const char *venue_id, struct now now, struct outbox *out)
{
    int state = order_after(o->told.state, event);
    bool fills = event == EVENT_FILL_PART || event == EVENT_FILL_LAST;
    if (state < 0) {
        self->ignored_events++;
        return;
    }
    if ((int)o->told.state == state && !fills)
        return;
    if (venue_id[0] != '\0')
        text_set(o->told.venue_id, sizeof o->told.venue_id, venue_id);
    record_order_state(self, o, (enum order_state)state, reason, now, out);
}

/* The venue's word that it is over counts once all its fills are there; what is missing is asked for. */
static void settle(struct exec *self, struct hand_order *o, struct now now, struct outbox *out)
{
    if (o->done_told && dec_cmp(filled_of(o), o->done_filled) >= 0) {
        o->done_told = false;
        change(self, o, EVENT_DONE, o->done_reason, "", now, out);
    }
}

static void on_fill(struct exec *self, struct hand_order *o, const struct order_report *report,
                    struct now now, struct outbox *out)
{
    struct order after;
    if (report->qty.m <= 0 || report->price.m <= 0 || report->trade_id[0] == '\0' ||
        order_with_fill(&o->told, report->qty, &after) != OK) {
        self->malformed_reports++;
        return;
    }
    if (remembered_trade(o, report->trade_id)) {
        self->repeated_trades++;
        return;
    }
    self->overfills += after.filled > after.qty;
    self->late_fills += order_is_terminal(o->told.state);
    record_fill(self, o, report, now, out);
    change(self, o, after.filled >= after.qty ? EVENT_FILL_LAST : EVENT_FILL_PART, o->told.reason,
           report->venue_id, now, out);
    settle(self, o, now, out);
}

static void on_done(struct exec *self, struct hand_order *o, const struct order_report *report,
                    struct now now, struct outbox *out)
{
    if (order_is_terminal(o->told.state) && dec_cmp(filled_of(o), report->filled) >= 0) {
        self->ignored_events++;
        return;
    }
    o->done_told = true;
    o->done_filled = report->filled;
    o->done_reason = report->reason != REASON_NONE ? report->reason : REASON_NO_LIQUIDITY;
    settle(self, o, now, out);
}

/* What was sent may still be on its way until then. */
static int64_t valid_until(const struct exec *self, const struct hand_order *o)
{
    int64_t deadline = o->basket->told.deadline;
    return (deadline > o->sent_ns ? deadline : o->sent_ns) + self->answer_ns;
}

/* The venue does not have it: believed when it is said twice, after it can no more be on its way. Until then the
 * order is asked for again when the time for an answer is over. */
static void on_absent(struct exec *self, struct hand_order *o, struct now now, struct outbox *out)
{
    if (o->told.state != ORDER_UNKNOWN) {
        self->ignored_events++;
        return;
    }
    if (now.market_ns < valid_until(self, o) || ++o->absent < 2)
        return;
    /* It never came there; what was filled of it says otherwise. */
    change(self, o, o->told.filled > 0 ? EVENT_DONE : EVENT_NOT_FOUND, REASON_VENUE_DOWN, "", now, out);
}

/* An order that was given up because the venue did not have it, and now has. */
static void find_again(struct exec *self, struct hand_order *o, const struct order_report *report,
                       struct now now, struct outbox *out)
{
    bool given_up = o->told.state == ORDER_REJECTED && o->told.reason == REASON_VENUE_DOWN;
    bool has = report->kind == REPORT_ACK || report->kind == REPORT_FILL ||
               (report->kind == REPORT_DONE && report->filled.m > 0);
    o->absent = report->kind == REPORT_NOT_FOUND ? o->absent : 0;
    if (!given_up || !has)
        return;
    self->reopened++;
    change(self, o, EVENT_FOUND, REASON_NONE, report->venue_id, now, out);
}

void exec_on_report(struct exec *self, const struct order_report *report, struct now now, struct outbox *out)
{
    (void)remembered_has_room(self, 0); /* for a trade; may forget the order */
    struct hand_order *o = remembered_order(self, report->client_id);
    if (!o || strcmp(o->told.venue, report->venue) != 0) {
        self->unknown_reports++;
        return;
    }
    uint64_t fills = self->n_fills;
    o->heard_ns = now.market_ns;
    find_again(self, o, report, now, out);
    if (!o->sent_mono_ns)
        o->sent_mono_ns = report->sent_mono_ns;
    switch (report->kind) {
    case REPORT_ACK:
        change(self, o, EVENT_ACK, REASON_NONE, report->venue_id, now, out);
        break;
    case REPORT_FILL:
        on_fill(self, o, report, now, out);
        break;
    case REPORT_DONE:
        on_done(self, o, report, now, out);
        break;
    case REPORT_REJECT:
        change(self, o, o->told.filled > 0 ? EVENT_DONE : EVENT_REJECT,
               report->reason != REASON_NONE ? report->reason : REASON_VENUE_REJECT, report->venue_id, now,
               out);
        break;
    case REPORT_NOT_FOUND:
        on_absent(self, o, now, out);
        break;
    case REPORT_LISTED: /* not a word about one order: exec_on_listed */
        self->malformed_reports++;
        break;
    }
    if (!o->basket->told.terminal)
        basket_advance(self, o->basket, now, out);
    else if (!basket_restate(self, o->basket, now, out) && self->n_fills > fills)
        record_holdings(self, o->basket, now, out);
}

void order_ask(struct exec *self, struct hand_order *o, struct now now, struct outbox *out)
{
    self->to_ask -= o->ask;
    o->ask = false;
    o->heard_ns = now.market_ns;
    if (o->told.state != ORDER_UNKNOWN) {
        struct order order = o->told;
        order.state = ORDER_UNKNOWN;
        const struct trace trace = order_trace(self, o);
        struct message *m = record_order(self, &order, &trace, now, out);
        outbox_add(out, EFFECT_SEND, m, PEER_VENUE);
        return;
    }
    struct message *m = outbox_message(out, MSG_ORDER);
    memcpy(m->env.stream, self->head.stream, sizeof m->env.stream);
    m->env.epoch = self->head.epoch;
    m->env.time_out = now.utc_ns;
    m->order = o->told;
    outbox_add(out, EFFECT_SEND, m, PEER_VENUE);
}
