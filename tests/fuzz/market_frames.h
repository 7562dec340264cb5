/* Plays fuzzed bytes as a venue's frames. Each line is one: its first byte tells the kind and the socket, the
 * rest is the text. After each frame every LIVE book must be in order and not crossed. */
#ifndef SLUICE_TESTS_FUZZ_MARKET_FRAMES_H
#define SLUICE_TESTS_FUZZ_MARKET_FRAMES_H

#include <stdlib.h>
#include <string.h>

#include "venues/market.h"

static void check_side(const struct l2_book *book, enum side side)
{
    struct level level, before = {.price = 0};
    for (uint32_t i = 0; l2_book_level(book, side, i, &level); i++) {
        bool in_order =
            i == 0 || (side == SIDE_BUY ? level.price < before.price : level.price > before.price);
        if (level.price <= 0 || level.qty <= 0 || !in_order)
            abort();
        before = level;
    }
}

static void check_books(const struct venue_ops *ops, const struct venue_market *market)
{
    for (uint32_t i = 0; i < ops->books(market); i++) {
        const struct l2_book *book = ops->book_at(market, i)->book;
        check_side(book, SIDE_BUY);
        check_side(book, SIDE_SELL);
        if (l2_book_state(book) == BOOK_LIVE && l2_book_crossed(book))
            abort();
    }
}

/* 'h': an answer of url; 'c', 'd': socket 1, 2 opened; 'x', 'y': closed; '2': a message on socket 2; any other
 * byte: a message on socket 1. */
static void play_line(const struct venue_ops *ops, struct venue_market *market, const char *url,
                      const char *line, size_t len)
{
    struct frame frame = {
        .kind = FRAME_WS, .conn = 1, .url = url, .text = line + 1, .len = len - 1, .recv_ns = 1};
    switch (line[0]) {
    case 'h':
        frame.kind = FRAME_HTTP;
        break;
    case 'c':
    case 'd':
        frame.kind = FRAME_CONNECT;
        break;
    case 'x':
    case 'y':
        frame.kind = FRAME_CLOSE;
        break;
    default:
        break;
    }
    if (strchr("dy2", line[0]) && line[0])
        frame.conn = 2;
    (void)ops->on_frame(market, &frame);
    check_books(ops, market);
}

static void play_lines(const struct venue_ops *ops, const char *url, const char *text, size_t len)
{
    struct market_sink sink = {.ctx = NULL};
    struct venue_market *market = ops->open(NULL, &sink);
    if (!market)
        abort();
    while (len > 0) {
        const char *end = memchr(text, '\n', len);
        size_t n = end ? (size_t)(end - text) : len;
        if (n > 0)
            play_line(ops, market, url, text, n);
        text += n + (end != NULL);
        len -= n + (end != NULL);
    }
    ops->close(&market);
}

#endif
