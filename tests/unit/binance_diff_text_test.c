/* The direct reader of diffs against the parser: a space behind a message sends it to the parser, and nothing else may
 * differ. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/rng.h"
#include "venues/binance/binance.h"
#include "venues/binance/diff_text.h"

enum { MESSAGE_MAX = 8192, CHANGES_MAX = 64 };

static struct rng rng;
static struct venue_market *direct, *parsed;
static const struct venue_ops *ops;

static void open_both(const struct venue_ops *venue)
{
    rng_seed(&rng, 7);
    ops = venue;
    direct = venue->open(NULL, NULL);
    parsed = venue->open(NULL, NULL);
    ck_assert_ptr_nonnull(direct);
    ck_assert_ptr_nonnull(parsed);
}

static void close_both(void)
{
    ops->close(&direct);
    ops->close(&parsed);
}

static uint64_t below(uint64_t n)
{
    return rng_below(&rng, n);
}

static void same(const char *text)
{
    const struct market_counters *a = ops->counters(direct), *b = ops->counters(parsed);
    ck_assert_uint_eq(ops->books(direct), ops->books(parsed));
    for (uint32_t i = 0; i < ops->books(direct); i++) {
        const struct venue_book *x = ops->book_at(direct, i), *y = ops->book_at(parsed, i);
        struct book top[2] = {0};
        l2_book_top(x->book, 50, &top[0]);
        l2_book_top(y->book, 50, &top[1]);
        ck_assert_msg(memcmp(&top[0], &top[1], sizeof top[0]) == 0, "%s", text);
        ck_assert_msg(x->venue_seq == y->venue_seq && x->venue_time == y->venue_time && x->gaps == y->gaps,
                      "%s", text);
        ck_assert_uint_eq(l2_book_depth(x->book, SIDE_BUY), l2_book_depth(y->book, SIDE_BUY));
    }
    ck_assert_msg(a->malformed == b->malformed && a->applied == b->applied && a->ignored == b->ignored &&
                      a->gaps == b->gaps,
                  "%s", text);
}

static void give(enum frame_kind kind, const char *url, char *text, size_t len)
{
    struct frame frame = {.kind = kind, .conn = 1, .url = url, .text = text, .len = len, .recv_ns = 1};
    int a = ops->on_frame(direct, &frame);
    text[len] = ' ';
    text[len + 1] = '\0';
    frame.len = len + 1;
    int b = ops->on_frame(parsed, &frame);
    text[len] = '\0';
    ck_assert_msg(a == b, "%d, but %d: %s", a, b, text);
}

static int number(char *out, size_t cap, bool price)
{
    static const char *const odd[] = {
        "0",           "1e3", "-1.0",       "01.5", "1.",         ".5",   "1234567890.12345678",
        "0.123456789", "",    "0.00000000", "10.0", "99999999.5", "1.5x", "7"};
    if (below(40) == 0)
        return snprintf(out, cap, "%s", odd[below(sizeof odd / sizeof *odd)]);
    uint64_t whole = price ? 1 + below(below(2) ? 100 : 90000) : below(4);
    int digits = below(4) == 0 ? 1 + (int)below(9) : 8;
    uint64_t fraction = below(3) == 0 ? 0 : below(100) * 1000000;
    return snprintf(out, cap, "%llu.%0*llu", (unsigned long long)whole, digits, (unsigned long long)fraction);
}

static int side(char *out, size_t cap)
{
    int len = snprintf(out, cap, "[");
    for (uint64_t i = 0, n = below(12); i < n; i++) {
        char price[32], qty[32];
        number(price, sizeof price, true);
        number(qty, sizeof qty, false);
        len += snprintf(out + len, cap - (size_t)len, "%s[\"%s\",\"%s\"]", i ? "," : "", price, qty);
    }
    return len + snprintf(out + len, cap - (size_t)len, "]");
}

/* A diff behind `last`, in the form of the stream, now and then with a byte changed. */
static size_t diff(char *out, size_t cap, bool chained, bool wrapped, uint64_t *last)
{
    char bids[MESSAGE_MAX / 4], asks[MESSAGE_MAX / 4], chain[64] = "";
    uint64_t first = *last + 1 + (below(50) == 0), end = first + below(9);
    side(bids, sizeof bids);
    side(asks, sizeof asks);
    if (chained)
        snprintf(chain, sizeof chain, ",\"pu\":%llu", (unsigned long long)*last);
    int len = snprintf(
        out, cap,
        "%s{\"e\":\"depthUpdate\",\"E\":1723161285022%s,\"s\":\"BTCUSDT\",\"U\":%llu,\"u\":%llu%s,"
        "\"b\":%s,\"a\":%s}%s",
        wrapped ? "{\"stream\":\"btcusdt@depth@100ms\",\"data\":" : "", chained ? ",\"T\":17231612850" : "",
        (unsigned long long)first, (unsigned long long)end, chain, bids, asks, wrapped ? "}" : "");
    *last = end;
    if (below(8) == 0)
        out[below((uint64_t)len)] = (char)(' ' + below(95));
    return (size_t)len;
}

