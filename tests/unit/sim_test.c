/* What the simulated market promises: equal seeds, equal markets; sound books; dislocations at the stated
 * rate. */
#include "venues/sim/sim.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/table.h"
#include "venues/sim/profile.h"

#define START_NS (INT64_C(1700000000) * NS_PER_SEC)

struct watcher {
    uint64_t digest;
    uint32_t instruments, books;
    bool sound;
};

static void on_instrument(void *ctx, const struct venue_book *book)
{
    struct watcher *w = ctx;
    w->instruments++;
    w->sound =
        w->sound && book->inst.tick.m > 0 && book->inst.lot.m > 0 && strcmp(book->inst.quote, "USDT") == 0;
}

static void on_book(void *ctx, const struct venue_book *book)
{
    struct watcher *w = ctx;
    char best[128];
    size_t len = l2_book_best_text(book->book, best, sizeof best);
    w->books++;
    w->digest = fnv1a(w->digest, best, len);
    w->sound = w->sound && l2_book_state(book->book) == BOOK_LIVE && !l2_book_crossed(book->book) &&
               l2_book_depth(book->book, SIDE_BUY) > 0 && l2_book_depth(book->book, SIDE_SELL) > 0;
}

static struct watcher play(struct config *config, int steps, uint64_t *dislocations)
{
    char error[CONFIG_ERROR_MAX];
    struct watcher w = {.digest = FNV_OFFSET, .sound = true};
    struct market_sink sink = {.ctx = &w, .instrument = on_instrument, .book = on_book};
    struct sim *sim;
    ck_assert_int_eq(sim_open(config, START_NS, &sink, &sim, error), OK);
    int64_t before = sim_next_ns(sim);
    for (int i = 0; i < steps; i++) {
        sim_step(sim);
        ck_assert_int_ge(sim_next_ns(sim), before);
        before = sim_next_ns(sim);
    }
    if (dislocations)
        *dislocations = sim_dislocations(sim) * 1000 / (uint64_t)((before - START_NS) / NS_PER_MS + 1);
    sim_close(&sim);
    return w;
}

static struct config *config(int64_t seed, int64_t symbols)
{
    static struct config c;
    config_defaults(&c);
    c.sim.seed = seed;
    c.sim.symbols = symbols;
    return &c;
}

START_TEST(equal_seeds_make_equal_markets_and_others_do_not)
{
    struct watcher first = play(config(7, 5), 2000, NULL), again = play(config(7, 5), 2000, NULL);
    ck_assert_uint_eq(first.digest, again.digest);
    ck_assert_uint_ne(first.digest, play(config(8, 5), 2000, NULL).digest);
}
END_TEST

START_TEST(every_book_of_five_hundred_symbols_is_sound)
{
    struct watcher w = play(config(1, 500), 20000, NULL);
    ck_assert_uint_eq(w.instruments, 1000);
    ck_assert_uint_gt(w.books, 10000);
    ck_assert(w.sound);
}
END_TEST

START_TEST(dislocations_come_at_the_stated_rate)
{
    struct config *c = config(3, 10);
    uint64_t per_second = 0;
    c->sim.dislocations_per_min = 1200;
    (void)play(c, 200000, &per_second);
    ck_assert_uint_ge(per_second, 17);
    ck_assert_uint_le(per_second, 23);
}
END_TEST

START_TEST(a_wrong_calibration_names_line_and_column)
{
    static struct profile profiles[PROFILES_MAX];
    static const char text[] = "# good\nx 1 0.1 1 1 1 1 ten 1 1 1 1 1\n";
    char error[PROFILE_ERROR_MAX];
    uint32_t n;
    ck_assert_int_eq(profiles_read("file", text, sizeof text - 1, profiles, &n, error), E_SYNTAX);
    ck_assert_ptr_nonnull(strstr(error, "file:2: column 8: \"ten\""));
    ck_assert_int_eq(profiles_read("file", "", 0, profiles, &n, error), E_SYNTAX);
}
END_TEST

/* Books that come in bursts of 200 ms at every whole second, and outside of them. */
struct counted {
    uint32_t within, outside;
};

static void count_book(void *ctx, const struct venue_book *book)
{
    struct counted *c = ctx;
    bool within = book->recv_ns % NS_PER_SEC < 200 * NS_PER_MS;
    c->within += within;
    c->outside += !within;
}

START_TEST(in_a_burst_updates_come_so_many_times_as_often)
{
    char error[CONFIG_ERROR_MAX];
    struct config *c = config(3, 10);
    struct counted counted = {0};
    struct market_sink sink = {.ctx = &counted, .book = count_book};
    struct sim *sim;
    c->sim.burst_factor = 8;
    c->sim.burst_ms = 200;
    c->sim.burst_every_ms = 1000;
    ck_assert_int_eq(sim_open(c, START_NS, &sink, &sim, error), OK);
    while (sim_next_ns(sim) < START_NS + 40 * NS_PER_SEC)
        sim_step(sim);
    ck_assert_double_eq_tol(counted.within / 8.0 / (counted.outside / 32.0), 8, 0.4);
    ck_assert_uint_gt(sim_dislocations(sim), 20);
    ck_assert_uint_lt(sim_dislocations(sim), 70);
    sim_close(&sim);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sim");
    TCase *promises = tcase_create("promises");
    tcase_set_timeout(promises, 60);
    tcase_add_test(promises, equal_seeds_make_equal_markets_and_others_do_not);
    tcase_add_test(promises, every_book_of_five_hundred_symbols_is_sound);
    tcase_add_test(promises, dislocations_come_at_the_stated_rate);
    tcase_add_test(promises, a_wrong_calibration_names_line_and_column);
    tcase_add_test(promises, in_a_burst_updates_come_so_many_times_as_often);
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
