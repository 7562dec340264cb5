#include "venues/sim/sim.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/rng.h"
#include "lib/base/text.h"
#include "lib/market/symbol.h"
#include "venues/sim/profile.h"

enum { VENUES = 2, CALIBRATION_BYTES_MAX = 65536 };

/* No level is further out: a calibration with wide gaps would leave 64 bits. */
#define TICKS_MAX INT64_C(100000000000000)

static const char *const venue_names[VENUES] = {"sim-a", "sim-b"};
static const struct dec taker_bps[VENUES] = {{5, 0}, {10, 0}};

/* Names for the first symbols; those after them are S061, S062, ... */
static const char *const bases[] = {
    "BTC",  "ETH",   "XRP",   "SOL",  "ADA",  "DOGE",  "TRX",   "LINK", "DOT",  "LTC",  "BCH", "AVAX",
    "ATOM", "UNI",   "ETC",   "XLM",  "NEAR", "APT",   "ARB",   "FIL",  "HBAR", "ICP",  "INJ", "AAVE",
    "ALGO", "EOS",   "SAND",  "MANA", "AXS",  "THETA", "FLOW",  "CHZ",  "QTUM", "ZIL",  "BAT", "ENJ",
    "KAVA", "WAVES", "IOTA",  "NEO",  "GAS",  "STX",   "GRT",   "SNX",  "CRV",  "COMP", "MKR", "ZRX",
    "OMG",  "KNC",   "STORJ", "ANKR", "CELO", "SKL",   "SUSHI", "YFI",  "BAL",  "REN",  "LRC", "PEPE"};

struct dislocation {
    double bps; /* of the second venue against the first; 0 = none */
    int64_t ends_ns;
};

/* One base: a fair price that wanders, and the books that quote it. */
struct asset {
    const struct profile *profile;
    double log_mid;
    int64_t moved_ns;
    struct dislocation dislocation;
    double rate; /* updates a second of each of its books */
};

struct sim {
    const struct config *config;
    struct market_sink sink;
    struct rng rng;
    struct profile profiles[PROFILES_MAX];
    uint32_t n_profiles, n_assets;
    struct asset *assets;
    struct venue_book *books; /* asset * VENUES + venue */
    double *cumulative;       /* update rates of the books, summed up: whose turn it is */
    double dislocation_rate;  /* a second */
    int64_t next_ns;
    uint32_t announced; /* books that have appeared */
    uint64_t dislocations, seq;
    struct market_counters counters;
};

/* ---- drawing
 * ---------------------------------------------------------------------------------------------------- */

static double normal(struct rng *r)
{
    double u = 1.0 - rng_unit(r), v = rng_unit(r);
    return sqrt(-2.0 * log(u)) * cos(2.0 * M_PI * v);
}

static double exponential(struct rng *r, double mean)
{
    return -mean * log(1.0 - rng_unit(r));
}

/* Ticks of spread, between the percentiles that the calibration gives. */
static int64_t spread_ticks(struct sim *self, const struct profile *p)
{
    static const double at[4] = {0.1, 0.5, 0.9, 0.99};
    double u = rng_unit(&self->rng);
    int i = 0;
    while (i < 3 && u > at[i])
        i++;
    double low = i ? p->spread_ticks[i - 1] : 1, from = i ? at[i - 1] : 0;
    double part = (u - from) / (at[i] - from);
    double ticks = low + (p->spread_ticks[i] - low) * (part > 1 ? 1 : part);
    return ticks < 1 ? 1 : (int64_t)llround(ticks);
}

/* ---- opening
 * ------------------------------------------------------------------------------------------------------ */

static int read_calibration(struct sim *self, const char *path, char error[CONFIG_ERROR_MAX])
{
    if (!*path)
        return profiles_read("built-in calibration", calibration_text, calibration_len, self->profiles,
                             &self->n_profiles, error);
    char *text = malloc(CALIBRATION_BYTES_MAX);
    FILE *f = fopen(path, "re");
    int status = E_IO;
    if (f && text) {
        size_t len = fread(text, 1, CALIBRATION_BYTES_MAX, f);
        if (len < CALIBRATION_BYTES_MAX && !ferror(f))
            status = profiles_read(path, text, len, self->profiles, &self->n_profiles, error);
        else
            (void)snprintf(error, CONFIG_ERROR_MAX, "sim.calibration: %.200s: %s", path,
                           ferror(f) ? "cannot be read" : "too long; expected less than 64 KiB");
    } else {
        (void)snprintf(error, CONFIG_ERROR_MAX, "sim.calibration: %.200s: %s", path, strerror(errno));
    }
    if (f)
        (void)fclose(f);
    free(text);
    return status;
}

/* A quantity step worth between one and ten of the quote currency, a power of ten. */
static struct dec lot_for(double price)
{
    return (struct dec){1, (int8_t) - (int)floor(log10(price) + 1e-9)};
}

