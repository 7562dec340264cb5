/* Holds what four sources tell of the same trading against each other, to the last digit:
 *   risk's positions, exec's journal (the files, not the database), the database, the paper venue's own log.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/runtime/journal.h"
#include "proto/codec.h"
#include "tools/paper_log.h"
#include "tools/report_data.h"

enum { CLIENT_ID_MAX = 36 };

struct reading {
    struct report *r;
    char *error;
    uint64_t journal_first;              /* position of the first record of exec's journal */
    uint64_t journal_epoch, journal_pos; /* of the last */
    struct table *venue_ids;             /* client ids in the paper venue's log */
};

/* ---- exec's journal ---------------------------------------------------------------------------------- */

static void on_record(struct reading *in, const struct message *m)
{
    if (m->env.type == MSG_ORDER && in->r->client_ids)
        (void)table_intern(in->r->client_ids, m->order.client_id, strlen(m->order.client_id));
    if (m->env.type != MSG_FILL)
        return;
    const struct fill *f = &m->fill;
    struct told_fill fill = {.trade_id = f->trade_id,
                             .client_id = f->client_id,
                             .side = side_text(f->side),
                             .fee_currency = f->fee_currency,
                             .price = {f->price, f->price_exp},
                             .qty = {f->qty, f->qty_exp},
                             .fee = f->fee};
    struct instrument_report *i = report_instrument(in->r, f->venue, f->symbol);
    if (i)
        sums_add(in->r, &i->journal, &fill);
}

static int read_records(struct reading *in, struct journal_reader *reader, struct decoder *decoder,
                        struct message *m)
{
    struct drops drops = {0};
    struct journal_record record;
    int got;
    while ((got = journal_reader_next(reader, &record)) == 1) {
        if (!codec_decode(decoder, record.payload, record.len, m, &drops)) {
            (void)snprintf(in->error, STORE_ERROR_MAX,
                           "journal/exec: position %" PRIu64 " cannot be read: %s", record.pos, drops.last);
            return E_CORRUPT;
        }
        if (in->journal_first == 0)
            in->journal_first = record.pos;
        in->journal_epoch = record.epoch;
        in->journal_pos = record.pos;
        on_record(in, m);
    }
    if (got < 0)
        (void)snprintf(in->error, STORE_ERROR_MAX, "journal/exec: %s", journal_reader_error(reader));
    return got;
}

static int read_journal(struct reading *in)
{
    char error[JOURNAL_ERROR_MAX] = "out of memory";
    struct journal_reader *reader = NULL;
    struct decoder *decoder = decoder_new();
    struct message *m = malloc(sizeof *m);
    int status = decoder && m ? journal_reader_open("journal/exec", 0, &reader, error) : E_FULL;
    if (status)
        (void)snprintf(in->error, STORE_ERROR_MAX, "journal/exec: %.200s", error);
    else
        status = read_records(in, reader, decoder, m);
    if (reader)
        journal_reader_close(&reader);
    decoder_destroy(&decoder);
    free(m);
    return status;
}

/* ---- what exec's journal has freed -------------------------------------------------------------------
 * The database had it, or it would not have been freed. For that part it stands in for the journal; the paper venue's
 * log is still held against it. */

static int on_freed_order(void *ctx, int columns, const char *const *names, const char *const *v)
{
    struct reading *in = ctx;
    (void)columns, (void)names;
    if (in->r->client_ids)
        (void)table_intern(in->r->client_ids, v[0], strlen(v[0]));
    return OK;
}

static int on_freed_fill(void *ctx, int columns, const char *const *names, const char *const *v)
{
    struct reading *in = ctx;
    struct told_fill fill = {.trade_id = v[2], .client_id = v[3], .side = v[4], .fee_currency = v[5]};
    (void)columns, (void)names;
    if (dec_parse(v[6], strlen(v[6]), &fill.price) != OK || dec_parse(v[7], strlen(v[7]), &fill.qty) != OK ||
        dec_parse(v[8], strlen(v[8]), &fill.fee) != OK) {
        (void)snprintf(in->error, STORE_ERROR_MAX,
                       "fills: trade %.60s: expected decimals, has %.40s %.40s %.40s", v[2], v[6], v[7],
                       v[8]);
        return E_CORRUPT;
    }
    struct instrument_report *i = report_instrument(in->r, v[0], v[1]);
    if (i)
        sums_add(in->r, &i->journal, &fill);
    return OK;
}

