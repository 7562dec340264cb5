/* What a book promises: it holds exactly what it was told, in order, and never loses a digit. */
#include "lib/market/l2_book.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/rng.h"

static struct l2_book *book;

static void begin(void)
{
    book = l2_book_new();
}

static void end(void)
{
    l2_book_destroy(&book);
    ck_assert_ptr_null(book);
}

static struct dec d(const char *text)
{
    struct dec v;
    ck_assert_int_eq(dec_parse(text, strlen(text), &v), OK);
    return v;
}

static int set(enum side side, const char *price, const char *qty)
{
    return l2_book_set(book, side, d(price), d(qty));
}

static const char *best(void)
{
    static char text[256];
    size_t len = l2_book_best_text(book, text, sizeof text);
    ck_assert_uint_eq(len, strlen(text));
    return text;
}

START_TEST(a_new_book_is_stale_and_empty)
{
    struct level level;
    ck_assert_int_eq(l2_book_state(book), BOOK_STALE);
    ck_assert_int_eq(l2_book_reason(book), STALE_NO_SNAPSHOT);
    ck_assert_str_eq(best(), "- - - -");
    ck_assert(!l2_book_level(book, SIDE_BUY, 0, &level));
    ck_assert(!l2_book_crossed(book));
}
END_TEST

START_TEST(states_carry_their_reason)
{
    l2_book_set_live(book);
    ck_assert_int_eq(l2_book_state(book), BOOK_LIVE);
    ck_assert_int_eq(l2_book_reason(book), STALE_NONE);
    set(SIDE_BUY, "1", "1");
    l2_book_set_stale(book, STALE_GAP);
    ck_assert_int_eq(l2_book_reason(book), STALE_GAP);
    ck_assert_uint_eq(l2_book_depth(book, SIDE_BUY), 1);
    l2_book_clear(book, STALE_OVERFLOW);
    ck_assert_int_eq(l2_book_reason(book), STALE_OVERFLOW);
    ck_assert_uint_eq(l2_book_depth(book, SIDE_BUY), 0);
}
END_TEST

START_TEST(the_best_are_the_highest_bid_and_the_lowest_ask)
{
    set(SIDE_BUY, "99.5", "1");
    set(SIDE_BUY, "100", "2");
    set(SIDE_BUY, "99", "3");
    set(SIDE_SELL, "102", "4");
    set(SIDE_SELL, "101", "5.50");
    set(SIDE_SELL, "103", "6");
    ck_assert_str_eq(best(), "100 2 101 5.5");
    struct level level;
    ck_assert(l2_book_level(book, SIDE_BUY, 2, &level));
    ck_assert_int_eq(level.price, 990);
    ck_assert(!l2_book_level(book, SIDE_BUY, 3, &level));
    set(SIDE_BUY, "100", "0.00000000");
    set(SIDE_SELL, "101", "0");
    ck_assert_str_eq(best(), "99.5 1 102 4");
}
END_TEST

START_TEST(removing_what_is_not_held_is_normal_and_changes_nothing)
{
    ck_assert_int_eq(set(SIDE_BUY, "7.123456789", "0"), OK);
    set(SIDE_BUY, "100", "1");
    ck_assert_int_eq(set(SIDE_BUY, "100.001", "0"), OK);
    ck_assert_int_eq(set(SIDE_SELL, "100", "0"), OK);
    ck_assert_int_eq(l2_book_price_exp(book), 0);
    ck_assert_str_eq(best(), "100 1 - -");
}
END_TEST

