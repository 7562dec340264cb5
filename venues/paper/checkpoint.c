/* Now and then the state without its memory is written down, so that a start reads the log from there on only. One is
 * made whenever so many orders were taken since the last, and goes into the file when the next is made: the part of the
 * log behind the file's place then always has the last orders for look-ups, at least so many.
 *
 * Its lines are those of the log, in front of them the place, behind them what a log says by its length alone:
 *
 *   C OFFSET                          bytes of the log that it stands for
 *   B VENUE CURRENCY AMOUNT           what the account holds there
 *   O ... NUMBER                      an order that was waiting then, with its number at the venue
 *   V VENUE TRADES ORDERS             numbers given out
 *   E LINES                           lines before this one
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "venues/paper/paper_internal.h"

enum { CHECKPOINT_BYTES = 4 * 1024 * 1024 };

int checkpoint_open(struct paper *self)
{
    self->every = self->capacity / 4 + 1;
    self->checkpoint = self->log.checkpoint ? malloc(CHECKPOINT_BYTES) : NULL;
    return self->checkpoint || !self->log.checkpoint ? OK : E_FULL;
}

struct lines {
    char *text;
    size_t len;
    uint32_t n;
    bool full;
};

__attribute__((format(printf, 2, 3))) static void add(struct lines *lines, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t room = CHECKPOINT_BYTES - lines->len;
    int len = vsnprintf(lines->text + lines->len, room, format, args);
    va_end(args);
    lines->full |= len < 0 || (size_t)len >= room;
    if (lines->full)
        return;
    lines->len += (size_t)len;
    lines->n++;
}

static void add_balances(const struct paper *self, struct lines *lines)
{
    char amount[MONEY_TEXT_MAX];
    for (uint32_t i = 0; i < table_count(self->currencies); i++) {
        money_format(self->balances[i], amount);
        add(lines, "B %s %s\n", table_key(self->currencies, i), amount); /* the key: "venue currency" */
    }
}

/* false: an order stands between its fills and its end. */
static bool add_waiting(const struct paper *self, struct lines *lines)
{
    char text[LINE_BYTES];
    for (int i = self->queue_first; i != NONE; i = self->orders[i].after) {
        const struct paper_order *order = &self->orders[i];
        if (order->progress != WAITING || !order->logged)
            continue;
        if (order->filled.m != 0)
            return false;
        lines_order(order, text);
        add(lines, "%s %" PRIu64 "\n", text, order->number);
    }
    return true;
}

static void make(struct paper *self)
{
    struct lines lines = {.text = self->checkpoint};
    add(&lines, "C %" PRIu64 "\n", self->log_bytes);
    add_balances(self, &lines);
    bool settled = add_waiting(self, &lines);
    for (uint32_t i = 0; i < self->n_venues; i++)
        add(&lines, "V %s %" PRIu64 " %" PRIu64 "\n", self->venues[i].name, self->venues[i].trades,
            self->venues[i].orders);
    add(&lines, "E %u\n", lines.n);
    if (!settled) /* the next order tries again */
        return;
    self->checkpoint_len = lines.full ? 0 : lines.len;
    self->since = 0;
}

void checkpoint_watch(struct paper *self, bool restoring)
{
    if (!self->checkpoint || self->since < self->every)
        return;
    /* When the file cannot be written the one that is there stands, and a start reads more. */
    if (self->checkpoint_len > 0 && !restoring)
        (void)self->log.checkpoint(self->log.ctx, self->checkpoint, self->checkpoint_len);
    self->checkpoint_len = 0;
    make(self);
}

/* ---- reading back ---------------------------------------------------------------------------------------- */

static bool is_whole(const char *text, size_t len)
{
    uint32_t lines = 0, said;
    const char *last = text;
    for (const char *c = text; c < text + len; c++) {
        if (*c != '\n')
            continue;
        if (c + 1 < text + len)
            last = c + 1;
        lines++;
    }
    return len > 0 && text[len - 1] == '\n' && sscanf(last, "E %u", &said) == 1 && said + 1 == lines;
}

static int restore_line(struct paper *self, const char *line, size_t len)
{
    char name[16];
    uint64_t trades, orders;
    if (*line != 'V')
        return lines_restore(self, line, len);
    if (sscanf(line, "V %15s %" SCNu64 " %" SCNu64, name, &trades, &orders) != 3)
        return E_SYNTAX;
    struct paper_venue *venue = memory_venue(self, name);
    if (!venue)
        return E_SYNTAX;
    venue->trades = trades;
    venue->orders = orders;
    return OK;
}

int paper_checkpoint_offset(const char *text, size_t len, uint64_t *offset)
{
    return is_whole(text, len) && sscanf(text, "C %" SCNu64, offset) == 1 ? OK : E_SYNTAX;
}

int paper_restore_checkpoint(struct paper *self, const char *text, size_t len)
{
    uint64_t offset;
    if (paper_checkpoint_offset(text, len, &offset) != OK)
        return E_SYNTAX;
    const char *line = strchr(text, '\n') + 1;
    while (*line != 'E') {
        const char *end = memchr(line, '\n', (size_t)(text + len - line));
        if (restore_line(self, line, (size_t)(end - line)) != OK)
            return E_SYNTAX;
        line = end + 1;
    }
    self->log_bytes = offset;
    self->since = 0;
    return OK;
}
