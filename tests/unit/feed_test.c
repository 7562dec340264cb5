/* What the feed's core promises: seq per topic, one message a drain, repetition, silence, late joiners,
 * beats. */
#include "services/feed/feed.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "services/feed/market_clock.h"
#include "services/feed/pacer.h"

static struct config config;
static struct feed *feed;
static struct outbox out;
static struct venue_book book;
static struct now now;

static struct dec decimal(const char *text)
{
    struct dec v;
    ck_assert_int_eq(dec_parse(text, strlen(text), &v), OK);
    return v;
}

static void quote(const char *bid, const char *ask)
{
    l2_book_clear(book.book, STALE_NO_SNAPSHOT);
    ck_assert_int_eq(l2_book_set(book.book, SIDE_BUY, decimal(bid), decimal("1")), OK);
    ck_assert_int_eq(l2_book_set(book.book, SIDE_SELL, decimal(ask), decimal("2")), OK);
    l2_book_set_live(book.book);
    book.recv_ns = now.market_ns;
    feed_on_book(feed, "v", &book, now);
}

static void begin(void)
{
    config_defaults(&config);
    config.n_fees = 1;
    memcpy(config.fees[0].venue, "*", 2);
    config.fees[0].taker_bps = (struct dec){7, 0};
    feed = feed_new(&(struct feed_options){.config = &config, .epoch = 4, .boot_id = 9, .instruments = 8});
    ck_assert_ptr_nonnull(feed);
    ck_assert_int_eq(outbox_open(&out, OUTBOX_CAPACITY), OK);
    memset(&book, 0, sizeof book);
    memcpy(book.inst.symbol, "A-B", 4);
    memcpy(book.inst.venue, "v", 2);
    book.book = l2_book_new();
    now = (struct now){.market_ns = 1000 * NS_PER_SEC, .mono_ns = 50 * NS_PER_SEC, .utc_ns = 1};
    feed_on_time(feed, now, &out); /* the first beat has no venue to speak of */
}

static void end(void)
{
    l2_book_destroy(&book.book);
    outbox_close(&out);
    feed_destroy(&feed);
}

/* What goes out now: the number of messages of a type; the last of them in `last`. */
static uint32_t published(enum message_type type, struct message *last)
{
    uint32_t n = 0;
    while (feed_publish(feed, now, &out))
        continue;
    for (uint32_t i = 0; i < out.n_messages; i++)
        if (out.messages[i].env.type == type) {
            n++;
            if (last)
                message_copy(last, &out.messages[i]);
        }
    out.n_messages = out.n_effects = 0;
    return n;
}

static void pass(int64_t ns)
{
    now.market_ns += ns;
    now.mono_ns += ns;
    feed_on_time(feed, now, &out);
}

START_TEST(many_changes_of_a_drain_are_one_message_with_the_newest_state)
{
    struct message m;
    quote("1", "2");
    quote("1.1", "2");
    quote("1.2", "2");
    ck_assert_uint_eq(published(MSG_BOOK, &m), 1);
    ck_assert_uint_eq(m.env.seq, 1);
    ck_assert_uint_eq(m.env.epoch, 4);
    ck_assert_int_eq(m.book.bids[0].price, 12);
    ck_assert_int_eq(m.book.price_exp, -1);
    ck_assert_int_eq(m.env.trace.recv_mono, now.mono_ns);
    quote("1.3", "2");
    ck_assert_uint_eq(published(MSG_BOOK, &m), 1);
    ck_assert_uint_eq(m.env.seq, 2);
}
END_TEST

START_TEST(the_configured_fee_replaces_the_instruments)
{
    struct message m;
    feed_on_instrument(feed, "v", &book, now);
    ck_assert_uint_eq(published(MSG_INST, &m), 1);
    ck_assert_int_eq(m.inst.taker_bps.m, 7);
}
END_TEST

START_TEST(steps_that_nobody_has_told_are_those_of_the_text)
{
    struct message m;
    book.inst.price_exp = -2;
    book.inst.qty_exp = -3;
    book.inst.tick = (struct dec){5, -1};
    feed_on_instrument(feed, "v", &book, now);
    ck_assert_uint_eq(published(MSG_INST, &m), 1);
    ck_assert_int_eq(dec_cmp(m.inst.tick, decimal("0.5")), 0);
    ck_assert_int_eq(dec_cmp(m.inst.lot, decimal("0.001")), 0);
}
END_TEST

