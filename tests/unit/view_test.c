/* What a view promises: the top is the newest known, what is lost is counted, and STALE is never missed. */
#include "lib/market/view.h"

#include <check.h>
#include <string.h>

enum { LATE_MS = 1000 };

static struct view *view;
static struct message m;
static struct now now;

static void begin(void)
{
    view = view_new(4, LATE_MS * NS_PER_MS);
    now = (struct now){.market_ns = 1, .mono_ns = 5 * NS_PER_SEC};
}

static void end(void)
{
    view_destroy(&view);
    ck_assert_ptr_null(view);
}

static struct message *book(uint64_t seq, uint64_t venue_seq, int64_t recv_time)
{
    message_init(&m, MSG_BOOK);
    strcpy(m.env.stream, "market");
    m.env.epoch = 10;
    m.env.seq = seq;
    strcpy(m.book.symbol, "BTC-USDT");
    strcpy(m.book.venue, "binance");
    m.book.state = BOOK_LIVE;
    m.book.venue_seq = venue_seq;
    m.book.recv_time = recv_time;
    m.book.price_exp = -1;
    m.book.qty_exp = 0;
    m.book.n_bids = 3;
    m.book.n_asks = 3;
    for (int i = 0; i < 3; i++) {
        m.book.bids[i] = (struct level){1000 - i, 10 + i};
        m.book.asks[i] = (struct level){1010 + i, 20 + i};
    }
    return &m;
}

static struct message *bbo(uint64_t seq, uint64_t venue_seq, int64_t recv_time, int64_t bid, int64_t ask)
{
    message_init(&m, MSG_BBO);
    strcpy(m.env.stream, "market");
    m.env.epoch = 10;
    m.env.seq = seq;
    strcpy(m.bbo.symbol, "BTC-USDT");
    strcpy(m.bbo.venue, "binance");
    m.bbo.venue_seq = venue_seq;
    m.bbo.recv_time = recv_time;
    m.bbo.price_exp = -1;
    m.bbo.bid = bid;
    m.bbo.bid_qty = 77;
    m.bbo.ask = ask;
    m.bbo.ask_qty = 88;
    return &m;
}

static struct message *beat(bool alive)
{
    message_init(&m, MSG_BEAT);
    strcpy(m.env.stream, "market");
    m.env.epoch = 10;
    strcpy(m.beat.source, "binance");
    m.beat.alive = alive;
    return &m;
}

static int apply(const struct message *message)
{
    return view_apply(view, message, now);
}

static void later(int64_t ms)
{
    now.mono_ns += ms * NS_PER_MS;
}

static void ck_assert_top(int64_t bid, int64_t bid_qty, int64_t ask, int64_t ask_qty)
{
    const struct quote *q = view_at(view, 0);
    const struct level *levels;
    ck_assert_uint_gt(quote_levels(q, SIDE_SELL, &levels), 0);
    ck_assert_int_eq(levels[0].price, bid);
    ck_assert_int_eq(levels[0].qty, bid_qty);
    ck_assert_uint_gt(quote_levels(q, SIDE_BUY, &levels), 0);
    ck_assert_int_eq(levels[0].price, ask);
    ck_assert_int_eq(levels[0].qty, ask_qty);
}

static void ck_assert_stale(enum stale_reason reason)
{
    ck_assert(!quote_live(view_at(view, 0)));
    ck_assert_int_eq(view_at(view, 0)->reason, reason);
}

START_TEST(a_book_makes_its_quote_known_and_live)
{
    ck_assert_int_eq(view_find(view, "BTC-USDT", "binance"), E_ABSENT);
    ck_assert_int_eq(apply(book(1, 5, 100)), 0);
    ck_assert_int_eq(view_find(view, "BTC-USDT", "binance"), 0);
    ck_assert_int_eq(view_find(view, "BTC-USDT", "upbit"), E_ABSENT);
    ck_assert(quote_live(view_at(view, 0)));
    ck_assert_str_eq(view_at(view, 0)->symbol, "BTC-USDT");
    ck_assert_str_eq(view_at(view, 0)->inst.symbol, "");
    ck_assert_top(1000, 10, 1010, 20);
    ck_assert_int_eq(view_market_time(view), 100);
    ck_assert_ptr_null(view_at(view, 1));
}
END_TEST