static int read_freed(struct reading *in, struct store *store)
{
    char first[24];
    const char *params[] = {in->r->run, first};
    if (in->journal_first <= 1)
        return OK;
    (void)snprintf(first, sizeof first, "%" PRIu64, in->journal_first);
    report_note(
        in->r,
        "journal/exec begins at position %s: what was before it is freed, and the database stands in for it",
        first);
    int status = store_query(store,
                             "SELECT DISTINCT client_id FROM order_events WHERE run = $1 AND stream = 'exec' "
                             "AND pos < $2",
                             params, 2, on_freed_order, in);
    if (status == OK)
        status =
            store_query(store,
                        "SELECT venue, symbol, trade_id, client_id, side, fee_currency, price, qty, fee FROM "
                        "fills WHERE run = $1 AND stream = 'exec' AND pos < $2",
                        params, 2, on_freed_fill, in);
    if (status && !*in->error)
        (void)snprintf(in->error, STORE_ERROR_MAX, "%s", store_error(store));
    return status;
}

/* ---- the paper venue's log --------------------------------------------------------------------------- */

static void on_paper_order(void *ctx, const char *client_id, const char *venue, const char *symbol)
{
    struct reading *in = ctx;
    uint32_t before = table_count(in->venue_ids);
    size_t len = strlen(client_id);
    int index = table_intern(in->venue_ids, client_id, len);
    if (index >= 0 && (uint32_t)index < before)
        report_difference(in->r, "%s %s: client id %s stands twice in paper.log", venue, symbol, client_id);
    if (index < 0 || table_find(in->r->client_ids, client_id, len) < 0)
        report_difference(in->r, "%s %s: client id %s of paper.log is none of exec's", venue, symbol,
                          client_id);
}

static void on_paper_trade(void *ctx, const struct paper_trade *t)
{
    struct reading *in = ctx;
    struct instrument_report *i = report_instrument(in->r, t->venue, t->symbol);
    struct told_fill fill = {t->trade_id, t->client_id, t->side, t->fee_currency, t->price, t->qty, t->fee};
    if (i)
        sums_add(in->r, &i->paper, &fill);
}

static int read_paper_log(struct reading *in)
{
    struct paper_log_reader reader = {in, on_paper_order, on_paper_trade};
    in->venue_ids = table_new(table_count(in->r->client_ids) + 1024, CLIENT_ID_MAX);
    if (!in->venue_ids) {
        (void)snprintf(in->error, STORE_ERROR_MAX, "out of memory");
        return E_FULL;
    }
    int status = paper_log_read("paper.log", &reader, in->error, STORE_ERROR_MAX);
    table_destroy(&in->venue_ids);
    return status;
}

/* ---- the database's own order ------------------------------------------------------------------------ */

static int on_repeated_client_id(void *ctx, int columns, const char *const *names, const char *const *v)
{
    (void)columns, (void)names;
    report_difference(((struct reading *)ctx)->r, "%s %s: client id %s was sent %s times", v[0], v[1], v[2],
                      v[3]);
    return OK;
}

static int on_repeated_trade_id(void *ctx, int columns, const char *const *names, const char *const *v)
{
    (void)columns, (void)names;
    report_difference(((struct reading *)ctx)->r, "%s: trade id %s is in the database %s times", v[0], v[1],
                      v[2]);
    return OK;
}

static int look_for_repeats(struct reading *in, struct store *store)
{
    const char *params[] = {in->r->run};
    int status =
        store_query(store,
                    "SELECT venue, symbol, client_id, COUNT(*) FROM order_events WHERE run = $1 AND state = "
                    "'PendingNew' GROUP BY venue, symbol, client_id HAVING COUNT(*) > 1",
                    params, 1, on_repeated_client_id, in);
    if (status == OK)
        status =
            store_query(store,
                        "SELECT venue, trade_id, COUNT(*) FROM fills WHERE run = $1 GROUP BY venue, trade_id "
                        "HAVING COUNT(*) > 1",
                        params, 1, on_repeated_trade_id, in);
    if (status)
        (void)snprintf(in->error, STORE_ERROR_MAX, "%s", store_error(store));
    return status;
}