START_TEST(impossible_values_are_refused_and_leave_the_book_alone)
{
    set(SIDE_BUY, "100", "1");
    ck_assert_int_eq(set(SIDE_BUY, "0", "1"), E_RANGE);
    ck_assert_int_eq(set(SIDE_BUY, "-1", "1"), E_RANGE);
    ck_assert_int_eq(set(SIDE_BUY, "1", "-1"), E_RANGE);
    ck_assert_int_eq(set(SIDE_BUY, "-1", "0"), E_RANGE);
    set(SIDE_BUY, "9000000000000000000", "1");
    ck_assert_int_eq(set(SIDE_BUY, "0.01", "1"), E_RANGE);
    ck_assert_str_eq(best(), "9000000000000000000 1 - -");
    ck_assert_uint_eq(l2_book_depth(book, SIDE_BUY), 2);
}
END_TEST

START_TEST(a_finer_value_widens_the_book_and_loses_nothing)
{
    ck_assert_int_eq(l2_book_set_exponents(book, -1, -3), OK);
    set(SIDE_BUY, "100.1", "1.001");
    set(SIDE_SELL, "100.2", "2.002");
    set(SIDE_SELL, "100.15", "0.00000001");
    ck_assert_int_eq(l2_book_price_exp(book), -2);
    ck_assert_int_eq(l2_book_qty_exp(book), -8);
    ck_assert_str_eq(best(), "100.1 1.001 100.15 0.00000001");
    set(SIDE_SELL, "100.15", "0");
    ck_assert_str_eq(best(), "100.1 1.001 100.2 2.002");
}
END_TEST

START_TEST(given_exponents_hold_and_coarser_ones_are_refused)
{
    ck_assert_int_eq(l2_book_set_exponents(book, -2, -8), OK);
    set(SIDE_BUY, "61800", "1");
    ck_assert_int_eq(l2_book_price_exp(book), -2);
    set(SIDE_BUY, "61800.01", "1");
    ck_assert_int_eq(l2_book_set_exponents(book, -1, -8), E_INEXACT);
    ck_assert_int_eq(l2_book_set_exponents(book, -30, -8), E_RANGE);
    ck_assert_int_eq(l2_book_set_exponents(book, -17, -8), E_RANGE);
    ck_assert_int_eq(l2_book_set_exponents(book, -3, -8), OK);
    ck_assert_str_eq(best(), "61800.01 1 - -");
}
END_TEST

START_TEST(korean_prices_and_pepe_sizes_fit)
{
    ck_assert_int_eq(l2_book_set_exponents(book, 0, -8), OK);
    set(SIDE_BUY, "150123000", "123456789.12345678");
    ck_assert_str_eq(best(), "150123000 123456789.12345678 - -");

    l2_book_clear(book, STALE_NONE);
    ck_assert_int_eq(l2_book_set_exponents(book, -8, -8), OK);
    set(SIDE_BUY, "0.00001234", "1.5");
    /* 1e12 does not fit at 1e-8: the quantities take a coarser exponent that still holds 1.5 */
    ck_assert_int_eq(set(SIDE_BUY, "0.00001233", "1000000000000"), OK);
    ck_assert_int_eq(l2_book_qty_exp(book), -6);
    ck_assert_str_eq(best(), "0.00001234 1.5 - -");
    ck_assert_int_eq(set(SIDE_SELL, "0.00001235", "0.00000001"), E_RANGE);
    set(SIDE_BUY, "0.00001233", "0");
    ck_assert_int_eq(set(SIDE_SELL, "0.00001235", "0.00000001"), OK);
    ck_assert_str_eq(best(), "0.00001234 1.5 0.00001235 0.00000001");
}
END_TEST

START_TEST(crossed_means_bid_at_or_above_ask)
{
    set(SIDE_BUY, "100", "1");
    ck_assert(!l2_book_crossed(book));
    set(SIDE_SELL, "100.1", "1");
    ck_assert(!l2_book_crossed(book));
    set(SIDE_SELL, "100", "1");
    ck_assert(l2_book_crossed(book));
}
END_TEST

