/* When nothing goes wrong any more: what must be settled, and whose books must then agree. */
#include <inttypes.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/decimal.h"
#include "lib/base/table.h"
#include "tests/simulation/simulation.h"
#include "tools/paper_log.h"

enum { HELD_MAX = 32, TRADES_MAX = 8192 };

/* What somebody says is held of an instrument. */
struct held {
    char key[64]; /* SYMBOL VENUE */
    money qty, cash, fees;
    uint64_t fills;
};

struct books {
    const char *whose;
    struct held held[HELD_MAX];
    int n;
    struct table *trades;
};

static struct held *held_of(struct books *b, const char *symbol, const char *venue)
{
    char key[64];
    (void)snprintf(key, sizeof key, "%s %s", symbol, venue);
    for (int i = 0; i < b->n; i++)
        if (strcmp(b->held[i].key, key) == 0)
            return &b->held[i];
    if (b->n == HELD_MAX)
        violated("more instruments than the simulation has room for");
    struct held *h = &b->held[b->n++];
    *h = (struct held){.fills = 0};
    memcpy(h->key, key, sizeof key);
    return h;
}

static void book(struct books *b, const char *symbol, const char *venue, const char *trade_id, bool buys,
                 struct dec price, struct dec qty, struct dec fee)
{
    char id[64];
    money amount, cash, paid;
    const int len = snprintf(id, sizeof id, "%s %s", venue, trade_id);
    if (table_find(b->trades, id, (size_t)len) >= 0)
        violated("%s has trade %s twice", b->whose, id);
    (void)table_intern(b->trades, id, (size_t)len);
    if (money_of(qty, &amount) != OK || money_product(price, qty, &cash) != OK || money_of(fee, &paid) != OK)
        violated("%s: trade %s has amounts that cannot be", b->whose, id);
    struct held *h = held_of(b, symbol, venue);
    h->qty += buys ? amount : -amount;
    h->cash += buys ? -cash : cash;
    h->fees += paid;
    h->fills++;
}

static void books_open(struct books *b, const char *whose)
{
    *b = (struct books){.whose = whose, .trades = table_new(TRADES_MAX, 63)};
    if (!b->trades)
        violated("out of memory");
}

/* ---- whose ----------------------------------------------------------------------------------------------------- */

static void journal_books(struct books *b)
{
    const struct ledger_watch *l = &ledgers[STREAM_EXEC];
    books_open(b, "exec's journal");
    for (uint64_t i = 0; i < l->n; i++) {
        const struct message *m = l->records[i].message;
        if (m->env.type == MSG_FILL)
            book(b, m->fill.symbol, m->fill.venue, m->fill.trade_id, m->fill.side == SIDE_BUY,
                 (struct dec){m->fill.price, m->fill.price_exp}, (struct dec){m->fill.qty, m->fill.qty_exp},
                 m->fill.fee);
    }
}

static void on_venue_order(void *ctx, const char *client_id, const char *venue, const char *symbol)
{
    (void)ctx;
    (void)client_id;
    (void)venue;
    (void)symbol;
}

static void on_venue_trade(void *ctx, const struct paper_trade *t)
{
    book(ctx, t->symbol, t->venue, t->trade_id, strcmp(t->side, "buy") == 0, t->price, t->qty, t->fee);
}

static void venue_books(struct books *b)
{
    char error[256];
    books_open(b, "the venue's log");
    const struct paper_log_reader reader = {b, on_venue_order, on_venue_trade};
    const int status = paper_log_read("paper.log", &reader, error, sizeof error);
    if (status != OK && status != E_ABSENT)
        violated("%s", error);
}

