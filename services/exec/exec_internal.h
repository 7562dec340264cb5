/* What the hand keeps, and the parts it is made of:
 *
 *   exec.c          its life: start, control, time, status
 *   upstream.c      how far risk's ledger is taken, and what of it is never acted on again
 *   decisions.c     an accepted decision becomes a basket
 *   adopted.c       orders that the venue has and the ledger lost
 *   reports.c       what venues say
 *   baskets.c       keeping a basket whole
 *   progress.c      how far a basket is, and what is missing
 *   records.c       writing the ledger
 *   applied.c       the state that follows from its records
 *   snapshot.c      the state as messages, and back
 *   remembered.c    baskets, orders and trades in fixed room
 *   order_states.c  the table of an order's states
 *
 * State that must survive is changed by exec_apply only, which every record passes once, live and in
 * recovery.
 */
#ifndef SLUICE_SERVICES_EXEC_INTERNAL_H
#define SLUICE_SERVICES_EXEC_INTERNAL_H

#include "lib/base/decimal.h"
#include "lib/base/pool.h"
#include "lib/base/table.h"
#include "lib/market/portfolio.h"
#include "services/exec/exec.h"
#include "services/exec/order_states.h"

enum {
    BASKET_LEGS = 4,
    BASKETS_MAX = 4096,
    ORDERS_MAX = 16384,
    TRADES_MAX = 65536,
    ORDER_HASHES = 32768,
    BASKET_HASHES = 8192,
    FOUND_MAX = ORDERS_MAX,
    INSTRUMENTS_HELD = 4096,
    CURRENCIES_HELD = 8192,
    MESSAGES_PER_INPUT = 200 /* what one more basket writes still fits OUTBOX_PER_INPUT_MAX */
};

/* A trade that was booked: the venue's id, so that it is booked once. */
struct booked_trade {
    struct booked_trade *next;
    char id[40];
};

struct hand_order {
    struct order told; /* its last record, with what was filled since */
    struct hand_basket *basket;
    struct hand_order *next; /* of the basket, in order of sending */
    struct hand_order *same_hash;
    struct booked_trade *trades, *last_trade; /* in order of booking */
    int64_t heard_ns;       /* market time of sending, of the last word, or of the last question */
    int64_t sent_ns;        /* market time of its first record; after a snapshot of its last one then */
    int64_t sent_mono_ns;   /* told by the venue's side with its first answer; 0 = not known, also after a restart */
    uint32_t absent;        /* times the venue, asked, did not have it when it could no more be on its way */
    bool ask;               /* to be asked for at the next occasion */
    bool done_told;         /* the venue said that it is over; fills of it are still missing */
    struct dec done_filled; /* what it then had executed */
    enum reason done_reason;
};

struct hand_leg {
    money target; /* base units ordered by the decision */
    money done;   /* executed to its side less executed against it */
    uint32_t orders, completions, unwinds;
    uint64_t tried_version; /* of the book that the last order of it was sent on, */
    enum side tried_side;   /* and the order's side */
    char fee_currency[16];
};

struct hand_basket {
    struct basket told; /* its last record, with the legs of its first */
    struct trace trace;
    struct hand_leg legs[BASKET_LEGS];
    struct hand_order *first, *last;
    uint32_t open;                      /* orders not terminal */
    enum reason reason;                 /* of the last order that did not end as asked */
    bool broken;                        /* an amount did not fit: nothing more is sent */
    int64_t wait_until;                 /* market time; 0 = it does not wait for a book */
    int64_t same_until;                 /* market time until which the book just tried is not tried again */
    struct hand_basket *before, *after; /* in its list */
    struct hand_basket *same_hash;
};

struct basket_list {
    struct hand_basket *first, *last;
    uint32_t n;
};

/* A point in a ledger. */
struct place {
    uint64_t epoch, pos;
};

static inline bool place_after(struct place a, struct place b)
{
    return a.epoch != b.epoch ? a.epoch > b.epoch : a.pos > b.pos;
}