START_TEST(levels_a_side_are_bounded)
{
    for (int i = 1; i <= L2_LEVELS_MAX; i++)
        ck_assert_int_eq(l2_book_set(book, SIDE_SELL, (struct dec){i, 0}, (struct dec){1, 0}), OK);
    ck_assert_int_eq(set(SIDE_SELL, "70000", "1"), E_FULL);
    ck_assert_int_eq(set(SIDE_SELL, "0.5", "1"), E_FULL);
    ck_assert_int_eq(set(SIDE_SELL, "7", "2"), OK);
    ck_assert_int_eq(set(SIDE_SELL, "8", "0"), OK);
    ck_assert_int_eq(set(SIDE_SELL, "0.5", "1"), OK);
    ck_assert_uint_eq(l2_book_depth(book, SIDE_SELL), L2_LEVELS_MAX);
}
END_TEST

START_TEST(the_top_is_the_best_levels_in_order)
{
    static struct book top;
    for (int i = 1; i <= 60; i++) {
        l2_book_set(book, SIDE_BUY, (struct dec){i, 0}, (struct dec){i, -1});
        l2_book_set(book, SIDE_SELL, (struct dec){100 + i, 0}, (struct dec){i, -1});
    }
    l2_book_set_live(book);
    l2_book_top(book, 3, &top);
    ck_assert_uint_eq(top.n_bids, 3);
    ck_assert_int_eq(top.bids[0].price, 60);
    ck_assert_int_eq(top.bids[2].price, 58);
    ck_assert_int_eq(top.asks[0].price, 101);
    ck_assert_int_eq(top.asks[2].qty, 3);
    ck_assert_int_eq(top.qty_exp, -1);
    ck_assert_int_eq(top.state, BOOK_LIVE);
    l2_book_top(book, 1000, &top);
    ck_assert_uint_eq(top.n_asks, 50);
}
END_TEST

START_TEST(a_text_that_is_cut_stays_a_text)
{
    char text[6];
    set(SIDE_BUY, "12345", "6");
    ck_assert_uint_eq(l2_book_best_text(book, text, sizeof text), strlen("12345 6 - -"));
    ck_assert_str_eq(text, "12345");
}
END_TEST

/* ---- against a naive model ----------------------------------------------------------------------------- */

enum { MODEL_MAX = 4096 };

struct model_level {
    enum side side;
    struct dec price, qty;
};

static struct model_level model[MODEL_MAX];
static uint32_t n_model;

static void model_set(enum side side, struct dec price, struct dec qty)
{
    for (uint32_t i = 0; i < n_model; i++) {
        if (model[i].side == side && dec_cmp(model[i].price, price) == 0) {
            if (qty.m != 0)
                model[i].qty = qty;
            else
                model[i] = model[--n_model];
            return;
        }
    }
    if (qty.m != 0)
        model[n_model++] = (struct model_level){side, price, qty};
}

static int by_rank(const void *a, const void *b)
{
    const struct model_level *x = a, *y = b;
    if (x->side != y->side)
        return (int)x->side - (int)y->side;
    int order = dec_cmp(x->price, y->price);
    return x->side == SIDE_BUY ? -order : order;
}

static void same_as_model(void)
{
    qsort(model, n_model, sizeof model[0], by_rank);
    ck_assert_uint_eq(l2_book_depth(book, SIDE_BUY) + l2_book_depth(book, SIDE_SELL), n_model);
    for (uint32_t i = 0; i < n_model; i++) {
        struct level level;
        enum side side = model[i].side;
        uint32_t rank = side == SIDE_BUY ? i : i - l2_book_depth(book, SIDE_BUY);
        ck_assert(l2_book_level(book, side, rank, &level));
        struct dec price = {level.price, (int8_t)l2_book_price_exp(book)};
        struct dec qty = {level.qty, (int8_t)l2_book_qty_exp(book)};
        ck_assert_int_eq(dec_cmp(price, model[i].price), 0);
        ck_assert_int_eq(dec_cmp(qty, model[i].qty), 0);
    }
}