static int make_book(struct sim *self, uint32_t index, const char *base)
{
    struct venue_book *b = &self->books[index];
    const struct asset *a = &self->assets[index / VENUES];
    char symbol[32];
    int status = symbol_make(base, "USDT", KIND_SPOT, symbol);
    if (status == OK)
        status = symbol_read(symbol, &b->inst);
    if (status)
        return status;
    (void)text_set(b->inst.venue, sizeof b->inst.venue, venue_names[index % VENUES]);
    (void)text_set(b->inst.venue_symbol, sizeof b->inst.venue_symbol, symbol);
    b->inst.tick = a->profile->tick;
    b->inst.lot = lot_for(exp(a->log_mid));
    b->inst.price_exp = a->profile->tick.exp;
    b->inst.qty_exp = b->inst.lot.exp;
    b->inst.min_qty = b->inst.lot;
    b->inst.min_notional = (struct dec){5, 0};
    b->inst.taker_bps = taker_bps[index % VENUES];
    b->inst.maker_bps = taker_bps[index % VENUES];
    b->index = index;
    b->book = l2_book_new();
    return b->book ? l2_book_set_exponents(b->book, b->inst.price_exp, b->inst.qty_exp) : E_FULL;
}

static int make_assets(struct sim *self, int64_t start_ns)
{
    double mean_rate = 0, sum = 0;
    for (uint32_t i = 0; i < self->n_profiles; i++)
        mean_rate += self->profiles[i].rate_hz / self->n_profiles;
    for (uint32_t i = 0; i < self->n_assets; i++) {
        struct asset *a = &self->assets[i];
        char numbered[16];
        (void)snprintf(numbered, sizeof numbered, "S%03u", i + 1);
        a->profile = &self->profiles[i % self->n_profiles];
        /* The first of each profile has the price of its model, the others half to twice it. */
        a->log_mid =
            log(a->profile->mid) + (i < self->n_profiles ? 0 : (rng_unit(&self->rng) * 2 - 1) * log(2.0));
        a->moved_ns = start_ns;
        a->rate = (double)self->config->sim.updates_per_s * a->profile->rate_hz / mean_rate;
        for (uint32_t v = 0; v < VENUES; v++) {
            uint32_t index = i * VENUES + v;
            int status = make_book(self, index, i < sizeof bases / sizeof *bases ? bases[i] : numbered);
            if (status)
                return status;
            self->cumulative[index] = sum += a->rate;
        }
    }
    return OK;
}

int sim_open(const struct config *config, int64_t start_ns, const struct market_sink *sink, struct sim **out,
             char error[CONFIG_ERROR_MAX])
{
    struct sim *self = calloc(1, sizeof *self);
    *out = self;
    (void)snprintf(error, CONFIG_ERROR_MAX, "out of memory");
    if (!self)
        return E_FULL;
    self->config = config;
    self->sink = *sink;
    self->n_assets = (uint32_t)config->sim.symbols;
    self->next_ns = start_ns;
    self->dislocation_rate = (double)config->sim.dislocations_per_min / 60.0;
    rng_seed(&self->rng, (uint64_t)config->sim.seed);
    self->assets = calloc(self->n_assets, sizeof *self->assets);
    self->books = calloc((size_t)self->n_assets * VENUES, sizeof *self->books);
    self->cumulative = calloc((size_t)self->n_assets * VENUES, sizeof *self->cumulative);
    int status = self->assets && self->books && self->cumulative
                     ? read_calibration(self, config->sim.calibration, error)
                     : E_FULL;
    if (status == OK)
        status = make_assets(self, start_ns);
    if (status)
        sim_close(out);
    return status;
}

void sim_close(struct sim **self)
{
    struct sim *s = *self;
    if (s) {
        for (uint32_t i = 0; s->books && i < s->n_assets * VENUES; i++)
            if (s->books[i].book)
                l2_book_destroy(&s->books[i].book);
        free(s->assets);
        free(s->books);
        free(s->cumulative);
        free(s);
    }
    *self = NULL;
}

/* ---- moving
 * -------------------------------------------------------------------------------------------------------- */

/* The fair price wanders like the profile's; half the time only, for real mids stand still between jumps. */
static void move(struct sim *self, struct asset *a)
{
    double seconds = (double)(self->next_ns - a->moved_ns) / (double)NS_PER_SEC;
    a->moved_ns = self->next_ns;
    if (rng_unit(&self->rng) < 0.5)
        a->log_mid += normal(&self->rng) * a->profile->volatility_bps * 1e-4 * sqrt(2.0 * seconds);
    if (a->dislocation.bps != 0 && self->next_ns >= a->dislocation.ends_ns)
        a->dislocation.bps = 0;
}

