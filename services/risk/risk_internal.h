/* What the gate keeps, and the parts it is made of. Each part is one file:
 *
 *   risk.c        its life: start, apply, control, time, status
 *   gate.c        an intent's way through the checks; the list of them
 *   checks.c      the checks themselves
 *   exposure.c    positions and reservations by instrument, and what they are worth
 *   formation.c   which instruments make a route
 *   assignment.c  which worker may trade it
 *   executions.c  what exec's ledger changes
 *   holdings.c    what a route holds, and telling it
 *   adoption.c    exec's orders whose decision is not known here
 *   reconcile.c   what became of decisions that exec never told of; an exec ledger that went back
 *   folding.c     repeated rejects as one record
 *   snapshot.c    all of the state as messages, and back
 *
 * State that must survive is changed by risk_apply only. What can be had again from exec's ledger (positions, the
 * fills of open baskets) or from the market (instruments, values) is kept beside it.
 */
#ifndef SLUICE_SERVICES_RISK_INTERNAL_H
#define SLUICE_SERVICES_RISK_INTERNAL_H

#include "lib/market/portfolio.h"
#include "services/risk/risk.h"

enum {
    ROUTES_MAX = 1024,
    EXPOSURES_MAX = INSTRUMENTS_MAX,
    OWNERS_MAX = 64,
    ADOPTED_MAX = 4096,
    HOLDINGS_MAX = 4096,
    TERMS_MAX = 4096,
    REASONS_MAX = 64,
    LEGS_MAX = 4,
    EARLIER_MAX = 8, /* past lives of one worker's name that are told from new ones */
    RECONCILE_PER_INPUT = 40,
    FOLD_WAYS = 8,
    FOLD_SETS = 16,
    ASSIGN_PER_INPUT = 48, /* the rest follows with the next input */
    SECONDS_PER_DAY = 86400,
    NOBODY = -1
};

/* A record of exec tells a route and its assignment; then follow what is to be reconciled and what is due. */
_Static_assert(4 + 2 * RECONCILE_PER_INPUT + ASSIGN_PER_INPUT <= OUTBOX_PER_INPUT_MAX,
               "more than one input may write");

/* Folds, departures, assignments, a halt and a day's end may all fall into one wake-up. */
_Static_assert(FOLD_WAYS *FOLD_SETS + OWNERS_MAX + ASSIGN_PER_INPUT + 2 <= OUTBOX_PER_INPUT_MAX,
               "more than one input may write");

/* A point in a ledger. */
struct place {
    uint64_t epoch, pos;
};

static inline bool place_before(struct place a, struct place b)
{
    return a.epoch != b.epoch ? a.epoch < b.epoch : a.pos < b.pos;
}

static inline bool place_equal(struct place a, struct place b)
{
    return a.epoch == b.epoch && a.pos == b.pos;
}

/* An instrument as the gate counts it. */
struct exposure {
    char symbol[32];
    char venue[16];
    char quote[16];     /* empty until its inst or a fill came */
    int view_index;     /* E_ABSENT until its inst came */
    money qty;          /* from exec's fills */
    money cash, fees;   /* in quote, as in struct position */
    money buys, sells;  /* reserved: ordered and not filled yet */
    bool marked;        /* price and fx are known, if not fresh */
    struct dec mid, fx; /* last good ones; fx: reporting currency for one unit of quote */
    bool unpriced;      /* something is at risk here, and no price came yet */
    money worst_value;  /* worst case in the reporting currency, at these; 0 until marked */
    money equity;       /* cash less fees plus the position's value; 0 until marked */
};

/* What an accepted decision has under way for one instrument of its route. */
struct open_leg {
    enum side side; /* SIDE_NONE: the decision has no order for it */
    money rest;     /* reserved */
    struct dec qty; /* what was filled, to be added to the route's holdings when the basket ends */
    money cost, fees;
};

struct open_basket {
    bool open;
    struct place decision;
    enum intent_kind kind;
    int64_t accepted_time;
    int64_t edge_nbps;
    uint32_t orders;
    bool parks;                     /* a residual of something older was parked meanwhile */
    struct place begun;             /* exec's first record of it; 0, 0 = exec has told nothing of it */
    struct open_leg legs[LEGS_MAX]; /* by the route's legs */
};