/* Prices walk around a centre on a grid that becomes finer as the run goes on; sizes are of all lengths. */
static void random_run(uint64_t seed, int64_t centre, int8_t price_exp, int8_t qty_exp, int64_t qty_most)
{
    struct rng rng;
    rng_seed(&rng, seed);
    n_model = 0;
    l2_book_clear(book, STALE_NONE);
    for (int i = 0; i < 4000; i++) {
        int8_t finer = (int8_t)(i / 1000);
        int64_t scale = finer == 0 ? 1 : finer == 1 ? 10 : finer == 2 ? 100 : 1000;
        enum side side = rng_below(&rng, 2) ? SIDE_BUY : SIDE_SELL;
        struct dec price = {centre * scale - 100 + (int64_t)rng_below(&rng, 200),
                            (int8_t)(price_exp - finer)};
        struct dec qty = {(int64_t)rng_below(&rng, (uint64_t)qty_most), (int8_t)(qty_exp - finer)};
        if (rng_below(&rng, 3) == 0)
            qty.m = 0;
        ck_assert_int_eq(l2_book_set(book, side, price, qty), OK);
        model_set(side, price, qty);
        if (i % 250 == 0)
            same_as_model();
    }
    same_as_model();
}

START_TEST(random_updates_equal_the_naive_model_over_widening_exponents)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        random_run(seed, 6183763, -2, -3, 10000000);
        end();
        begin();
        random_run(seed, 150123, 3, -5, INT64_C(1000000000000)); /* KRW-BTC */
        end();
        begin();
        random_run(seed, 1234, -8, 0, INT64_C(100000000000000)); /* PEPE */
        end();
        begin();
    }
}
END_TEST

START_TEST(a_deep_book_equals_the_naive_model_while_it_grows_and_shrinks)
{
    struct rng rng;
    rng_seed(&rng, 7);
    n_model = 0;
    /* Removals are rarer than additions at first, and more often later on, until nothing is left. */
    for (int i = 0; i < 24000; i++) {
        bool remove = rng_below(&rng, 24000) < (uint64_t)i;
        struct dec price = {100000 + (int64_t)rng_below(&rng, 2500), -2};
        enum side side = i % 2 ? SIDE_BUY : SIDE_SELL;
        if (remove && n_model > 0) {
            const struct model_level *gone = &model[rng_below(&rng, n_model)];
            price = gone->price;
            side = gone->side;
        }
        struct dec qty = {remove ? 0 : 1 + (int64_t)rng_below(&rng, 1000), -3};
        ck_assert_int_eq(l2_book_set(book, side, price, qty), OK);
        model_set(side, price, qty);
        if (i % 1500 == 0)
            same_as_model();
    }
    same_as_model();
    while (n_model > 0) {
        struct model_level gone = model[n_model / 2];
        ck_assert_int_eq(l2_book_set(book, gone.side, gone.price, (struct dec){0, 0}), OK);
        model_set(gone.side, gone.price, (struct dec){0, 0});
        if (n_model % 100 == 0)
            same_as_model();
    }
    ck_assert_str_eq(best(), "- - - -");
}
END_TEST

/* Levels of both sides in messages of all lengths, in the order of price or in none, deep enough for many blocks. Removals
 * lead now and then, so that blocks end within a message; now and then a digit more is shown. */
static uint32_t random_message(struct rng *rng, int round, struct l2_change *out)
{
    uint32_t n = (uint32_t)rng_below(rng, 100);
    int64_t price = 1000 + (int64_t)rng_below(rng, 2000);
    bool ordered = rng_below(rng, 2), shrinks = round / 40 % 2;
    int8_t finer = (int8_t)(round / 300);
    for (uint32_t i = 0; i < n; i++) {
        price = ordered ? price + (int64_t)rng_below(rng, 5) : 1000 + (int64_t)rng_below(rng, 2000);
        int64_t qty = rng_below(rng, 10) < (shrinks ? 7 : 3) ? 0 : 1 + (int64_t)rng_below(rng, 1000);
        out[i] = (struct l2_change){
            .price = {price, 0}, .qty = {qty, 0}, .side = i < n / 2 ? SIDE_BUY : SIDE_SELL};
        if (finer && rng_below(rng, 50) == 0) {
            out[i].price = (struct dec){price * 10 + 5, -1};
            out[i].qty.exp = (int8_t)-finer;
        }
    }
    return n;
}