static int compare_positions(struct reading *in, struct store *store)
{
    uint64_t epoch, pos;
    int status = store_position(store, in->r->run, "exec", &epoch, &pos);
    if (status)
        (void)snprintf(in->error, STORE_ERROR_MAX, "%s", store_error(store));
    else if (pos != in->journal_pos || epoch != in->journal_epoch)
        report_difference(in->r,
                          "the database holds exec's ledger up to %" PRIu64 "/%" PRIu64
                          ", journal/exec goes to %" PRIu64 "/%" PRIu64,
                          epoch, pos, in->journal_epoch, in->journal_pos);
    return status;
}

/* Of risk's journal only that no record of it is damaged: what it says of money is in exec's too. */
static void look_through_risk(struct reading *in)
{
    char error[JOURNAL_ERROR_MAX];
    struct journal_reader *reader;
    struct journal_record record;
    int got;
    if (journal_reader_open("journal/risk", 0, &reader, error) != OK)
        return;
    while ((got = journal_reader_next(reader, &record)) == 1)
        continue;
    if (got == E_CORRUPT)
        report_difference(in->r, "journal/risk: %s", journal_reader_error(reader));
    journal_reader_close(&reader);
}

/* ---- holding them against each other ----------------------------------------------------------------- */

static void compare_amount(struct report *r, const struct instrument_report *i, const char *what,
                           const char *source, money is, const char *than, money should)
{
    char a[MONEY_TEXT_MAX], b[MONEY_TEXT_MAX];
    if (is == should)
        return;
    (void)money_format(is, a);
    (void)money_format(should, b);
    report_difference(r, "%s %s: %s is %s by %s, but %s by %s", i->venue, i->symbol, what, a, source, b,
                      than);
}

static void compare_sums(struct report *r, const struct instrument_report *i, const char *source,
                         const struct sums *is)
{
    const struct sums *should = &i->journal;
    static const char than[] = "exec's journal";
    uint32_t before = r->n_differences;
    compare_amount(r, i, "the position", source, is->qty, than, should->qty);
    compare_amount(r, i, "cash", source, is->cash, than, should->cash);
    compare_amount(r, i, "fees", source, is->fees, than, should->fees);
    if (is->fills != should->fills)
        report_difference(r, "%s %s: fills are %" PRIu64 " by %s, but %" PRIu64 " by %s", i->venue, i->symbol,
                          is->fills, source, should->fills, than);
    if (is->digest != should->digest && r->n_differences == before)
        report_difference(r, "%s %s: sums agree, but %s has other fills (ids, sides or prices) than %s",
                          i->venue, i->symbol, source, than);
}

int report_reconcile(struct report *self, struct store *store, char error[STORE_ERROR_MAX])
{
    struct reading in = {.r = self, .error = error};
    *error = '\0';
    int status = read_journal(&in);
    if (status == OK)
        status = read_freed(&in, store);
    if (status == OK && self->paper)
        status = read_paper_log(&in);
    if (status == OK)
        status = look_for_repeats(&in, store);
    if (status == OK)
        status = compare_positions(&in, store);
    look_through_risk(&in);
    if (status == OK && self->broken) {
        (void)snprintf(error, STORE_ERROR_MAX, "the run's sums do not fit: amounts above 1.7e20");
        status = E_RANGE;
    }
    for (uint32_t i = 0; status == OK && i < table_count(self->instrument_names); i++) {
        const struct instrument_report *at = &self->instruments[i];
        compare_amount(self, at, "the position", "risk", at->risk_qty, "exec's journal", at->journal.qty);
        compare_sums(self, at, "the database", &at->database);
        if (self->paper)
            compare_sums(self, at, "paper.log", &at->paper);
    }
    return status;
}