/* A route. legs are its holdings as the last route record told them; what an open basket has filled since is
 * in the basket, so that a restart adds it once. */
struct held_route {
    char name[96];
    char fx_symbol[32];
    char fx_venue[16];
    uint32_t n_legs;
    struct route_leg legs[LEGS_MAX];
    int exposures[LEGS_MAX];
    uint64_t route_epoch;
    int owner; /* NOBODY, or index of owners */
    uint64_t owner_incarnation;
    enum assign_cause assigned_for;
    struct place last; /* own record that changed it last */
    struct place exec; /* exec's record up to which legs are told */
    bool parked;
    int64_t entry_time; /* 0 = flat, or dust only */
    int64_t cool_until;
    int64_t entry_edge_nbps;
    enum side entry_side;
    uint64_t round_trips;
    money realised;
    uint32_t adopted; /* open orders of decisions that are not known here */
    struct open_basket basket;
    struct place accepted; /* the route's last accepted decision */
    bool ended;            /* and exec's ledger has told its end */
    enum intent_kind stray_kind;
    enum basket_policy stray_policy;
    struct place stray; /* decision of a basket that exec has open and that is not open here; 0, 0 = none */
    struct place hold;  /* nothing is accepted before exec has passed this decision; 0, 0 = none */
    bool told_busy;     /* by the last record of the route */
    bool mend;          /* legs include records of exec that never were: to be told anew from `read` */
    struct open_leg read[LEGS_MAX]; /* holdings by all of exec's records read, whatever legs tell */
};

/* A worker's name and its present incarnation. A name goes on to an incarnation not heard of before, and never
 * back: what an earlier one says, late or because it still lives, changes nothing. */
struct owner {
    char name[24];
    uint64_t incarnation;
    uint64_t earlier[EARLIER_MAX]; /* newest last */
    uint32_t n_earlier;
    char strategy[16];
    char pinned[64];
    bool live;
    bool heard; /* in this life of risk; until then its pinned prefix is not known */
    int64_t heard_mono_ns;
    enum assign_cause left; /* why it is not live */
    uint64_t evaluations, intents, digest;
    uint64_t departed; /* of these evaluations, what is in the sum of the departed */
    uint64_t params, build;
    uint64_t high_water; /* greatest intent id seen */
    uint32_t routes;
};

/* An open order whose decision is not known here. */
struct adopted_order {
    struct order told; /* its last record; client_id empty: free */
    struct place at;   /* of that record */
    int route;         /* or NOBODY */
    int exposure;
    money rest;
    bool history; /* adopted by a record that the route's holdings include already */
};

/* Rejects of one worker, route and reason within a second. */
struct fold {
    uint64_t key; /* 0: free */
    int64_t since_mono_ns;
    uint32_t recorded;
    uint32_t folded;
    struct trace trace;
    struct decision last;
};

struct risk {
    const struct config *config;
    const struct view *view;
    char run[40];
    uint64_t boot_id;
    struct ledger_head head;
    struct place base;     /* last record before this life */
    struct place restored; /* exec's place in the snapshot that this life began with; 0, 0 = none */
    bool stopping, stopped;

    enum risk_state state;            /* 0 before the first start */
    struct place state_at, limits_at; /* their records */
    enum reason state_reason;
    struct limits limits;
    struct dec collar_buy, collar_sell; /* factors on the best price */

    struct table *route_names;
    struct held_route *routes;
    struct decision *accepted; /* by route: its last accepted decision */
    struct owner owners[OWNERS_MAX];
    bool undrained;         /* commands wait that this wake-up has not read */
    int64_t turned_mono_ns; /* end of the last wake-up; 0 = none */
    uint32_t unheard;       /* live owners that said nothing in this life */
    bool unsettled;         /* assignments may be due */
    uint32_t settling;      /* route from which on */