START_TEST(an_instrument_comes_before_or_after_its_book)
{
    message_init(&m, MSG_INST);
    strcpy(m.env.stream, "market");
    m.env.epoch = 10;
    strcpy(m.inst.symbol, "BTC-USDT");
    strcpy(m.inst.venue, "binance");
    m.inst.tick = (struct dec){1, -2};
    ck_assert_int_eq(apply(&m), 0);
    ck_assert_stale(STALE_NO_SNAPSHOT);
    ck_assert_int_eq(apply(&m), E_ABSENT);
    apply(book(1, 5, 100));
    ck_assert_int_eq(view_at(view, 0)->inst.tick.exp, -2);
    ck_assert(quote_live(view_at(view, 0)));
}
END_TEST

START_TEST(a_newer_best_price_is_laid_over_the_book)
{
    apply(book(1, 5, 100));
    ck_assert_int_eq(apply(bbo(1, 6, 101, 999, 1011)), 0);
    ck_assert_top(999, 77, 1011, 88);
    ck_assert_uint_eq(view_at(view, 0)->book.n_bids, 2);
    ck_assert_int_eq(view_at(view, 0)->book.bids[1].price, 998);
    ck_assert_uint_eq(view_at(view, 0)->book.venue_seq, 6);
    ck_assert_int_eq(view_at(view, 0)->book.recv_time, 101);
    /* better than the book: it goes on top and nothing is dropped */
    ck_assert_int_eq(apply(bbo(2, 7, 102, 1001, 1009)), 0);
    ck_assert_top(1001, 77, 1009, 88);
    ck_assert_uint_eq(view_at(view, 0)->book.n_bids, 3);
    ck_assert_int_eq(view_at(view, 0)->book.bids[1].price, 999);
}
END_TEST

START_TEST(an_older_best_price_is_not_laid)
{
    apply(book(1, 5, 100));
    ck_assert_int_eq(apply(bbo(1, 5, 200, 999, 1011)), E_ABSENT);
    ck_assert_int_eq(apply(bbo(2, 4, 201, 999, 1011)), E_ABSENT);
    ck_assert_top(1000, 10, 1010, 20);
}
END_TEST

START_TEST(without_update_ids_the_time_of_receipt_decides)
{
    apply(book(1, 0, 100));
    ck_assert_int_eq(apply(bbo(1, 9, 100, 999, 1011)), E_ABSENT);
    ck_assert_int_eq(apply(bbo(2, 9, 101, 999, 1011)), 0);
    ck_assert_top(999, 77, 1011, 88);
}
END_TEST

START_TEST(a_book_that_is_older_than_the_best_price_goes_under_it)
{
    apply(book(1, 5, 100));
    apply(bbo(1, 9, 101, 999, 1011));
    apply(book(2, 8, 102));
    ck_assert_top(999, 77, 1011, 88);
    apply(book(3, 9, 103));
    ck_assert_top(1000, 10, 1010, 20);
}
END_TEST

START_TEST(an_empty_side_is_laid_as_empty)
{
    apply(book(1, 5, 100));
    bbo(1, 6, 101, 999, 0);
    m.bbo.ask_qty = 0;
    ck_assert_int_eq(apply(&m), 0);
    ck_assert_uint_eq(view_at(view, 0)->book.n_asks, 0);
    ck_assert_uint_eq(view_at(view, 0)->book.n_bids, 2);
}
END_TEST

START_TEST(a_finer_best_price_widens_the_book_under_it)
{
    apply(book(1, 5, 100));
    bbo(1, 6, 101, 10005, 10095);
    m.bbo.price_exp = -2;
    m.bbo.qty_exp = -3;
    ck_assert_int_eq(apply(&m), 0);
    ck_assert_top(10005, 77, 10095, 88);
    const struct quote *q = view_at(view, 0);
    ck_assert_int_eq(q->book.bids[1].price, 10000);
    ck_assert_int_eq(q->book.bids[1].qty, 10000);
    ck_assert_int_eq(quote_price(q, q->book.bids[1].price).exp, -2);
    ck_assert_int_eq(quote_qty(q, q->book.bids[1].qty).exp, -3);
}
END_TEST