struct exec {
    const struct config *config;
    const struct view *view;
    char run[40];
    uint64_t boot_id;
    struct ledger_head head;
    struct place mark;     /* last decision with a basket record: nothing up to it is acted on again */
    struct place upstream; /* last record of risk's ledger that was taken, */
    struct place recorded; /* and how far our own ledger says so: no epoch before its epoch is obeyed */
    int64_t recorded_mono_ns;
    bool draining, stopped;
    bool syncs;        /* an order is sent when its record is on disk, not before */
    int64_t armed_ns;  /* market time of the timer asked for last; 0 = none */
    int64_t answer_ns; /* an order that says nothing for so long is asked for */

    struct pool *baskets, *orders, *trades;
    struct basket_list open, finished;
    struct hand_order **hashed;
    struct hand_basket **hashed_baskets;
    struct place last_forgotten; /* no basket that is forgotten is behind it */
    uint32_t late_open;          /* open orders of finished baskets */
    struct order *found;         /* at the venue, not in the ledger, and their decision not taken yet */
    uint32_t n_found;
    struct hand_basket *restoring; /* the one that the next messages of a snapshot belong to */
    struct portfolio *portfolio;
    struct table *started; /* "venue currency" whose start is booked */
    uint32_t to_ask;       /* orders with ask set */

    money net_cash; /* reporting currency: received less paid less fees, where the rate was known */
    uint64_t n_orders, n_orders_open, n_fills, n_baskets, n_parked, n_expired;
    uint64_t ignored_events, unknown_reports, malformed_reports, repeated_trades, late_fills, overfills,
        no_fx, fenced, skipped, unbooked, forgotten, adopted, reopened, strangers, gaps;
};

/* ---- remembered.c ------------------------------------------------------------------------------------ */

int remembered_open(struct exec *self); /* E_FULL: out of memory */
void remembered_close(struct exec *self);
/* Forgets the oldest finished baskets until so many orders, a basket and a trade find room. */
bool remembered_has_room(struct exec *self, uint32_t orders);
struct hand_basket *remembered_basket(struct exec *self, struct place decision);
struct hand_basket *remembered_take_basket(struct exec *self, struct place decision);
void remembered_finish(struct exec *self, struct hand_basket *b);
struct hand_order *remembered_order(const struct exec *self, const char *client_id);
struct hand_order *remembered_take_order(struct exec *self, struct hand_basket *b, const char *client_id);
bool remembered_trade(const struct hand_order *o, const char *trade_id);
void remembered_take_trade(struct exec *self, struct hand_order *o, const char *trade_id);

/* ---- upstream.c -------------------------------------------------------------------------------------- */

/* Says in the ledger how far risk's is taken, if that has moved. */
void record_upstream(struct exec *self, struct place at, struct now now, struct outbox *out);
/* The same when it is time to. */
void upstream_watch(struct exec *self, struct now now, struct outbox *out);

/* ---- adopted.c --------------------------------------------------------------------------------------- */

/* Orders of this decision were found: then the basket is opened with them, and nothing of it is sent before the venue
 * has said what became of them. */
bool adopted_take(struct exec *self, const struct message *decision, struct now now, struct outbox *out);
/* Opens baskets for found orders whose decision does not come any more, as many as there is room for. */
void adopted_settle(struct exec *self, struct now now, struct outbox *out);

/* ---- records.c --------------------------------------------------------------------------------------- */

/* "account-epoch-pos-leg-attempt", the numbers to base 36, in letters, digits, '-' and '_', at most 35 of
 * them: a longer account is cut. */
void client_id_write(const char *account, struct place decision, uint32_t leg, uint32_t attempt,
                     char out[36]);
/* Reads one back. false: it is not of this account. */
bool client_id_read(const char *account, const char *id, struct place *decision, uint32_t *leg,
                    uint32_t *attempt);

/* What goes out with no record of its own (a question sent again) is a message of the outbox. */
struct message *record_order(struct exec *self, const struct order *order, const struct trace *trace,
                             struct now now, struct outbox *out);