/* Kept open: to read the schema each time costs more than what is asked for. */
static sqlite3 *database_open(void)
{
    static sqlite3 *db;
    if (!db && sqlite3_open_v2("sluice.db", &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        violated("the database cannot be opened");
    return db;
}

static sqlite3_stmt *query(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
        violated("the database: %s: %s", sql, sqlite3_errmsg(db));
    return s;
}

static struct dec number(sqlite3_stmt *s, int column)
{
    struct dec v = {0, 0};
    const char *text = (const char *)sqlite3_column_text(s, column);
    if (!text || dec_parse(text, strlen(text), &v) != OK)
        violated("the database: '%s' is no number", text ? text : "NULL");
    return v;
}

static void database_books(struct books *b, sqlite3 *db)
{
    sqlite3_stmt *s = query(db, "SELECT symbol, venue, trade_id, side, price, qty, fee FROM fills");
    books_open(b, "the database");
    while (sqlite3_step(s) == SQLITE_ROW)
        book(b, (const char *)sqlite3_column_text(s, 0), (const char *)sqlite3_column_text(s, 1),
             (const char *)sqlite3_column_text(s, 2),
             strcmp((const char *)sqlite3_column_text(s, 3), "buy") == 0, number(s, 4), number(s, 5),
             number(s, 6));
    (void)sqlite3_finalize(s);
}

/* What the routes of risk's ledger hold, by its last word of each. Their costs are told from the routes' side. */
static void route_books(struct books *b)
{
    const struct ledger_watch *l = &ledgers[STREAM_RISK];
    const struct route *last[HELD_MAX];
    int n = 0;
    books_open(b, "risk's routes");
    for (uint64_t i = l->n; i > 0; i--) {
        const struct message *m = l->records[i - 1].message;
        bool known = m->env.type != MSG_ROUTE;
        for (int j = 0; j < n && !known; j++)
            known = strcmp(last[j]->route, m->route.route) == 0;
        if (!known && n < HELD_MAX)
            last[n++] = &m->route;
    }
    for (int j = 0; j < n; j++) {
        for (uint32_t k = 0; k < last[j]->n_legs; k++) {
            const struct route_leg *leg = &last[j]->legs[k];
            money qty;
            if (money_of(leg->qty, &qty) != OK)
                violated("a route's holding cannot be");
            held_of(b, leg->symbol, leg->venue)->qty += qty;
        }
    }
}

static void compare(const struct books *a, struct books *b, bool quantities_only)
{
    for (int i = 0; i < a->n; i++) {
        char symbol[32], venue[32], qa[MONEY_TEXT_MAX], qb[MONEY_TEXT_MAX];
        const struct held *x = &a->held[i];
        if (sscanf(x->key, "%31s %31s", symbol, venue) != 2)
            violated("an instrument without a name");
        const struct held *y = held_of(b, symbol, venue);
        money_format(x->qty, qa);
        money_format(y->qty, qb);
        if (x->qty != y->qty)
            violated("%s: %s has %s, %s has %s", x->key, a->whose, qa, b->whose, qb);
        if (!quantities_only && (x->cash != y->cash || x->fees != y->fees || x->fills != y->fills))
            violated("%s: %s and %s differ in cash, fees or the number of fills (%" PRIu64 ", %" PRIu64 ")",
                     x->key, a->whose, b->whose, x->fills, y->fills);
    }
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

static uint64_t *rows_of[STREAMS]; /* by position - first: how many, and of which epoch */
static bool in_gap(sqlite3 *db, const char *stream, uint64_t pos)
{
    char sql[256];
    (void)snprintf(
        sql, sizeof sql,
        "SELECT 1 FROM gaps WHERE stream_lost = '%s' AND cause <> 'rollback' AND from_pos <= %" PRIu64
        " AND to_pos >= %" PRIu64,
        stream, pos, pos);
    sqlite3_stmt *s = query(db, sql);
    const bool found = sqlite3_step(s) == SQLITE_ROW;
    (void)sqlite3_finalize(s);
    return found;
}

/* Tables that hold a ledger's records one a row: keyed by run, stream, epoch and position, not by an item too. */
static void count_rows(sqlite3 *db, const char *table)
{
    char sql[256];
    (void)snprintf(sql, sizeof sql,
                   "SELECT sum(name = 'stream') + sum(name = 'epoch') + sum(name = 'pos'), sum(name = 'item' "
                   "AND pk > 0) "
                   "FROM pragma_table_info('%s')",
                   table);
    sqlite3_stmt *s = query(db, sql);
    const bool keyed =
        sqlite3_step(s) == SQLITE_ROW && sqlite3_column_int(s, 0) == 3 && sqlite3_column_int(s, 1) == 0;
    (void)sqlite3_finalize(s);
    if (!keyed || strcmp(table, "stored_positions") == 0)
        return;
    const bool gaps = strcmp(table, "gaps") == 0;
    (void)snprintf(sql, sizeof sql, "SELECT stream, epoch, pos FROM \"%s\"%s", table,
                   gaps ? " WHERE stream <> stream_lost" : "");
    s = query(db, sql);
    while (sqlite3_step(s) == SQLITE_ROW) {
        const char *stream = (const char *)sqlite3_column_text(s, 0);
        const uint64_t epoch = (uint64_t)sqlite3_column_int64(s, 1),
                       pos = (uint64_t)sqlite3_column_int64(s, 2);
        const int i = stream_of(stream);
        const struct record *r = i < 0 ? NULL : record_at(i, pos);
        if (!r || r->epoch != epoch)
            violated("the database has %s %" PRIu64 "/%" PRIu64 " in %s; the journal has not", stream, epoch,
                     pos, table);
        if (rows_of[i][pos - ledgers[i].first]++)
            violated("the database has %s %" PRIu64 "/%" PRIu64 " twice", stream, epoch, pos);
    }
    (void)sqlite3_finalize(s);
}

static void check_rows(sqlite3 *db)
{
    for (int i = 0; i < STREAMS; i++) {
        free(rows_of[i]);
        rows_of[i] = calloc(ledgers[i].n + 1, sizeof *rows_of[i]);
        if (!rows_of[i])
            violated("out of memory");
    }
    sqlite3_stmt *tables = query(db, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name");
    while (sqlite3_step(tables) == SQLITE_ROW)
        count_rows(db, (const char *)sqlite3_column_text(tables, 0));
    (void)sqlite3_finalize(tables);
    for (int i = 0; i < STREAMS; i++)
        for (uint64_t n = 0; n < ledgers[i].n; n++)
            if (!rows_of[i][n] && !in_gap(db, ledgers[i].name, ledgers[i].first + n))
                violated("the database lacks %s %" PRIu64 "/%" PRIu64, ledgers[i].name,
                         ledgers[i].records[n].epoch, ledgers[i].records[n].pos);
}

static uint64_t stored_pos(sqlite3 *db, const char *stream)
{
    char sql[160];
    (void)snprintf(sql, sizeof sql, "SELECT pos FROM stored_positions WHERE stream = '%s'", stream);
    sqlite3_stmt *s = query(db, sql);
    const uint64_t pos = sqlite3_step(s) == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
    (void)sqlite3_finalize(s);
    return pos;
}

/* ---- baskets and orders ------------------------------------------------------------------------------------------ */

static bool order_is_over(enum order_state state)
{
    return state == ORDER_FILLED || state == ORDER_CANCELED || state == ORDER_REJECTED ||
           state == ORDER_EXPIRED || state == ORDER_DENIED;
}

static const struct message *last_of_basket(uint64_t epoch, uint64_t pos)
{
    const struct ledger_watch *l = &ledgers[STREAM_EXEC];
    for (uint64_t i = l->n; i > 0; i--) {
        const struct message *m = l->records[i - 1].message;
        if (l->records[i - 1].type == MSG_BASKET && m->basket.risk_epoch == epoch &&
            m->basket.risk_pos == pos)
            return m;
    }
    return NULL;
}

/* The newest word on a thing counts: it is met first when one goes backwards. */
static bool baskets_are_over(char words[256])
{
    const struct ledger_watch *l = &ledgers[STREAM_EXEC];
    struct table *seen = table_new((uint32_t)l->n, 48);
    bool over = true;
    for (uint64_t i = l->n; i > 0 && over; i--) {
        const struct message *m = l->records[i - 1].message;
        char key[48] = "";
        if (l->records[i - 1].type == MSG_ORDER)
            (void)snprintf(key, sizeof key, "%s", m->order.client_id);
        else if (l->records[i - 1].type == MSG_BASKET)
            (void)snprintf(key, sizeof key, "%" PRIu64 "/%" PRIu64, m->basket.risk_epoch, m->basket.risk_pos);
        if (!*key || table_find(seen, key, strlen(key)) >= 0)
            continue;
        (void)table_intern(seen, key, strlen(key));
        over = m->env.type == MSG_ORDER ? order_is_over(m->order.state) : m->basket.terminal;
        if (!over)
            (void)snprintf(words, 256, "%s %s is %s", m->env.type == MSG_ORDER ? "order" : "basket", key,
                           m->env.type == MSG_ORDER ? order_state_text(m->order.state)
                                                    : basket_state_text(m->basket.state));
    }
    table_destroy(&seen);
    return over;
}

static bool decisions_are_over(char words[256])
{
    const struct ledger_watch *l = &ledgers[STREAM_RISK];
    for (uint64_t i = l->n; i > 0; i--) {
        const struct message *m = l->records[i - 1].message;
        if (l->records[i - 1].type != MSG_DECISION || m->decision.verdict > VERDICT_LESS)
            continue;
        const struct message *b = last_of_basket(m->env.epoch, m->env.pos);
        if (!b || !b->basket.terminal) {
            (void)snprintf(words, 256, "decision %" PRIu64 "/%" PRIu64 " has %s", m->env.epoch, m->env.pos,
                           b ? "an open basket" : "no basket");
            return false;
        }
    }
    return true;
}

/* risk's last word on each route: it is not busy, and includes all of exec's fills. */
static bool routes_are_idle(char words[256])
{
    const struct ledger_watch *l = &ledgers[STREAM_RISK];
    struct table *seen = table_new(256, 96);
    bool idle = true;
    for (uint64_t i = l->n; i > 0 && idle; i--) {
        const struct message *m = l->records[i - 1].message;
        const uint32_t type = l->records[i - 1].type;
        const char *name = type == MSG_ROUTE ? m->route.route : type == MSG_DECISION ? m->decision.route : "";
        if (!*name || (m->env.type == MSG_DECISION && m->decision.verdict > VERDICT_LESS) ||
            table_find(seen, name, strlen(name)) >= 0)
            continue;
        (void)table_intern(seen, name, strlen(name));
        idle = m->env.type == MSG_ROUTE && !m->route.busy;
        if (!idle)
            (void)snprintf(words, 256, "route %s is busy", name);
    }
    table_destroy(&seen);
    return idle;
}

static bool all_is_stored(char words[256])
{
    sqlite3 *db = database_open();
    bool stored = true;
    for (int i = 0; i < STREAMS && stored; i++) {
        const uint64_t pos = stored_pos(db, ledgers[i].name);
        stored = pos == ledger_head(i);
        if (!stored)
            (void)snprintf(words, 256, "the database has %s up to %" PRIu64 " of %" PRIu64, ledgers[i].name,
                           pos, ledger_head(i));
    }
    return stored;
}

bool quiet_settled(char words[256])
{
    return decisions_are_over(words) && baskets_are_over(words) && routes_are_idle(words) &&
           all_is_stored(words);
}

void quiet_check(void)
{
    struct books venue, exec, stored, held;
    char words[256];
    sqlite3 *db = database_open();
    venue_books(&venue);
    journal_books(&exec);
    database_books(&stored, db);
    route_books(&held);
    compare(&venue, &exec, false);
    compare(&exec, &venue, false);
    compare(&exec, &stored, false);
    compare(&stored, &exec, false);
    compare(&exec, &held, true);
    compare(&held, &exec, true);
    check_rows(db);
    if (!decisions_are_over(words) || !baskets_are_over(words) || !routes_are_idle(words))
        violated("after all was settled: %s", words);
    table_destroy(&venue.trades);
    table_destroy(&exec.trades);
    table_destroy(&stored.trades);
    table_destroy(&held.trades);
}

uint64_t quiet_fills(void)
{
    const struct ledger_watch *l = &ledgers[STREAM_EXEC];
    uint64_t fills = 0;
    for (uint64_t i = 0; i < l->n; i++)
        fills += l->records[i].type == MSG_FILL;
    return fills;
}