START_TEST(a_full_side_keeps_its_bound_under_a_better_price)
{
    book(1, 5, 100);
    m.book.n_bids = 50;
    for (int i = 0; i < 50; i++)
        m.book.bids[i] = (struct level){1000 - i, 1};
    apply(&m);
    apply(bbo(1, 6, 101, 1001, 1005));
    ck_assert_uint_eq(view_at(view, 0)->book.n_bids, 50);
    ck_assert_int_eq(view_at(view, 0)->book.bids[0].price, 1001);
    ck_assert_int_eq(view_at(view, 0)->book.bids[49].price, 952);
}
END_TEST

START_TEST(lost_messages_are_counted_per_topic_and_never_at_the_first)
{
    apply(book(7, 5, 100));
    ck_assert_uint_eq(view_lost(view), 0);
    apply(book(8, 6, 101));
    apply(bbo(50, 7, 102, 999, 1011));
    ck_assert_uint_eq(view_lost(view), 0);
    apply(book(11, 8, 103));
    ck_assert_uint_eq(view_lost(view), 2);
    apply(bbo(52, 9, 104, 999, 1011));
    ck_assert_uint_eq(view_lost(view), 3);
}
END_TEST

START_TEST(a_repeated_or_overtaken_message_changes_nothing)
{
    apply(book(7, 5, 100));
    uint64_t version = view_at(view, 0)->version;
    ck_assert_int_eq(apply(book(7, 5, 100)), E_ABSENT);
    ck_assert_int_eq(apply(book(6, 4, 99)), E_ABSENT);
    ck_assert_uint_eq(view_at(view, 0)->version, version);
    ck_assert_uint_eq(view_lost(view), 0);
    ck_assert_int_eq(apply(book(8, 6, 101)), 0);
    ck_assert_uint_gt(view_at(view, 0)->version, version);
}
END_TEST

START_TEST(a_stale_book_says_why_and_no_best_price_makes_it_live)
{
    apply(book(1, 5, 100));
    book(2, 6, 101);
    m.book.state = BOOK_STALE;
    m.book.reason = STALE_GAP;
    ck_assert_int_eq(apply(&m), 0);
    ck_assert_stale(STALE_GAP);
    ck_assert_int_eq(apply(bbo(1, 9, 102, 999, 1011)), E_ABSENT);
    ck_assert_stale(STALE_GAP);
    apply(book(3, 10, 103));
    ck_assert(quote_live(view_at(view, 0)));
}
END_TEST

START_TEST(the_time_from_the_feeds_stale_to_here_is_measured_once_each)
{
    apply(book(1, 5, 100));
    for (uint64_t seq = 2; seq < 4; seq++) {
        book(seq, 6, 101);
        m.book.state = BOOK_STALE;
        m.book.reason = STALE_GAP;
        m.env.trace.recv_mono = now.mono_ns;
        later(3);
        apply(&m);
    }
    ck_assert_uint_eq(view_stale_delay(view)->count, 1);
    ck_assert_int_eq(view_stale_delay(view)->max, 3 * NS_PER_MS);
}
END_TEST

START_TEST(a_late_beat_makes_stale_until_a_beat_and_a_book_came)
{
    apply(beat(true));
    apply(book(1, 5, 100));
    later(LATE_MS);
    ck_assert_int_eq(view_watch(view, now), 0);
    later(1);
    ck_assert_int_eq(view_watch(view, now), 1);
    ck_assert_stale(STALE_BEAT_LATE);
    ck_assert_int_eq(view_watch(view, now), 0);
    apply(book(2, 6, 101)); /* a book alone is not enough */
    ck_assert_stale(STALE_BEAT_LATE);
    apply(beat(true)); /* a beat alone is not enough */
    ck_assert_stale(STALE_BEAT_LATE);
    apply(book(2, 6, 101)); /* the repeated book is a book */
    ck_assert(quote_live(view_at(view, 0)));
}
END_TEST

START_TEST(a_late_beat_is_seen_by_the_next_book_or_beat_too)
{
    apply(beat(true));
    apply(book(1, 5, 100));
    later(LATE_MS + 1);
    apply(book(2, 6, 101));
    ck_assert_stale(STALE_BEAT_LATE);
    apply(beat(true));
    apply(book(3, 7, 102));
    ck_assert(quote_live(view_at(view, 0)));
    later(LATE_MS + 1);
    apply(beat(true));
    ck_assert_stale(STALE_BEAT_LATE);
}
END_TEST