    struct table *exposure_names;
    struct exposure *exposures;
    struct table *terms;          /* currencies and venues */
    struct seen_instrument *seen; /* by view index */
    struct portfolio *portfolio;
    money gross;  /* sum of worst values */
    money equity; /* sum of equities */
    uint32_t unpriced;
    bool broken;      /* an amount did not fit, or exec's records are missing: positions are not known */
    bool rolled_back; /* records of exec were applied that never were: only another start undoes it */
    int64_t valued_mono_ns;

    bool day_known;
    bool loss_latched; /* the day's loss has halted, and is not to halt the way out of it */
    int64_t day;
    money day_base; /* profit of all days that have ended */

    uint32_t open_baskets, open_orders, adopted_orders;
    struct adopted_order *adopted;

    struct place exec, exec_head; /* applied; told by the last beat */
    int64_t exec_beat_mono_ns;    /* 0 = none came */
    bool exec_read;               /* in this life all of its ledger was, once */
    struct place passed;          /* exec acts on no decision up to here that its records do not tell */
    struct place beat_upstream;   /* told by the last beat of one that takes orders, and its epoch */
    uint64_t beat_epoch;
    bool unreconciled;    /* routes may have to be told anew */
    uint32_t reconciling; /* route from which on */
    uint32_t held_back;   /* routes with a hold */

    struct fold *folds;
    uint64_t folded; /* rejects counted and not recorded yet */

    uint64_t decisions, accepts, cools, rejects;
    uint64_t rejects_by_reason[REASONS_MAX];
    uint64_t departed_evaluations, round_trips;
    uint64_t ignored, hellos_refused, routes_refused, adoptions, late_fills, fx_missing, never_sent, mended;
};

/* ---- risk.c ------------------------------------------------------------------------------------------ */

void risk_write_state(struct risk *self, enum risk_state state, enum reason reason, const char *detail,
                      struct now now, struct outbox *out);
money risk_day_pnl(const struct risk *self);
/* Halts when the day's loss has reached its limit. */
void risk_watch_loss(struct risk *self, struct now now, struct outbox *out);
/* The whole of exec's ledger, as its last beat told it, is applied. */
bool risk_has_exec(const struct risk *self);

void risk_apply_limits(struct risk *self, const struct message *m);
void risk_apply_state(struct risk *self, const struct message *m);

/* ---- gate.c ------------------------------------------------------------------------------------------ */

void gate_decide(struct risk *self, const struct message *m, struct now now, struct outbox *out);

/* ---- exposure.c -------------------------------------------------------------------------------------- */

/* Index, taken at first sight; E_FULL. */
int exposure_take(struct risk *self, const char *symbol, const char *venue);
/* An instrument was seen in the view. */
void exposure_link(struct risk *self, uint32_t view_index);
const struct quote *exposure_quote(const struct risk *self, const struct exposure *e);
/* Mid of the best prices, or the one there is; E_ABSENT. */
int exposure_mid(const struct quote *q, struct dec *out);
/* Reporting currency for one unit of its quote; E_ABSENT. */
int exposure_fx(const struct risk *self, const struct quote *q, struct dec *out);
/* Greatest absolute holding in base units, with so much more bought and sold. E_RANGE. */
int exposure_worst(const struct exposure *e, money buy, money sell, money *out);
/* Amount of base units in the reporting currency. E_RANGE. */
int exposure_value(money qty, struct dec price, struct dec fx, money *out);
/* Counts a position as held. E_FULL. */
int exposure_hold(struct risk *self, const struct position *p);
/* Values it anew, after a change or when time has passed. */
void exposure_refresh(struct risk *self, struct exposure *e);
void exposure_refresh_all(struct risk *self);
/* Adds to (or with a negative amount takes from) what is reserved. */
void exposure_reserve(struct risk *self, int index, enum side side, money qty);

/* ---- formation.c ------------------------------------------------------------------------------------- */

struct seen_instrument {
    bool known;
    enum contract_kind kind;
    int base, quote; /* indexes of terms */
    int venue;
};

void formation_on_instrument(struct risk *self, uint32_t view_index);
/* Index of the route, made when it is new; E_FULL. */
int formation_take_route(struct risk *self, const char *name);
void formation_set_leg(struct risk *self, struct held_route *route, uint32_t leg, const char *symbol,
                       const char *venue);

/* ---- assignment.c ------------------------------------------------------------------------------------ */