START_TEST(a_topic_gone_quiet_repeats_its_last_message_under_the_same_seq)
{
    struct message m;
    quote("1", "2");
    published(MSG_BOOK, NULL);
    pass(260 * NS_PER_MS);
    ck_assert_uint_eq(published(MSG_BOOK, &m), 1);
    ck_assert_uint_eq(m.env.seq, 1);
    ck_assert_int_eq(m.env.trace.recv_mono, 0); /* no tick caused it */
    pass(1 * NS_PER_SEC);
    ck_assert_uint_eq(published(MSG_BOOK, NULL), 0);
    pass(5 * NS_PER_SEC);
    ck_assert_uint_eq(published(MSG_BOOK, &m), 1);
    ck_assert_uint_eq(m.env.seq, 1);
}
END_TEST

START_TEST(however_quiet_the_market_is_the_feed_is_woken_for_its_next_beat)
{
    struct message m;
    quote("1", "2");
    published(MSG_BOOK, NULL);
    pass(250 * NS_PER_MS);
    ck_assert_uint_eq(published(MSG_BEAT, NULL), 1);
    now.mono_ns += 10 * NS_PER_MS;
    ck_assert_int_eq(feed_wait_ns(feed, now), 240 * NS_PER_MS);
    now.mono_ns += 240 * NS_PER_MS;
    ck_assert_int_eq(feed_wait_ns(feed, now), 0);
    feed_on_time(feed, now, &out);
    ck_assert_uint_eq(published(MSG_BEAT, &m), 1);
    ck_assert(m.beat.alive);
    feed_on_subscription(feed, "book.", 5, now);
    quote("1", "2.5");
    published(MSG_BOOK, NULL);
    feed_on_subscription(feed, "book.", 5, now); /* answered when it may be */
    ck_assert_int_le(feed_wait_ns(feed, now), 100 * NS_PER_MS);
}
END_TEST

START_TEST(a_subscriber_gets_the_last_message_of_its_topics_only_and_not_in_a_flood)
{
    quote("1", "2");
    published(MSG_BOOK, NULL);
    feed_on_subscription(feed, "book.X-B.", 9, now);
    now.mono_ns += 150 * NS_PER_MS;
    ck_assert_uint_eq(published(MSG_BOOK, NULL), 0);
    for (int i = 0; i < 1000; i++)
        feed_on_subscription(feed, "book.A-B.", 9, now);
    ck_assert_uint_eq(published(MSG_BOOK, NULL), 1);
    for (int i = 0; i < 1000; i++)
        feed_on_subscription(feed, "", 0, now);
    ck_assert_uint_eq(published(MSG_BOOK, NULL), 0);
    now.mono_ns += 100 * NS_PER_MS;
    feed_on_time(feed, now, &out);
    ck_assert_uint_eq(published(MSG_BOOK, NULL), 1);
}
END_TEST

START_TEST(who_subscribes_on_and_on_has_everything_repeated_slowly)
{
    uint32_t books = 0;
    quote("1", "2");
    published(MSG_BOOK, NULL);
    for (int i = 0; i < 200; i++) {
        now.mono_ns += 50 * NS_PER_MS;
        for (int again = 0; again < 10; again++)
            feed_on_subscription(feed, "", 0, now);
        feed_on_time(feed, now, &out);
        books += published(MSG_BOOK, NULL);
    }
    /* In ten seconds: two rounds of three topics at once, and one every two seconds; this topic may have the others' turns. */
    ck_assert_uint_ge(books, 7);
    ck_assert_uint_le(books, 21);
}
END_TEST

START_TEST(a_prefix_is_answered_with_all_its_topics_and_no_others)
{
    static const char *const symbols[] = {"B-A", "A-B", "AB-C", "A-BB", "A-A"};
    enum { N = sizeof symbols / sizeof *symbols };
    static const struct {
        const char *prefix;
        uint32_t books;
    } asked[] = {{"book.A", 4},      {"book.A-B", 2}, {"book.A-B.", 1}, {"book.B-A.v", 1},
                 {"book.B-A.vv", 0}, {"", N},         {"c", 0}};
    struct venue_book books[N];
    for (int i = 0; i < N; i++) {
        books[i] = book;
        memcpy(books[i].inst.symbol, symbols[i], strlen(symbols[i]) + 1);
        feed_on_book(feed, "v", &books[i], now);
    }
    ck_assert_uint_eq(published(MSG_BOOK, NULL), N);
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        now.mono_ns += 10 * NS_PER_SEC; /* quiet topics are repeated by time: not what is looked at */
        feed_on_time(feed, now, &out);
        published(MSG_BOOK, NULL);
        now.mono_ns += 200 * NS_PER_MS;
        feed_on_subscription(feed, asked[i].prefix, strlen(asked[i].prefix), now);
        ck_assert_uint_eq(published(MSG_BOOK, NULL), asked[i].books);
    }
}
END_TEST