START_TEST(many_levels_at_once_are_what_they_are_one_after_the_other)
{
    static struct l2_change changes[100];
    struct l2_book *single = l2_book_new();
    struct rng rng;
    rng_seed(&rng, 11);
    for (int round = 0; round < 1200; round++) {
        uint32_t n = random_message(&rng, round, changes);
        ck_assert_int_eq(l2_book_apply(book, changes, n), OK);
        for (uint32_t i = 0; i < n; i++)
            ck_assert_int_eq(l2_book_set(single, changes[i].side, changes[i].price, changes[i].qty), OK);
        ck_assert_int_eq(l2_book_price_exp(book), l2_book_price_exp(single));
        for (int side = 0; side < 2; side++) {
            struct level a, b;
            ck_assert_uint_eq(l2_book_depth(book, (enum side)side), l2_book_depth(single, (enum side)side));
            for (uint32_t i = 0; l2_book_level(single, (enum side)side, i, &b); i++) {
                ck_assert(l2_book_level(book, (enum side)side, i, &a));
                ck_assert(a.price == b.price && a.qty == b.qty);
            }
        }
        if (round % 400 == 399) {
            l2_book_clear(book, STALE_NONE);
            l2_book_clear(single, STALE_NONE);
        }
    }
    l2_book_destroy(&single);
}
END_TEST

START_TEST(the_first_wrong_level_ends_a_message_and_what_stands_before_it_is_set)
{
    struct l2_change changes[] = {{{10, 0}, {1, 0}, SIDE_BUY},
                                  {{11, 0}, {1, -1}, SIDE_BUY},
                                  {{-1, 0}, {1, 0}, SIDE_BUY},
                                  {{12, 0}, {1, 0}, SIDE_BUY}};
    ck_assert_int_eq(l2_book_apply(book, changes, 4), E_RANGE);
    ck_assert_uint_eq(l2_book_depth(book, SIDE_BUY), 2);
    ck_assert_int_eq(l2_book_apply(book, changes, 0), OK);
    ck_assert_str_eq(best(), "11 0.1 - -");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("l2_book");
    TCase *tests = tcase_create("promises");
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, a_new_book_is_stale_and_empty);
    tcase_add_test(tests, states_carry_their_reason);
    tcase_add_test(tests, the_best_are_the_highest_bid_and_the_lowest_ask);
    tcase_add_test(tests, removing_what_is_not_held_is_normal_and_changes_nothing);
    tcase_add_test(tests, impossible_values_are_refused_and_leave_the_book_alone);
    tcase_add_test(tests, a_finer_value_widens_the_book_and_loses_nothing);
    tcase_add_test(tests, given_exponents_hold_and_coarser_ones_are_refused);
    tcase_add_test(tests, korean_prices_and_pepe_sizes_fit);
    tcase_add_test(tests, crossed_means_bid_at_or_above_ask);
    tcase_add_test(tests, levels_a_side_are_bounded);
    tcase_add_test(tests, the_top_is_the_best_levels_in_order);
    tcase_add_test(tests, a_text_that_is_cut_stays_a_text);
    tcase_add_test(tests, random_updates_equal_the_naive_model_over_widening_exponents);
    tcase_add_test(tests, a_deep_book_equals_the_naive_model_while_it_grows_and_shrinks);
    tcase_add_test(tests, many_levels_at_once_are_what_they_are_one_after_the_other);
    tcase_add_test(tests, the_first_wrong_level_ends_a_message_and_what_stands_before_it_is_set);
    tcase_set_timeout(tests, 30);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