int owner_find(const struct risk *self, const char *name);
/* A place for a name: its own, a free one, or that of a worker that left and owns nothing. E_FULL. */
int owner_take(struct risk *self, const char *name);
/* Its next life; the one before is remembered as over. */
void owner_reborn(struct owner *o, uint64_t incarnation);
bool route_busy(const struct held_route *route);
/* Which leg of the route an instrument is; E_ABSENT. */
int route_leg_of(const struct held_route *route, const char *symbol, const char *venue);
/* Who has a route, and its state. */
void assignment_tell(const struct risk *self, const struct held_route *route, struct assign *a);
void assignment_on_hello(struct risk *self, const struct hello *hello, struct now now, struct outbox *out);
void assignment_on_time(struct risk *self, struct now now, struct outbox *out);
/* Writes assignments that are due, so many at the most. */
void assignment_settle(struct risk *self, struct now now, struct outbox *out);
/* The same for one route, whose basket ended: a move may have waited for that. */
void assignment_reconsider(struct risk *self, struct held_route *route, struct now now, struct outbox *out);
void assignment_resume(struct risk *self, struct now now);
void assignment_stop(struct risk *self, struct now now, struct outbox *out);
void assignment_apply(struct risk *self, const struct message *m);
void assignment_apply_session(struct risk *self, const struct session *session);

/* ---- executions.c ------------------------------------------------------------------------------------ */

void executions_apply_route(struct risk *self, const struct message *m);
void executions_apply_accept(struct risk *self, const struct message *m);
/* Exec has, or has no longer, a basket open whose decision is not open here. */
void executions_stray(struct held_route *route, struct place decision, const struct basket *b);
/* The residual is taken care of. false: nothing is parked, or a basket is open. */
bool executions_unpark(struct risk *self, const char *route, struct now now, struct outbox *out);

/* ---- holdings.c -------------------------------------------------------------------------------------- */

struct held_route *route_named(struct risk *self, const char *name);
/* What a fill adds to a leg: the fee in quote currency where it can be told. */
int holdings_of_fill(struct risk *self, const struct fill *fill, struct open_leg *out);
int holdings_add(struct open_leg *leg, const struct open_leg *more);
/* Adds to what exec's records alone say that the route holds. */
int holdings_read(struct risk *self, struct held_route *route, uint32_t leg, const struct open_leg *more);
/* What a route record says of it, but for exec's place. */
void holdings_tell(const struct held_route *route, struct route *r);
/* Tells the state of a route with what was gathered in `basket` (NULL: nothing), as of the record of exec just
 * read. reason: why, where exec's records are not. */
void holdings_write(struct risk *self, struct held_route *route, const struct open_basket *basket,
                    bool parked, enum reason reason, struct now now, struct outbox *out);

/* ---- adoption.c -------------------------------------------------------------------------------------- */

void adoption_on_order(struct risk *self, const struct order *o, struct now now, struct outbox *out);
/* Counts an order as exposure as its last record, read at `at`, told it. */
void adoption_take(struct risk *self, const struct order *o, struct place at);

/* ---- reconcile.c ------------------------------------------------------------------------------------- */

/* Exec acts on nothing up to here that its records, all read so far, do not tell. */
void reconcile_passed(struct risk *self, struct place decision);
void reconcile_on_beat(struct risk *self, const struct message *m);
/* The reader says that records of exec are lost, or never were. */
void reconcile_on_gap(struct risk *self, const struct gap *gap, struct now now, struct outbox *out);
/* Exec begins a life whose ledger goes on behind `base`. */
void reconcile_on_epoch(struct risk *self, const struct message *m);
/* A record of a route: the wait for exec to pass its decision ends with it, or goes on over a restart. */
void reconcile_on_route(struct risk *self, struct held_route *route, const struct route *r);
/* Tells the routes that it concerns, so many at the most. */
void reconcile_settle(struct risk *self, struct now now, struct outbox *out);

/* ---- folding.c --------------------------------------------------------------------------------------- */

/* Writes the records of seconds that are over; all: of those that are not over too. */
void folding_flush(struct risk *self, bool all, struct now now, struct outbox *out);

#endif
