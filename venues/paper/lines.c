/* The log: words between single spaces, one event a line, amounts as plain decimals, times in ns.
 *
 *   B VENUE CURRENCY AMOUNT                                      what the account starts with
 *   O TIME CLIENT_ID VENUE SYMBOL SIDE QTY LIMIT TIF             an order was taken
 *   F TIME TRADE_ID CLIENT_ID VENUE SYMBOL SIDE PRICE QTY FEE CURRENCY
 *   D TIME CLIENT_ID FILLED REASON                               an order is over; REASON: why not filled
 *   R TIME CLIENT_ID REASON                                      an order was refused
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/text.h"
#include "lib/market/symbol.h"
#include "venues/paper/paper_internal.h"

enum { WORDS_MAX = 11 };

/* ---- writing ----------------------------------------------------------------------------------------- */

bool lines_word(const char *text)
{
    for (const char *c = text; *c; c++) {
        if (*c <= ' ' || *c > '~')
            return false;
    }
    return *text != '\0';
}

static int write_lines(struct paper *self)
{
    int status = self->log.write(self->log.ctx, self->lines, self->lines_len);
    if (status == OK)
        self->log_bytes += self->lines_len;
    self->lines_len = 0;
    return status;
}

__attribute__((format(printf, 2, 3))) static void add_line(struct paper *self, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t room = sizeof self->lines - self->lines_len;
    int len = vsnprintf(self->lines + self->lines_len, room, format, args);
    va_end(args);
    if (len > 0 && (size_t)len < room)
        self->lines_len += (size_t)len;
}

int lines_write_start(struct paper *self, const char *venue, const char *currency, money amount)
{
    char text[MONEY_TEXT_MAX];
    money_format(amount, text);
    add_line(self, "B %s %s %s\n", venue, currency, text);
    return write_lines(self);
}

void lines_order(const struct paper_order *order, char out[LINE_BYTES])
{
    char qty[DEC_TEXT_MAX], limit[DEC_TEXT_MAX];
    dec_format(order->qty, qty);
    dec_format(order->limit, limit);
    (void)snprintf(out, LINE_BYTES, "O %" PRId64 " %s %s %s %s %s %s %s", order->taken_ns, order->client_id,
                   order->venue, order->symbol, side_text(order->side), qty, limit,
                   time_in_force_text(order->tif));
}

int lines_write_order(struct paper *self, struct paper_order *order)
{
    char text[LINE_BYTES];
    if (order->logged)
        return OK;
    lines_order(order, text);
    add_line(self, "%s\n", text);
    int status = write_lines(self);
    order->logged = status == OK;
    self->since += status == OK;
    return status;
}

int lines_write_outcome(struct paper *self, const struct paper_order *order, const struct outcome *outcome,
                        uint64_t first_trade, int64_t time_ns)
{
    char price[DEC_TEXT_MAX], qty[DEC_TEXT_MAX], fee[DEC_TEXT_MAX];
    for (uint32_t i = 0; i < outcome->n; i++) {
        const struct take *take = &outcome->at[i];
        dec_format(take->price, price);
        dec_format(take->qty, qty);
        dec_format(take->fee, fee);
        add_line(self, "F %" PRId64 " %s-%" PRIu64 " %s %s %s %s %s %s %s %s\n", time_ns, order->venue,
                 first_trade + i, order->client_id, order->venue, order->symbol, side_text(order->side),
                 price, qty, fee, order->quote);
    }
    dec_format(outcome->filled, qty);
    if (outcome->refused)
        add_line(self, "R %" PRId64 " %s %s\n", time_ns, order->client_id, reason_text(outcome->reason));
    else
        add_line(self, "D %" PRId64 " %s %s %s\n", time_ns, order->client_id, qty,
                 reason_text(outcome->reason));
    return write_lines(self);
}

/* ---- reading back ------------------------------------------------------------------------------------- */

static int split(char *line, char *words[WORDS_MAX])
{
    int n = 0;
    for (char *rest = line, *word; (word = strsep(&rest, " ")) != NULL; n++) {
        if (n == WORDS_MAX || *word == '\0')
            return E_SYNTAX;
        words[n] = word;
    }
    return n;
}

static bool read_time(const char *word, int64_t *out)
{
    char *end;
    *out = strtoll(word, &end, 10);
    return end != word && *end == '\0';
}

static bool read_dec(const char *word, struct dec *out)
{
    return dec_parse(word, strlen(word), out) == OK;
}

static enum reason read_reason(const char *word)
{
    for (int reason = 1; reason < 256; reason++) {
        if (strcmp(reason_text((enum reason)reason), word) == 0)
            return (enum reason)reason;
    }
    return REASON_NONE;
}