START_TEST(a_silent_book_is_stale_until_it_speaks_again)
{
    struct message m;
    quote("1", "2");
    published(MSG_BOOK, NULL);
    pass(config.feed.silence_ms * NS_PER_MS);
    ck_assert_uint_eq(published(MSG_BOOK, &m), 1);
    ck_assert_int_eq(m.book.state, BOOK_STALE);
    ck_assert_int_eq(m.book.reason, STALE_SILENT);
    ck_assert_uint_eq(m.env.seq, 2);
    quote("1", "2");
    ck_assert_uint_eq(published(MSG_BOOK, &m), 1);
    ck_assert_int_eq(m.book.state, BOOK_LIVE);
}
END_TEST

START_TEST(a_beat_says_every_quarter_of_a_second_that_a_venue_is_alive)
{
    struct message m;
    static const struct market_counters none;
    quote("1", "2");
    published(MSG_BOOK, NULL);
    for (int i = 0; i < 4; i++) {
        pass(125 * NS_PER_MS);
        ck_assert_uint_eq(published(MSG_BEAT, &m), (uint32_t)(i % 2));
    }
    ck_assert(m.beat.alive);
    feed_on_venue(feed, &(struct venue_report){"v", VENUE_DOWN, "gone", &none, 0, 0, 0, 0}, now, &out);
    pass(250 * NS_PER_MS);
    ck_assert_uint_eq(published(MSG_BEAT, &m), 1);
    ck_assert(!m.beat.alive);
}
END_TEST

START_TEST(time_spent_stale_is_counted_since_a_book_was_live_first)
{
    struct book_status b;
    l2_book_set_stale(book.book, STALE_NO_SNAPSHOT);
    feed_on_book(feed, "v", &book, now);
    pass(NS_PER_SEC);
    quote("1", "2");
    pass(NS_PER_SEC);
    l2_book_set_stale(book.book, STALE_GAP);
    feed_on_book(feed, "v", &book, now);
    pass(3 * NS_PER_SEC);
    ck_assert(feed_book_status(feed, 0, now, &b));
    ck_assert_int_eq(b.state, BOOK_STALE);
    ck_assert_int_eq(b.reason, STALE_GAP);
    ck_assert_int_eq(b.stale_ns, 3 * NS_PER_SEC); /* also while it lasts */
    quote("1", "2");
    pass(31 * NS_PER_SEC); /* silence counts from where it was found */
    pass(NS_PER_SEC);
    ck_assert(feed_book_status(feed, 0, now, &b));
    ck_assert_int_eq(b.reason, STALE_SILENT);
    ck_assert_int_eq(b.stale_ns, 4 * NS_PER_SEC);
    ck_assert_int_eq(b.age_ns, 32 * NS_PER_SEC);
    ck_assert(!feed_book_status(feed, 1, now, &b));
}
END_TEST

START_TEST(a_book_tells_how_many_messages_a_second_came)
{
    struct book_status b;
    pass(NS_PER_SEC);
    for (int i = 0; i < 100; i++) {
        quote("1", "2");
        pass(50 * NS_PER_MS);
    }
    ck_assert(feed_book_status(feed, 0, now, &b));
    ck_assert_uint_eq(b.messages, 100);
    ck_assert_int_ge(b.messages_per_s, 19);
    ck_assert_int_le(b.messages_per_s, 21);
}
END_TEST

START_TEST(a_venues_clock_is_held_against_its_fastest_message)
{
    int64_t late[] = {30, 5, 12, 80};
    for (int i = 0; i < 4; i++) {
        book.venue_time = now.market_ns + 1300 * NS_PER_MS - late[i] * NS_PER_MS;
        quote("1", "2");
        pass(NS_PER_SEC);
    }
    ck_assert_int_eq(feed_clock_offset_ns(feed, "v"), 1295 * NS_PER_MS);
    for (int i = 0; i < 200; i++) { /* it was set right; minutes later nothing of before is left */
        book.venue_time = now.market_ns - 7 * NS_PER_MS;
        quote("1", "2");
        pass(NS_PER_SEC);
    }
    ck_assert_int_eq(feed_clock_offset_ns(feed, "v"), -7 * NS_PER_MS);
    ck_assert_int_eq(feed_clock_offset_ns(feed, "other"), 0);
}
END_TEST

START_TEST(a_paced_replay_waits_for_every_consumer_but_not_for_a_dead_one)
{
    static struct pacer p;
    uint32_t silent;
    pacer_answer(&p, "risk", 0, now);
    pacer_answer(&p, "exec", 0, now);
    ck_assert_uint_eq(pacer_announce(&p, now), 1);
    ck_assert(!pacer_done(&p, now, &silent));
    pacer_answer(&p, "risk", 1, now);
    ck_assert(!pacer_done(&p, now, &silent));
    now.mono_ns += 2 * NS_PER_SEC;
    ck_assert(pacer_done(&p, now, &silent));
    ck_assert_uint_eq(silent, 1);
    pacer_answer(&p, "exec", 1, now);
    ck_assert_uint_eq(pacer_announce(&p, now), 2);
    pacer_answer(&p, "risk", 2, now);
    ck_assert(!pacer_done(&p, now, &silent)); /* it is back, so it is waited for */
    pacer_answer(&p, "exec", 2, now);
    ck_assert(pacer_done(&p, now, &silent));
}
END_TEST

