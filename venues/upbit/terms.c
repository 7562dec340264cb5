#include "venues/upbit/terms.h"

#include <string.h>

/* From `from` on up to the next line above. */
struct band {
    struct dec from;
    struct dec tick;
};

/* KRW, since 2025-07-31. Each step is a whole number of those below it. */
static const struct band krw[] = {
    {{1, 6}, {1, 3}},   {{5, 5}, {5, 2}},   {{1, 5}, {1, 2}},   {{5, 4}, {5, 1}},   {{1, 4}, {1, 1}},
    {{5, 3}, {5, 0}},   {{1, 2}, {1, 0}},   {{1, 1}, {1, -1}},  {{1, 0}, {1, -2}},  {{1, -1}, {1, -3}},
    {{1, -2}, {1, -4}}, {{1, -3}, {1, -5}}, {{1, -4}, {1, -6}}, {{1, -5}, {1, -7}}, {{0, 0}, {1, -8}},
};

static const struct band btc[] = {{{0, 0}, {1, -8}}};

static const struct {
    const char *quote;
    const struct band *bands; /* the last begins at 0 */
    struct dec min_notional;
    struct dec fee_bps; /* the same for both sides of a trade */
} markets[] = {
    {"KRW", krw, {5000, 0}, {5, 0}},
    {"BTC", btc, {5, -5}, {25, 0}},
    {"USDT", NULL, {5, -1}, {25, 0}},
};

void upbit_terms(struct inst *inst)
{
    inst->lot = (struct dec){1, -8};
    for (size_t i = 0; i < sizeof markets / sizeof markets[0]; i++) {
        if (strcmp(inst->quote, markets[i].quote) != 0)
            continue;
        inst->min_notional = markets[i].min_notional;
        inst->taker_bps = inst->maker_bps = markets[i].fee_bps;
    }
}

static const struct band *bands_of(const char *quote)
{
    for (size_t i = 0; i < sizeof markets / sizeof markets[0]; i++) {
        if (strcmp(quote, markets[i].quote) == 0)
            return markets[i].bands;
    }
    return NULL;
}

static const struct band *band_at(const struct band *bands, struct dec price)
{
    while (dec_cmp(price, bands->from) < 0)
        bands++;
    return bands;
}

bool upbit_tick(const char *quote, struct dec price, struct dec *tick)
{
    const struct band *bands = bands_of(quote);
    if (bands)
        *tick = band_at(bands, price)->tick;
    return bands != NULL;
}

/* A band in a book's mantissas. A bound that has none leaves the band empty, and a tick that has none is
 * finer than the book's last digit. */
struct span {
    int64_t from, below, tick;
};

static struct span span_at(const struct band *bands, struct dec price)
{
    struct span span = {0, INT64_MAX, 1};
    const struct band *band = band_at(bands, price);
    if (dec_mantissa(band->from, price.exp, ROUND_EXACT, &span.from) != OK ||
        (band > bands && dec_mantissa(band[-1].from, price.exp, ROUND_EXACT, &span.below) != OK))
        span.below = 0;
    if (dec_mantissa(band->tick, price.exp, ROUND_EXACT, &span.tick) != OK)
        span.tick = 1;
    return span;
}

/* Neighbours are in one band, nearly always. */
static bool side_on_table(const struct band *bands, const struct l2_book *book, enum side side)
{
    struct level level;
    struct span span = {0, 0, 1};
    int8_t exp = (int8_t)l2_book_price_exp(book);
    for (uint32_t i = 0; l2_book_level(book, side, i, &level); i++) {
        if (level.price < span.from || level.price >= span.below)
            span = span_at(bands, (struct dec){level.price, exp});
        if (level.price % span.tick != 0)
            return false;
    }
    return true;
}

bool upbit_on_table(const char *quote, const struct l2_book *book)
{
    const struct band *bands = bands_of(quote);
    return bands && side_on_table(bands, book, SIDE_BUY) && side_on_table(bands, book, SIDE_SELL);
}