START_TEST(a_venue_that_never_beats_is_late_too)
{
    apply(book(1, 5, 100));
    later(LATE_MS + 1);
    ck_assert_int_eq(view_watch(view, now), 1);
    ck_assert_stale(STALE_BEAT_LATE);
}
END_TEST

START_TEST(in_a_backtest_beats_are_not_watched)
{
    end();
    view = view_new(4, 0);
    apply(book(1, 5, 100));
    later(LATE_MS * 100);
    ck_assert_int_eq(view_watch(view, now), 0);
    ck_assert(quote_live(view_at(view, 0)));
}
END_TEST

START_TEST(a_venue_that_is_down_makes_its_books_stale)
{
    apply(book(1, 5, 100));
    apply(beat(false));
    ck_assert_stale(STALE_DISCONNECT);
    apply(book(2, 6, 101));
    ck_assert(quote_live(view_at(view, 0)));
    message_init(&m, MSG_VENUE);
    strcpy(m.env.stream, "market");
    m.env.epoch = 10;
    strcpy(m.venue.venue, "binance");
    m.venue.state = VENUE_DOWN;
    ck_assert_int_eq(apply(&m), E_ABSENT);
    ck_assert_stale(STALE_DISCONNECT);
}
END_TEST

START_TEST(a_new_epoch_makes_books_stale_until_they_come_and_ends_the_old_one)
{
    apply(book(7, 5, 100));
    beat(true);
    m.env.epoch = 11;
    apply(&m);
    ck_assert_stale(STALE_DISCONNECT);
    ck_assert_int_eq(apply(book(8, 6, 101)), E_ABSENT); /* a word of the dead */
    ck_assert_stale(STALE_DISCONNECT);
    book(1, 6, 102);
    m.env.epoch = 11;
    ck_assert_int_eq(apply(&m), 0);
    ck_assert(quote_live(view_at(view, 0)));
    ck_assert_uint_eq(view_at(view, 0)->epoch, 11);
    ck_assert_uint_eq(view_lost(view), 0);
}
END_TEST

START_TEST(a_book_that_was_not_subscribed_to_is_stale_until_it_comes_again_even_unchanged)
{
    apply(beat(true));
    ck_assert_int_ge(apply(book(7, 100, 1000)), 0);
    const int index = view_find(view, "BTC-USDT", "binance");
    ck_assert(quote_live(view_at(view, (uint32_t)index)));

    view_forget(view, "BTC-USDT", "binance");
    ck_assert(!quote_live(view_at(view, (uint32_t)index)));
    ck_assert_int_eq(view_at(view, (uint32_t)index)->reason, STALE_NO_SNAPSHOT);
    apply(bbo(1, 101, 1001, 1001, 1009));
    apply(beat(true));
    ck_assert(!quote_live(view_at(view, (uint32_t)index)));

    ck_assert_int_eq(apply(book(7, 100, 1000)), index);
    ck_assert(quote_live(view_at(view, (uint32_t)index)));
    view_forget(view, "ETH-USDT", "binance"); /* of what is not known nothing is to be forgotten */
    ck_assert_int_eq(view_count(view), 1);
}
END_TEST

START_TEST(too_many_instruments_are_refused)
{
    for (int i = 0; i < 4; i++) {
        book(1, 5, 100);
        m.book.symbol[0] = (char)('A' + i);
        ck_assert_int_eq(apply(&m), i);
    }
    ck_assert_int_eq(apply(book(2, 6, 101)), 1);
    book(1, 5, 100);
    m.book.symbol[0] = 'Z';
    ck_assert_int_eq(apply(&m), E_FULL);
    ck_assert_uint_eq(view_count(view), 4);
}
END_TEST

static void fx_book(const char *symbol, const char *venue, int64_t recv_time, int64_t bid, int64_t ask)
{
    book(1, 0, recv_time);
    strcpy(m.book.symbol, symbol);
    strcpy(m.book.venue, venue);
    m.book.n_bids = m.book.n_asks = 1;
    m.book.bids[0].price = bid;
    m.book.asks[0].price = ask;
    ck_assert_int_ge(apply(&m), 0);
}

