/* What the codec promises of messages that are well formed: what it packs it reads again, the same. */
#include "proto/codec.h"
#include "proto/samples.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct message sent, received;
static char packed[MESSAGE_BYTES_MAX + 64];
static struct decoder *decoder;
static struct drops drops;

static void setup(void)
{
    decoder = decoder_new();
    memset(&drops, 0, sizeof(drops));
}

static void teardown(void)
{
    decoder_destroy(&decoder);
    ck_assert_ptr_null(decoder);
}

static uint64_t dropped(void)
{
    uint64_t n = 0;
    for (int why = 0; why < DROP_COUNT; why++)
        n += drops.count[why];
    return n;
}

/* ---- round trips ---------------------------------------------------------------------------------- */

START_TEST(any_message_survives_the_way_there_and_back)
{
    uint64_t random = 20240808;
    for (const struct message_kind *const *k = message_kinds(); *k; k++) {
        for (int i = 0; i < 300; i++) {
            sample_random(&sent, (enum message_type)(*k)->type, &random);
            size_t len = codec_encode(&sent, packed, sizeof(packed));
            ck_assert_msg(len > 0, "%s %d has no encoding", (*k)->body->name, i);
            memset(&received, 0xa5, sizeof(received));
            ck_assert_msg(codec_decode(decoder, packed, len, &received, &drops), "%s", drops.last);
            ck_assert_msg(message_equal(&sent, &received), "%s %d differs", (*k)->body->name, i);
        }
    }
    ck_assert_uint_eq(dropped(), 0);
}
END_TEST

START_TEST(the_wire_form_is_the_shortest_and_leaves_trailing_zero_hops_out)
{
    static const unsigned char expected[] = {0x99, 1,    7, 0xa1, 'm',  3, 4, 0xcd, 1, 0, 5,   0x95,
                                             0,    0xff, 0, 0,    0x92, 0, 6, 0x93, 1, 2, 0xc3};
    message_init(&sent, MSG_PACE);
    strcpy(sent.env.stream, "m");
    sent.env.epoch = 3;
    sent.env.seq = 4;
    sent.env.pos = 256;
    sent.env.time_out = 5;
    sent.env.trace.recv_utc = -1;
    sent.env.trace.hop[1] = 6;
    sent.pace = (struct pace){.window = 1, .market_time = 2, .last = true};
    ck_assert_uint_eq(codec_encode(&sent, packed, sizeof(packed)), sizeof(expected));
    ck_assert_mem_eq(packed, expected, sizeof(expected));
}
END_TEST

START_TEST(each_field_is_compared_when_messages_are)
{
    for (const struct message_kind *const *k = message_kinds(); *k; k++) {
        for (const struct field *f = (*k)->body->fields(); f->name; f++) {
            sample_message(&sent, (enum message_type)(*k)->type, SAMPLE_PLAIN);
            message_copy(&received, &sent);
            ck_assert(message_equal(&sent, &received));
            ((char *)&received.inst)[f->kind == FIELD_LIST ? f->count_offset : f->offset] ^= 1;
            ck_assert_msg(!message_equal(&sent, &received), "%s.%s", (*k)->body->name, f->name);
        }
    }
}
END_TEST

START_TEST(what_was_not_sent_is_zero)
{
    message_init(&sent, MSG_BOOK);
    size_t len = codec_encode(&sent, packed, sizeof(packed));
    memset(&received, 0xa5, sizeof(received));
    ck_assert(codec_decode(decoder, packed, len, &received, &drops));
    ck_assert_mem_eq(&received.book, &sent.book, sizeof(sent.book));
}
END_TEST

START_TEST(a_message_fits_into_exactly_its_length)
{
    for (const struct message_kind *const *k = message_kinds(); *k; k++) {
        sample_message(&sent, (enum message_type)(*k)->type, SAMPLE_MOST);
        size_t len = codec_encode(&sent, packed, MESSAGE_BYTES_MAX);
        ck_assert_uint_gt(len, 0);
        memset(packed, 0x5a, sizeof(packed));
        ck_assert_uint_eq(codec_encode(&sent, packed, len), len);
        ck_assert_int_eq(packed[len], 0x5a);
        for (size_t cap = 0; cap < len; cap++) {
            packed[cap] = 0x5a;
            ck_assert_uint_eq(codec_encode(&sent, packed, cap), 0);
            ck_assert_int_eq(packed[cap], 0x5a);
        }
    }
}
END_TEST