static void set_level(struct venue_book *b, enum side side, int64_t ticks, double notional)
{
    double step = dec_double(b->inst.tick), lot = dec_double(b->inst.lot);
    double lots = notional / ((double)ticks * step) / lot;
    struct dec price = {b->inst.tick.m * ticks, b->inst.tick.exp};
    struct dec qty = {lots < 1 ? 1 : lots > 1e12 ? (int64_t)1e12 : (int64_t)lots, b->inst.lot.exp};
    (void)l2_book_set(b->book, side, price, qty);
}

/* Levels from the best outwards: distances are exponential around the profile's mean, at least one tick. */
static void quote_side(struct sim *self, struct venue_book *b, const struct profile *p, enum side side,
                       int64_t best)
{
    double gap_ticks = (double)best * p->gap_bps * 1e-4;
    double best_notional = exp(p->best_mu + p->best_sigma * normal(&self->rng));
    int64_t at = best;
    for (int64_t i = 0; i < self->config->sim.levels && at > 0 && at < TICKS_MAX; i++) {
        double share = i == 0 ? 1.0 : p->depth * exponential(&self->rng, 1.0);
        set_level(b, side, at, best_notional * share);
        int64_t gap = 1 + (int64_t)exponential(&self->rng, gap_ticks > 1 ? gap_ticks - 1 : 0.0);
        at += side == SIDE_BUY ? -gap : gap;
    }
}

static void quote_book(struct sim *self, uint32_t index)
{
    struct asset *a = &self->assets[index / VENUES];
    struct venue_book *b = &self->books[index];
    move(self, a);
    double shift = (index % VENUES ? a->dislocation.bps : 0) + 0.2 * normal(&self->rng);
    double mid_ticks = exp(a->log_mid) * (1 + shift * 1e-4) / dec_double(b->inst.tick);
    int64_t spread = spread_ticks(self, a->profile);
    int64_t bid = (int64_t)floor(mid_ticks - (double)spread / 2.0 + 0.5);
    if (bid < 1)
        bid = 1;
    l2_book_clear(b->book, STALE_NO_SNAPSHOT);
    quote_side(self, b, a->profile, SIDE_BUY, bid);
    quote_side(self, b, a->profile, SIDE_SELL, bid + spread);
    l2_book_set_live(b->book);
    b->venue_seq = ++self->seq;
    b->venue_time = b->recv_ns = self->next_ns;
}

static void announce(struct sim *self, uint32_t index)
{
    if (self->sink.instrument)
        self->sink.instrument(self->sink.ctx, &self->books[index]);
    self->counters.resyncs++;
}

static void dislocate(struct sim *self)
{
    struct asset *a = &self->assets[rng_below(&self->rng, self->n_assets)];
    double sign = rng_unit(&self->rng) < 0.5 ? -1 : 1;
    a->dislocation.bps = sign * (double)self->config->sim.dislocation_bps;
    a->dislocation.ends_ns =
        self->next_ns +
        (int64_t)exponential(&self->rng, (double)(self->config->sim.dislocation_ms * NS_PER_MS));
    self->dislocations++;
}

/* The book whose turn it is: each by its share of the total rate. */
static uint32_t whose_turn(struct sim *self)
{
    uint32_t low = 0, high = self->n_assets * VENUES - 1;
    double at = rng_unit(&self->rng) * self->cumulative[high];
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (self->cumulative[middle] > at)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

int64_t sim_next_ns(const struct sim *self)
{
    return self->next_ns;
}

/* Of book updates a second. Dislocations come no more often for it: they are not a matter of how much is told. */
static double update_rate(const struct sim *self)
{
    const struct config *c = self->config;
    int64_t burst_ns = c->sim.burst_ms * NS_PER_MS, every_ns = c->sim.burst_every_ms * NS_PER_MS;
    double rate = self->cumulative[self->n_assets * VENUES - 1];
    return self->next_ns % every_ns < burst_ns ? rate * (double)c->sim.burst_factor : rate;
}

void sim_step(struct sim *self)
{
    uint32_t n_books = self->n_assets * VENUES, index;
    double rate = update_rate(self) + self->dislocation_rate;
    if (self->announced < n_books) {
        index = self->announced++;
        announce(self, index);
    } else if (rng_unit(&self->rng) * rate < self->dislocation_rate) {
        dislocate(self);
        index = n_books;
    } else {
        index = whose_turn(self);
    }
    if (index < n_books) {
        quote_book(self, index);
        self->counters.frames++;
        self->counters.applied++;
        if (self->sink.book)
            self->sink.book(self->sink.ctx, &self->books[index]);
    }
    if (self->announced == n_books)
        self->next_ns += 1 + (int64_t)(exponential(&self->rng, 1.0 / rate) * (double)NS_PER_SEC);
}

uint64_t sim_dislocations(const struct sim *self)
{
    return self->dislocations;
}

const struct market_counters *sim_counters(const struct sim *self)
{
    return &self->counters;
}