START_TEST(exchange_rates_come_from_fresh_live_books_only)
{
    struct dec rate;
    ck_assert_int_eq(view_fx(view, "USDT", "USDT", 0, &rate), OK);
    ck_assert_int_eq(dec_cmp(rate, (struct dec){1, 0}), 0);
    ck_assert_int_eq(view_fx(view, "USDT", "KRW", 10, &rate), E_ABSENT);
    fx_book("USDT-KRW", "upbit", 100, 13800, 13810);
    ck_assert_int_eq(view_fx(view, "USDT", "KRW", 10, &rate), OK);
    ck_assert_int_eq(dec_cmp(rate, (struct dec){13805, -1}), 0);
    ck_assert_int_eq(view_fx(view, "KRW", "USDT", 10, &rate), OK);
    ck_assert_int_eq(dec_cmp(rate, (struct dec){724375226, -12}), 0); /* 1 / 1380.5 */
    apply(book(1, 5, 110));
    ck_assert_int_eq(view_fx(view, "USDT", "KRW", 10, &rate), OK);
    apply(book(2, 6, 111));
    ck_assert_int_eq(view_fx(view, "USDT", "KRW", 10, &rate), E_ABSENT);
    fx_book("USDT-KRW", "bithumb", 105, 13900, 13900);
    ck_assert_int_eq(view_fx(view, "USDT", "KRW", 20, &rate), OK);
    ck_assert_int_eq(dec_cmp(rate, (struct dec){13900, -1}), 0); /* the freshest of two */
    now.mono_ns += 10 * NS_PER_SEC;
    view_watch(view, now);
    ck_assert_int_eq(view_fx(view, "USDT", "KRW", 20, &rate), E_ABSENT);
}
END_TEST

START_TEST(other_messages_touch_nothing)
{
    message_init(&m, MSG_FILL);
    ck_assert_int_eq(apply(&m), E_ABSENT);
    m.env.type = 120;
    ck_assert_int_eq(apply(&m), E_ABSENT);
    message_init(&m, MSG_TRADE);
    m.trade.recv_time = 55;
    ck_assert_int_eq(apply(&m), E_ABSENT);
    ck_assert_int_eq(view_market_time(view), 55);
    ck_assert_uint_eq(view_count(view), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("view");
    TCase *tests = tcase_create("promises");
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, a_book_makes_its_quote_known_and_live);
    tcase_add_test(tests, an_instrument_comes_before_or_after_its_book);
    tcase_add_test(tests, a_newer_best_price_is_laid_over_the_book);
    tcase_add_test(tests, an_older_best_price_is_not_laid);
    tcase_add_test(tests, without_update_ids_the_time_of_receipt_decides);
    tcase_add_test(tests, a_book_that_is_older_than_the_best_price_goes_under_it);
    tcase_add_test(tests, an_empty_side_is_laid_as_empty);
    tcase_add_test(tests, a_finer_best_price_widens_the_book_under_it);
    tcase_add_test(tests, a_full_side_keeps_its_bound_under_a_better_price);
    tcase_add_test(tests, lost_messages_are_counted_per_topic_and_never_at_the_first);
    tcase_add_test(tests, a_repeated_or_overtaken_message_changes_nothing);
    tcase_add_test(tests, a_stale_book_says_why_and_no_best_price_makes_it_live);
    tcase_add_test(tests, the_time_from_the_feeds_stale_to_here_is_measured_once_each);
    tcase_add_test(tests, a_late_beat_makes_stale_until_a_beat_and_a_book_came);
    tcase_add_test(tests, a_late_beat_is_seen_by_the_next_book_or_beat_too);
    tcase_add_test(tests, a_venue_that_never_beats_is_late_too);
    tcase_add_test(tests, in_a_backtest_beats_are_not_watched);
    tcase_add_test(tests, a_venue_that_is_down_makes_its_books_stale);
    tcase_add_test(tests, a_new_epoch_makes_books_stale_until_they_come_and_ends_the_old_one);
    tcase_add_test(tests, a_book_that_was_not_subscribed_to_is_stale_until_it_comes_again_even_unchanged);
    tcase_add_test(tests, too_many_instruments_are_refused);
    tcase_add_test(tests, exchange_rates_come_from_fresh_live_books_only);
    tcase_add_test(tests, other_messages_touch_nothing);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