START_TEST(an_answer_to_a_feed_that_died_does_not_count_for_the_next)
{
    static struct pacer p;
    uint32_t silent;
    pacer_start(&p, 7);
    uint64_t before = pacer_announce(&p, now);
    pacer_start(&p, 8);
    pacer_answer(&p, "risk", before, now);
    ck_assert(!pacer_done(&p, now, &silent));
    pacer_answer(&p, "risk", p.window, now);
    ck_assert(pacer_done(&p, now, &silent));
}
END_TEST

START_TEST(a_feed_that_died_rejoins_the_market_and_a_stopped_run_goes_on_where_it_was)
{
    char dir[] = "/tmp/market-clock-XXXXXX";
    struct market_clock c;
    ck_assert(mkdtemp(dir) && chdir(dir) == 0);
    ck_assert_int_eq(market_clock_open(&c, 2.0, 5), OK);
    ck_assert(!c.known);
    struct now then = {.mono_ns = 100 * NS_PER_SEC};
    market_clock_start(&c, 7000 * NS_PER_SEC, then);
    then.mono_ns += NS_PER_SEC;
    ck_assert_int_eq(market_clock_due(&c, then), 7002 * NS_PER_SEC);
    ck_assert_int_eq(market_clock_wait_ns(&c, 7004 * NS_PER_SEC, then), NS_PER_SEC);
    market_clock_reach(&c, 7002 * NS_PER_SEC);
    market_clock_reach(&c, 7001 * NS_PER_SEC);
    market_clock_save(&c);
    market_clock_close(&c);

    then.mono_ns += 10 * NS_PER_SEC;
    ck_assert_int_eq(market_clock_open(&c, 2.0, 5), OK);
    ck_assert(c.known && c.rejoins);
    market_clock_start(&c, 1, then);
    ck_assert_int_eq(market_clock_due(&c, then), 7022 * NS_PER_SEC);
    market_clock_close(&c);

    ck_assert_int_eq(market_clock_open(&c, 2.0, 6), OK); /* the host was booted in between */
    ck_assert(c.known && !c.rejoins);
    then.mono_ns = NS_PER_SEC;
    market_clock_start(&c, 1, then);
    ck_assert_int_eq(c.begin_ns, 7000 * NS_PER_SEC);
    ck_assert_int_eq(market_clock_due(&c, then), 7002 * NS_PER_SEC);
    market_clock_close(&c);
    ck_assert(unlink("feed.clock") == 0 && rmdir(dir) == 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("feed");
    TCase *promises = tcase_create("promises");
    tcase_add_checked_fixture(promises, begin, end);
    tcase_add_test(promises, many_changes_of_a_drain_are_one_message_with_the_newest_state);
    tcase_add_test(promises, the_configured_fee_replaces_the_instruments);
    tcase_add_test(promises, steps_that_nobody_has_told_are_those_of_the_text);
    tcase_add_test(promises, however_quiet_the_market_is_the_feed_is_woken_for_its_next_beat);
    tcase_add_test(promises, a_topic_gone_quiet_repeats_its_last_message_under_the_same_seq);
    tcase_add_test(promises, a_subscriber_gets_the_last_message_of_its_topics_only_and_not_in_a_flood);
    tcase_add_test(promises, who_subscribes_on_and_on_has_everything_repeated_slowly);
    tcase_add_test(promises, a_prefix_is_answered_with_all_its_topics_and_no_others);
    tcase_add_test(promises, a_silent_book_is_stale_until_it_speaks_again);
    tcase_add_test(promises, a_beat_says_every_quarter_of_a_second_that_a_venue_is_alive);
    tcase_add_test(promises, time_spent_stale_is_counted_since_a_book_was_live_first);
    tcase_add_test(promises, a_book_tells_how_many_messages_a_second_came);
    tcase_add_test(promises, a_venues_clock_is_held_against_its_fastest_message);
    tcase_add_test(promises, a_paced_replay_waits_for_every_consumer_but_not_for_a_dead_one);
    tcase_add_test(promises, an_answer_to_a_feed_that_died_does_not_count_for_the_next);
    tcase_add_test(promises, a_feed_that_died_rejoins_the_market_and_a_stopped_run_goes_on_where_it_was);
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
