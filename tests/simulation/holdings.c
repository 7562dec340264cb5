/* What the ledgers say is held, by arithmetic of the harness's own: the sum of exec's fills, and nothing else, is what
 * exec's positions, risk's routes and both their snapshots may tell. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/decimal.h"
#include "lib/runtime/journal_record.h"
#include "tests/simulation/simulation.h"

struct sum {
    money qty, cash;
    uint64_t fills;
};

/* Exec's fills of an instrument up to a position; of one route, where it is named. */
static struct sum sum_of(const char *route, const char *symbol, const char *venue, uint64_t pos)
{
    const struct ledger_watch *l = &ledgers[STREAM_EXEC];
    struct sum sum = {0};
    for (uint64_t i = 0; i < l->n && l->first + i <= pos; i++) {
        const struct fill *f = &l->records[i].message->fill;
        money qty, cash;
        if (l->records[i].type != MSG_FILL || strcmp(f->symbol, symbol) != 0 ||
            strcmp(f->venue, venue) != 0 || (route && strcmp(f->route, route) != 0))
            continue;
        if (money_of((struct dec){f->qty, f->qty_exp}, &qty) != OK ||
            money_product((struct dec){f->price, f->price_exp}, (struct dec){f->qty, f->qty_exp}, &cash) !=
                OK)
            violated("a fill has amounts that cannot be");
        sum.qty += f->side == SIDE_BUY ? qty : -qty;
        sum.cash += f->side == SIDE_BUY ? -cash : cash;
        sum.fills++;
    }
    return sum;
}

static bool stands(uint64_t epoch, uint64_t pos)
{
    const struct record *r = record_at(STREAM_EXEC, pos);
    return r && r->epoch == epoch;
}

static void check_position(const struct position *p, const char *whose, uint64_t pos)
{
    char has[MONEY_TEXT_MAX], wants[MONEY_TEXT_MAX];
    const struct sum sum = sum_of(NULL, p->symbol, p->venue, pos);
    if (p->qty == sum.qty && p->cash == sum.cash && p->fills == sum.fills)
        return;
    money_format(p->qty, has);
    money_format(sum.qty, wants);
    violated("%s tells a position of %s in %s %s, of %" PRIu64 " fills; exec's ledger has %s, of %" PRIu64
             ", up to %" PRIu64,
             whose, has, p->symbol, p->venue, p->fills, wants, sum.fills, pos);
}

void holdings_position(const struct message *m)
{
    check_position(&m->position, "exec", m->env.pos);
}

void holdings_route(const struct message *m)
{
    const struct route *r = &m->route;
    for (uint32_t i = 0; i < r->n_legs && stands(r->exec_epoch, r->exec_pos); i++) {
        char has[MONEY_TEXT_MAX], wants[MONEY_TEXT_MAX];
        money qty;
        const struct sum sum = sum_of(r->route, r->legs[i].symbol, r->legs[i].venue, r->exec_pos);
        if (money_of(r->legs[i].qty, &qty) != OK)
            violated("a route's holding cannot be");
        if (qty == sum.qty)
            continue;
        money_format(qty, has);
        money_format(sum.qty, wants);
        violated("risk tells at %" PRIu64 "/%" PRIu64
                 " that %s holds %s of %s %s; exec's ledger has %s up to %" PRIu64 "/%" PRIu64,
                 m->env.epoch, m->env.pos, r->route, has, r->legs[i].symbol, r->legs[i].venue, wants,
                 r->exec_epoch, r->exec_pos);
    }
}

/* ---- the worst case --------------------------------------------------------------------------------------------- */

money holdings_worst(const struct intent_leg *leg, const struct decision *d, const struct place_at *open)
{
    const struct ledger_watch *l = &ledgers[STREAM_EXEC];
    money rest = 0, qty = 0;
    for (uint32_t i = 0; i < d->n_legs; i++) {
        const struct intent_leg *other = &d->legs[i];
        if (strcmp(other->symbol, leg->symbol) != 0 || strcmp(other->venue, leg->venue) != 0 ||
            other->side != leg->side)
            continue;
        if (money_of((struct dec){other->qty, other->qty_exp}, &qty) != OK)
            violated("an amount cannot be");
        rest += qty;
    }
    for (uint64_t i = 0; open && i < l->n; i++) {
        const struct fill *f = &l->records[i].message->fill;
        if (l->records[i].type == MSG_FILL && f->risk_epoch == open->epoch && f->risk_pos == open->pos &&
            strcmp(f->symbol, leg->symbol) == 0 && strcmp(f->venue, leg->venue) == 0 &&
            f->side == leg->side && money_of((struct dec){f->qty, f->qty_exp}, &qty) == OK)
            rest -= qty;
    }
    return rest > 0 ? rest : 0;
}