static void play(const struct venue_ops *venue, bool chained)
{
    static const char *const path[] = {"https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=1000",
                                       "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=1000"};
    char text[MESSAGE_MAX], bids[MESSAGE_MAX / 4];
    uint64_t last = 100, plain = 0;
    open_both(venue);
    for (int i = 0; i < 4000; i++) {
        if (i % 20 == 0) {
            side(bids, sizeof bids);
            int len = snprintf(text, sizeof text, "{\"lastUpdateId\":%llu,\"bids\":%s,\"asks\":[]}",
                               (unsigned long long)last, bids);
            give(FRAME_HTTP, path[chained], text, (size_t)len);
        }
        struct diff_text out;
        struct l2_change changes[CHANGES_MAX];
        size_t len = diff(text, sizeof text - 2, chained, below(2), &last);
        plain += diff_text_read(text, len, chained, &out, changes, CHANGES_MAX);
        give(FRAME_WS, "wss://stream.binance.com:9443/ws", text, len);
        same(text);
    }
    ck_assert_uint_gt(plain, 1000); /* else nothing was compared */
    ck_assert_uint_gt(ops->counters(direct)->applied, 100);
    close_both();
}

START_TEST(a_spot_diff_is_read_as_the_parser_reads_it)
{
    play(&binance_spot, false);
}
END_TEST

START_TEST(a_futures_diff_is_read_as_the_parser_reads_it)
{
    play(&binance_usdm, true);
}
END_TEST

/* A reader that looks past the end is found here by AddressSanitizer: the text ends where its block of memory does. */
START_TEST(no_prefix_of_a_diff_is_read)
{
    char text[MESSAGE_MAX];
    struct diff_text out;
    struct l2_change changes[CHANGES_MAX];
    size_t len = snprintf(
        text, sizeof text,
        "{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"X\",\"U\":1,\"u\":2,\"b\":[[\"1.5\",\"2.00000000\"]],"
        "\"a\":[[\"1.6\",\"2.00000000\"]]}");
    for (size_t i = 0; i <= len; i++) {
        char *exact = malloc(i ? i : 1);
        memcpy(exact, text, i);
        ck_assert_int_eq(diff_text_read(exact, i, false, &out, changes, CHANGES_MAX), i == len);
        free(exact);
    }
    ck_assert_uint_eq(out.n_changes, 2);
    ck_assert(!diff_text_read(text, len, false, &out, changes, 1));          /* no room */
    ck_assert(!diff_text_read(text, len, true, &out, changes, CHANGES_MAX)); /* no "pu" */
}
END_TEST

/* Whose quantities are short, its messages too are read here, and not by the parser. */
START_TEST(a_diff_is_read_however_short_its_last_number_is)
{
    static const char *const last[] = {"2.0", "0.010", "0.00000000", "1234567.1"};
    char text[MESSAGE_MAX];
    struct diff_text out;
    struct l2_change changes[CHANGES_MAX];
    for (size_t i = 0; i < sizeof last / sizeof *last; i++) {
        struct dec qty;
        int len = snprintf(text, sizeof text,
                           "{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"X\",\"U\":1,\"u\":2,\"b\":[],"
                           "\"a\":[[\"1.6\",\"%s\"]]}",
                           last[i]);
        ck_assert(diff_text_read(text, (size_t)len, false, &out, changes, CHANGES_MAX));
        ck_assert_int_eq(dec_parse(last[i], strlen(last[i]), &qty), OK);
        ck_assert_int_eq(dec_cmp(changes[0].qty, qty), 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("binance_diff_text");
    TCase *tests = tcase_create("promises");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_spot_diff_is_read_as_the_parser_reads_it);
    tcase_add_test(tests, a_futures_diff_is_read_as_the_parser_reads_it);
    tcase_add_test(tests, no_prefix_of_a_diff_is_read);
    tcase_add_test(tests, a_diff_is_read_however_short_its_last_number_is);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