static enum side read_side(const char *word)
{
    return strcmp(word, "buy") == 0 ? SIDE_BUY : strcmp(word, "sell") == 0 ? SIDE_SELL : SIDE_NONE;
}

static enum time_in_force read_tif(const char *word)
{
    return strcmp(word, "fok") == 0 ? TIF_FOK : strcmp(word, "gtc") == 0 ? TIF_GTC : TIF_IOC;
}

static int restore_start(struct paper *self, char *words[])
{
    money amount;
    if (!money_parse(words[3], strlen(words[3]), &amount))
        return E_SYNTAX;
    return account_set(self, words[1], words[2], amount) == OK ? OK : E_SYNTAX;
}

/* number NULL: the next one. */
static int restore_order(struct paper *self, char *words[], const char *number)
{
    struct order told = {.state = ORDER_PENDING_NEW};
    struct dec qty, limit;
    int64_t time_ns;
    if (!read_time(words[1], &time_ns) || !text_set(told.client_id, sizeof told.client_id, words[2]) ||
        !text_set(told.venue, sizeof told.venue, words[3]) ||
        !text_set(told.symbol, sizeof told.symbol, words[4]) ||
        (told.side = read_side(words[5])) == SIDE_NONE || !read_dec(words[6], &qty) ||
        !read_dec(words[7], &limit) || memory_find(self, told.client_id))
        return E_SYNTAX;
    told.qty = qty.m;
    told.qty_exp = qty.exp;
    told.price = limit.m;
    told.price_exp = limit.exp;
    told.tif = read_tif(words[8]);
    struct paper_order *order = paper_take(self, &told, time_ns);
    if (!order || order->unlogged)
        return E_SYNTAX;
    int64_t given;
    if (number && (!read_time(number, &given) || given <= 0))
        return E_SYNTAX;
    if (number)
        order->number = (uint64_t)given;
    order->logged = true;
    return OK;
}

static int restore_fill(struct paper *self, char *words[])
{
    struct paper_order *order = memory_find(self, words[3]);
    struct paper_venue *venue = memory_venue(self, words[4]);
    const char *number = strrchr(words[2], '-');
    struct paper_fill read = {0};
    int64_t trade;
    if (!order || !venue || !number || order->progress != WAITING || strcmp(order->venue, words[4]) != 0 ||
        !read_time(words[1], &read.time_ns) || !read_time(number + 1, &trade) || trade <= 0 ||
        !read_dec(words[7], &read.price) || !read_dec(words[8], &read.qty) || !read_dec(words[9], &read.fee))
        return E_SYNTAX;
    read.trade = (uint64_t)trade;
    if (account_book(self, order, read.price, read.qty, read.fee) != OK ||
        dec_add(order->filled, read.qty, &order->filled) != OK)
        return E_SYNTAX;
    struct paper_fill *fill = memory_add_fill(self, order);
    if (!fill)
        return E_SYNTAX;
    read.next = fill->next;
    *fill = read;
    if (venue->trades < read.trade)
        venue->trades = read.trade;
    return OK;
}

static int restore_end(struct paper *self, char *words[], enum progress progress, const char *reason)
{
    struct paper_order *order = memory_find(self, words[2]);
    if (!order || order->progress != WAITING || !read_time(words[1], &order->ended_ns))
        return E_SYNTAX;
    order->progress = progress;
    order->reason = read_reason(reason);
    memory_unqueue(self, order);
    return OK;
}

int lines_restore(struct paper *self, const char *line, size_t len)
{
    char text[512], *words[WORDS_MAX];
    if (len == 0 || len >= sizeof text)
        return E_SYNTAX;
    memcpy(text, line, len);
    text[len] = '\0';
    int n = split(text, words);
    if (n <= 0)
        return E_SYNTAX;
    if (strcmp(words[0], "B") == 0 && n == 4)
        return restore_start(self, words);
    if (strcmp(words[0], "O") == 0 && (n == 9 || n == 10))
        return restore_order(self, words, n == 10 ? words[9] : NULL);
    if (strcmp(words[0], "F") == 0 && n == 11)
        return restore_fill(self, words);
    if (strcmp(words[0], "D") == 0 && n == 5)
        return restore_end(self, words, FINISHED, words[4]);
    if (strcmp(words[0], "R") == 0 && n == 4)
        return restore_end(self, words, REFUSED, words[3]);
    return E_SYNTAX;
}

int paper_restore(struct paper *self, const char *line, size_t len)
{
    if (len > 0 && line[len - 1] == '\n')
        len--;
    bool order = len > 0 && line[0] == 'O';
    if (order)
        checkpoint_watch(self, true);
    int status = lines_restore(self, line, len);
    if (status == OK) {
        self->log_bytes += len + 1;
        self->since += order;
    }
    return status;
}