START_TEST(what_the_dictionary_forbids_is_not_packed)
{
    sample_message(&sent, MSG_BOOK, SAMPLE_PLAIN);
    sent.book.n_bids = 51;
    ck_assert_uint_eq(codec_encode(&sent, packed, sizeof(packed)), 0);
    sample_message(&sent, MSG_BOOK, SAMPLE_PLAIN);
    sent.book.price_exp = 19;
    ck_assert_uint_eq(codec_encode(&sent, packed, sizeof(packed)), 0);
    sample_message(&sent, MSG_BOOK, SAMPLE_PLAIN);
    sent.book.state = (enum book_state)7;
    ck_assert_uint_eq(codec_encode(&sent, packed, sizeof(packed)), 0);
    sample_message(&sent, MSG_BOOK, SAMPLE_PLAIN);
    memset(sent.book.symbol, 'x', sizeof(sent.book.symbol));
    ck_assert_uint_eq(codec_encode(&sent, packed, sizeof(packed)), 0);
    sample_message(&sent, MSG_INST, SAMPLE_PLAIN);
    sent.inst.tick.exp = -19;
    ck_assert_uint_eq(codec_encode(&sent, packed, sizeof(packed)), 0);
    sent.env.type = MESSAGE_TYPE_MAX;
    ck_assert_uint_eq(codec_encode(&sent, packed, sizeof(packed)), 0);
}
END_TEST

START_TEST(a_sentence_cut_in_mid_character_loses_that_character_only)
{
    message_init(&sent, MSG_STATE);
    sent.state.state = RISK_NORMAL;
    strcpy(sent.state.detail, "too high: \xe2\x82\xa9 1000 \xe2\x82");
    size_t len = codec_encode(&sent, packed, sizeof(packed));
    ck_assert(codec_decode(decoder, packed, len, &received, &drops));
    ck_assert_str_eq(received.state.detail, "too high: \xe2\x82\xa9 1000 ");
}
END_TEST

/* ---- memory --------------------------------------------------------------------------------------- */

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define OTHER_ALLOCATOR
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define OTHER_ALLOCATOR
#endif

#ifndef OTHER_ALLOCATOR
/* Stands in for the C library's malloc, in msgpack-c too. */
extern void *__libc_malloc(size_t size);
static uint64_t allocations;

void *malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}

START_TEST(neither_packing_nor_reading_allocates)
{
    uint64_t random = 11;
    free(malloc(1));
    ck_assert_uint_gt(allocations, 0);
    uint64_t before = allocations;
    for (const struct message_kind *const *k = message_kinds(); *k; k++) {
        for (int i = 0; i < 20; i++) {
            sample_random(&sent, (enum message_type)(*k)->type, &random);
            size_t len = codec_encode(&sent, packed, sizeof(packed));
            if (!codec_decode(decoder, packed, len, &received, &drops))
                ck_abort_msg("%s", drops.last);
        }
    }
    /* The frame whose values take the most memory: pairs of a map, in an array as large as can be. */
    memset(packed, 0x01, sizeof(packed));
    memcpy(packed, "\xde\x1f\xfe", 3);
    bool taken = codec_decode(decoder, packed, 3 + 2 * 0x1ffe, &received, &drops);
    memset(packed, 0x80, sizeof(packed));
    memcpy(packed, "\xdc\x3f\xfd", 3);
    taken |= codec_decode(decoder, packed, MESSAGE_BYTES_MAX, &received, &drops);
    uint64_t after = allocations;
    ck_assert(!taken);
    ck_assert_uint_eq(drops.count[DROP_ENVELOPE], 2);
    ck_assert_uint_eq(before, after);
}
END_TEST
#endif

int main(void)
{
    Suite *suite = suite_create("codec");
    TCase *promises = tcase_create("promises");
    tcase_add_checked_fixture(promises, setup, teardown);
    tcase_set_timeout(promises, 60);
    tcase_add_test(promises, any_message_survives_the_way_there_and_back);
    tcase_add_test(promises, the_wire_form_is_the_shortest_and_leaves_trailing_zero_hops_out);
    tcase_add_test(promises, each_field_is_compared_when_messages_are);
    tcase_add_test(promises, what_was_not_sent_is_zero);
    tcase_add_test(promises, a_message_fits_into_exactly_its_length);
    tcase_add_test(promises, what_the_dictionary_forbids_is_not_packed);
    tcase_add_test(promises, a_sentence_cut_in_mid_character_loses_that_character_only);
#ifndef OTHER_ALLOCATOR
    tcase_add_test(promises, neither_packing_nor_reading_allocates);
#endif
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
