/* Market data beside the ledgers: what the config asks for, at most so often, each message once, in bounded room, and
 * nothing of it is anybody else's trouble. */
#include "services/recorder/market_rows.h"
#include "tests/unit/store_fixture.h"

static struct config config;
static struct market_rows *market;
static uint64_t seq;

static void start(const char *kept, int64_t every_ms)
{
    market_rows_destroy(&market);
    config_defaults(&config);
    text_set(config.recorder.market, sizeof config.recorder.market, kept);
    config.recorder.market_every_ms = every_ms;
    config.recorder.batch_rows = 100;
    market = market_rows_new(&config, RUN);
    ck_assert_ptr_nonnull(market);
}

static void setup(void)
{
    seq = 0;
    start("marks", 0);
}

static void teardown(void)
{
    market_rows_destroy(&market);
}

static struct message *said(enum message_type type)
{
    message_init(m, type);
    text_set(m->env.stream, sizeof m->env.stream, "market");
    m->env.epoch = 1;
    m->env.seq = ++seq;
    m->env.time_out = (int64_t)seq * NS_PER_SEC;
    return m;
}

static void book(const char *symbol, int64_t market_ms, enum book_state state)
{
    struct book *b = &said(MSG_BOOK)->book;
    text_set(b->symbol, sizeof b->symbol, symbol);
    text_set(b->venue, sizeof b->venue, "alfa");
    b->state = state;
    b->recv_time = market_ms * NS_PER_MS;
    b->price_exp = -1;
    b->n_bids = b->n_asks = 2;
    b->bids[0] = (struct level){1000 + (int64_t)seq, 1};
    b->asks[0] = (struct level){2000, 3};
    market_rows_take(market, m);
}

static void best(const char *symbol, int64_t market_ms)
{
    struct bbo *b = &said(MSG_BBO)->bbo;
    text_set(b->symbol, sizeof b->symbol, symbol);
    text_set(b->venue, sizeof b->venue, "alfa");
    b->recv_time = market_ms * NS_PER_MS;
    market_rows_take(market, m);
}

static void venue(const char *detail)
{
    struct venue *v = &said(MSG_VENUE)->venue;
    text_set(v->venue, sizeof v->venue, "alfa");
    text_set(v->detail, sizeof v->detail, detail);
    market_rows_take(market, m);
}

static void inst(const char *symbol)
{
    struct inst *i = &said(MSG_INST)->inst;
    text_set(i->symbol, sizeof i->symbol, symbol);
    text_set(i->venue, sizeof i->venue, "alfa");
    i->kind = KIND_SPOT;
    market_rows_take(market, m);
}

static void store_all(void)
{
    while (market_rows_waiting(market) > 0)
        ck_assert_msg(market_rows_store(market, store) == OK, "%s", store_error(store));
}

static int64_t metric_of(const char *name)
{
    struct reply *reply = calloc(1, sizeof *reply);
    int64_t value = -1;
    market_rows_status(market, reply);
    for (uint32_t i = 0; i < reply->n_metrics; i++)
        if (strcmp(reply->metrics[i].name, name) == 0)
            value = reply->metrics[i].value;
    free(reply);
    return value;
}

START_TEST(in_every_mode_instruments_and_venue_states_are_kept)
{
    inst("BTC-USDT");
    inst("ETH-USDT");
    inst("BTC-USDT");
    venue("up");
    venue("down");
    book("BTC-USDT", 1, BOOK_LIVE);
    best("BTC-USDT", 1);
    store_all();
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM instruments"), 2);
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM venue_status"), 2);
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM books"), 0);
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM bbo"), 0);
}
END_TEST

START_TEST(books_are_kept_with_their_levels_at_most_one_in_the_time)
{
    start("books", 1000);
    book("BTC-USDT", 10000, BOOK_LIVE);
    book("BTC-USDT", 10999, BOOK_LIVE);  /* too soon */
    book("ETH-USDT", 10999, BOOK_STALE); /* another instrument */
    book("BTC-USDT", 11000, BOOK_LIVE);
    book("BTC-USDT", 5000, BOOK_LIVE); /* market time went back: another recording */
    store_all();
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM books WHERE symbol = 'BTC-USDT'"), 3);
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM books WHERE seq = 2"), 0);
    assert_text("SELECT state FROM books WHERE symbol = 'ETH-USDT'", "STALE");
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM books_bids"), 8);
    assert_text("SELECT price FROM books_bids WHERE seq = 1 AND item = 0", "100.1");
    ck_assert_int_eq(metric_of("market_rows"), 4);
}
END_TEST