/* Fills that exec has told and then lost with its power. They stand at the venue, where it finds them again; until then its
 * ledger is less than what is held, and the gate may have heard of them. */
static struct fill *lost;
static uint32_t n_lost;

void holdings_lost(const struct fill *fill)
{
    lost = realloc(lost, (n_lost + 1) * sizeof *lost);
    if (!lost)
        violated("out of memory");
    lost[n_lost++] = *fill;
}

static bool is_found_again(const struct fill *fill)
{
    const struct ledger_watch *l = &ledgers[STREAM_EXEC];
    for (uint64_t i = l->n; i > 0; i--) {
        const struct fill *f = &l->records[i - 1].message->fill;
        if (l->records[i - 1].type == MSG_FILL && strcmp(f->trade_id, fill->trade_id) == 0 &&
            strcmp(f->venue, fill->venue) == 0)
            return true;
    }
    return false;
}

static bool lacks_fills(const struct intent_leg *leg)
{
    for (uint32_t i = 0; i < n_lost; i++)
        if (strcmp(lost[i].symbol, leg->symbol) == 0 && strcmp(lost[i].venue, leg->venue) == 0 &&
            !is_found_again(&lost[i]))
            return true;
    return false;
}

/* The gate values it at the mid of its book; the leg's price is off from that, by far less than a fiftieth. */
void holdings_within(const struct message *decision, const struct intent_leg *leg, money open, money limit)
{
    char text[MONEY_TEXT_MAX];
    const money held = sum_of(NULL, leg->symbol, leg->venue, UINT64_MAX).qty;
    const money after = leg->side == SIDE_BUY ? held + open : open - held;
    money value;
    if (after <= 0)
        return;
    if (money_scale(after, (struct dec){leg->price, leg->price_exp}, ROUND_DOWN, &value) != OK)
        violated("an amount cannot be");
    if (value <= limit + limit / 50 || lacks_fills(leg))
        return;
    money_format(value, text);
    violated("decision %" PRIu64 "/%" PRIu64 " may make a position of %s in %s %s, which is above the limit",
             decision->env.epoch, decision->env.pos, text, leg->symbol, leg->venue);
}

/* ---- snapshots -------------------------------------------------------------------------------------------------- */

/* What a route was told of exec's ledger is in the snapshot that tells it. */
static void check_included(const struct message *m, const struct snapshot *place)
{
    const struct route *r = &m->route;
    if (!stands(r->exec_epoch, r->exec_pos) || r->exec_epoch < place->upstream_epoch ||
        (r->exec_epoch == place->upstream_epoch && r->exec_pos <= place->upstream_pos))
        return;
    violated("risk's snapshot tells %s with exec's ledger up to %" PRIu64 "/%" PRIu64
             ", and includes %" PRIu64 "/%" PRIu64,
             r->route, r->exec_epoch, r->exec_pos, place->upstream_epoch, place->upstream_pos);
}

/* Each message of a whole one, the first of which is MSG_SNAPSHOT. */
void holdings_snapshot(int stream, const unsigned char *bytes, int64_t len)
{
    struct snapshot place = {0};
    uint64_t own_epoch = 0, own_pos = 0;
    uint32_t positions = 0;
    for (int64_t at = 0; at + RECORD_HEADER <= len;) {
        static struct message m;
        uint32_t length;
        memcpy(&length, bytes + at + 4, sizeof length);
        if (length > JOURNAL_PAYLOAD_MAX || at + (int64_t)record_bytes(length) > len)
            return;
        watch_decode(bytes + at + RECORD_HEADER, length, &m);
        at += (int64_t)record_bytes(length);
        if (m.env.type == MSG_SNAPSHOT) {
            place = m.snapshot;
            own_epoch = m.env.epoch;
            own_pos = m.env.pos;
        }
        const uint64_t epoch = stream == STREAM_RISK ? place.upstream_epoch : own_epoch,
                       pos = stream == STREAM_RISK ? place.upstream_pos : own_pos;
        if (stream == STREAM_RISK && m.env.type == MSG_ROUTE)
            check_included(&m, &place);
        if (m.env.type == MSG_POSITION && stands(epoch, pos)) {
            positions++;
            check_position(&m.position, stream == STREAM_RISK ? "risk's snapshot" : "exec's snapshot", pos);
        }
    }
    TRACE("%s has a snapshot at %" PRIu64 "/%" PRIu64 ", with %" PRIu64 "/%" PRIu64 " and %u positions",
          ledgers[stream].name, own_epoch, own_pos, place.upstream_epoch, place.upstream_pos, positions);
}