/* Its basket's, with the time at which the order itself was handed over. */
struct trace order_trace(const struct exec *self, const struct hand_order *o);
void record_order_state(struct exec *self, struct hand_order *o, enum order_state state, enum reason reason,
                        struct now now, struct outbox *out);
void record_basket(struct exec *self, const struct basket *basket, const struct trace *trace, struct now now,
                   struct outbox *out);
void record_basket_state(struct exec *self, struct hand_basket *b, enum basket_state state,
                         enum reason reason, bool terminal, struct now now, struct outbox *out);
void record_fill(struct exec *self, struct hand_order *o, const struct order_report *report, struct now now,
                 struct outbox *out);
/* Positions and balances that the fills of a basket have touched, as they now are. */
void record_holdings(struct exec *self, const struct hand_basket *b, struct now now, struct outbox *out);
void record_gap(struct exec *self, const struct gap *gap, struct now now, struct outbox *out);
/* Books what a paper account starts with, once. */
void record_start_balance(struct exec *self, const char *venue, const char *currency, money amount,
                          struct now now, struct outbox *out);

/* ---- applied.c --------------------------------------------------------------------------------------- */

extern const char START_CAUSE[]; /* of the adjustment that books what a paper account starts with */
bool start_is_booked(const struct exec *self, const char *venue, const char *currency);
void note_start(struct exec *self, const char *venue, const char *currency);
/* The parts of a basket and of an order that a first record and a snapshot set alike. NULL: no room. */
struct hand_basket *applied_basket(struct exec *self, const struct message *m);
struct hand_order *applied_order(struct exec *self, struct hand_basket *b, const struct order *told);
/* Amounts that an order has, and would have with so much more filled. E_RANGE. */
int order_with_fill(const struct order *order, struct dec qty, struct order *out);

/* ---- decisions.c ------------------------------------------------------------------------------------- */

void decision_take(struct exec *self, const struct message *m, struct now now, struct outbox *out);
/* Writes and sends so many orders of a basket. */
void orders_send(struct exec *self, struct hand_basket *b, const struct order *orders, uint32_t n,
                 struct now now, struct outbox *out);
/* Whether the decision is one that can be sent at all. */
bool decision_is_sound(const struct decision *d);
struct basket_leg basket_leg_of(const struct exec *self, const struct intent_leg *leg);
/* An order of a leg, under the next client id. */
struct order order_of_leg(const struct exec *self, const struct hand_basket *b, uint32_t leg);

/* ---- progress.c -------------------------------------------------------------------------------------- */

/* All in units of 10^exp. A leg's progress is done by target; the legs are whole when it is equal for all. */
struct progress {
    int exp;
    uint32_t n;
    int64_t target[BASKET_LEGS], done[BASKET_LEGS], lot[BASKET_LEGS];
    int64_t top[BASKET_LEGS]; /* what each leg has when it is as far as the foremost, but never beyond its
                                 target */
    int64_t low[BASKET_LEGS]; /* what it has when it is only as far as the last */
    bool over;                /* a leg has more than its target */
    bool whole;               /* no leg is ahead of the last by the larger lot */
    bool nothing;             /* nothing is held of it */
    bool complete;            /* every leg has its target, to the lot */
    struct dec residual;      /* base units held in excess of what is hedged, signed */
};

/* E_RANGE. */
int progress_measure(const struct exec *self, const struct hand_basket *b, struct progress *p);

/* ---- baskets.c --------------------------------------------------------------------------------------- */

/* Goes on with a basket that has no order open. */
void basket_advance(struct exec *self, struct hand_basket *b, struct now now, struct outbox *out);
/* States a finished basket anew when a late fill has changed what is left of it; whether it has. */
bool basket_restate(struct exec *self, struct hand_basket *b, struct now now, struct outbox *out);
/* The instrument of a leg, when it is known; NULL. */
const struct quote *basket_quote(const struct exec *self, const struct hand_basket *b, uint32_t leg);

/* ---- reports.c --------------------------------------------------------------------------------------- */

/* Asks the venue what became of an order. */
void order_ask(struct exec *self, struct hand_order *o, struct now now, struct outbox *out);

#endif