START_TEST(with_no_time_between_each_change_is_kept)
{
    start("books", 0);
    for (int i = 0; i < 50; i++)
        book("BTC-USDT", 1, BOOK_LIVE);
    store_all();
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM books"), 50);
}
END_TEST

START_TEST(best_prices_come_from_books_and_from_best_prices_alike)
{
    start("bbo", 1000);
    book("BTC-USDT", 10000, BOOK_LIVE);
    best("BTC-USDT", 10500); /* the same instrument, too soon */
    best("BTC-USDT", 11000);
    book("BTC-USDT", 12000, BOOK_STALE); /* no price to rely on */
    book("BTC-USDT", 12500, BOOK_LIVE);
    store_all();
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM bbo"), 3);
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM books"), 0);
    assert_text("SELECT topic FROM bbo WHERE seq = 1", "book.BTC-USDT.alfa.");
    assert_text("SELECT topic FROM bbo WHERE seq = 3", "bbo.BTC-USDT.alfa.");
    assert_text("SELECT bid FROM bbo WHERE seq = 1", "100.1");
    assert_text("SELECT ask_qty FROM bbo WHERE seq = 1", "3");
}
END_TEST

START_TEST(a_message_that_is_repeated_is_kept_once_also_by_the_next_process)
{
    start("books", 0);
    book("BTC-USDT", 1, BOOK_LIVE);
    m->env.time_out += NS_PER_SEC;
    market_rows_take(market, m);
    store_all();
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM books"), 1);
    start("books", 0);
    m->env.time_out += NS_PER_SEC;
    market_rows_take(market, m);
    book("BTC-USDT", 2, BOOK_LIVE);
    store_all();
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM books"), 2);
    ck_assert_int_eq(number_of(store, "SELECT MAX(seq) FROM books"), 2);
}
END_TEST

START_TEST(what_finds_no_room_is_dropped_and_counted)
{
    start("books", 0);
    for (int i = 0; i < 20000; i++)
        book("BTC-USDT", 1, BOOK_LIVE);
    ck_assert(market_rows_pressing(market));
    ck_assert_uint_lt(market_rows_waiting(market), 20000);
    ck_assert_int_eq(metric_of("market_dropped"), 20000 - (int64_t)market_rows_waiting(market));
    /* One call takes about batch_rows of it: 100 rows are 20 of these books. */
    uint64_t waiting = market_rows_waiting(market);
    ck_assert_int_eq(market_rows_store(market, store), OK);
    ck_assert_uint_eq(waiting - market_rows_waiting(market), 20);
}
END_TEST

START_TEST(what_the_database_refuses_is_left_out_and_the_rest_is_kept)
{
    start("books", 0);
    by_hand(strcmp(sink, "postgres") == 0
                ? "ALTER TABLE books ADD CONSTRAINT by_hand CHECK (symbol <> 'ETH-USDT')"
                : "CREATE TRIGGER by_hand BEFORE INSERT ON books WHEN new.symbol = 'ETH-USDT' "
                  "BEGIN SELECT RAISE(ABORT, 'by_hand'); END");
    book("BTC-USDT", 1, BOOK_LIVE);
    book("ETH-USDT", 2, BOOK_LIVE);
    book("BTC-USDT", 3, BOOK_LIVE);
    venue("up");
    store_all();
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM books"), 2);
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM venue_status"), 1);
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM refused_rows"), 0);
    ck_assert_int_eq(metric_of("market_refused"), 1);
}
END_TEST

static void add_market(TCase *c)
{
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, in_every_mode_instruments_and_venue_states_are_kept);
    tcase_add_test(c, books_are_kept_with_their_levels_at_most_one_in_the_time);
    tcase_add_test(c, with_no_time_between_each_change_is_kept);
    tcase_add_test(c, best_prices_come_from_books_and_from_best_prices_alike);
    tcase_add_test(c, a_message_that_is_repeated_is_kept_once_also_by_the_next_process);
    tcase_add_test(c, what_finds_no_room_is_dropped_and_counted);
    tcase_add_test(c, what_the_database_refuses_is_left_out_and_the_rest_is_kept);
}

int main(void)
{
    return run_suites("recorder_market", add_market, NULL);
}
