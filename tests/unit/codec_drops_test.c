/* What the codec promises of everything else: it is dropped, under the one reason that fits, with words that
 * name the message, the field, the value and what was expected. */
#include "proto/codec.h"
#include "proto/samples.h"

#include <check.h>
#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct message sent, received;
static char packed[MESSAGE_BYTES_MAX + 64];
static struct decoder *decoder;
static struct drops drops;

/* A message taken apart, so that one value of it can be replaced and the whole packed again. */
static msgpack_zone parts;
static msgpack_object root;

static void setup(void)
{
    decoder = decoder_new();
    memset(&drops, 0, sizeof(drops));
    msgpack_zone_init(&parts, 8192);
}

static void teardown(void)
{
    decoder_destroy(&decoder);
    ck_assert_ptr_null(decoder);
    msgpack_zone_destroy(&parts);
}

static uint64_t dropped(void)
{
    uint64_t n = 0;
    for (int why = 0; why < DROP_COUNT; why++)
        n += drops.count[why];
    return n;
}

/* Decodes and expects exactly one drop, under this reason, with these words in its description. */
static void expect_drop(const void *bytes, size_t len, enum drop why, const char *words)
{
    memset(&drops, 0, sizeof(drops));
    ck_assert_msg(!codec_decode(decoder, bytes, len, &received, &drops), "taken, expected a drop: %s", words);
    ck_assert_msg(drops.count[why] == 1 && dropped() == 1, "expected %s (%s), got: %s", drop_text(why), words,
                  drops.last);
    ck_assert_msg(strstr(drops.last, words) != NULL, "expected '%s' in '%s'", words, drops.last);
    ck_assert_uint_lt(strlen(drops.last), sizeof(drops.last));
}

static void take_apart(enum message_type type)
{
    size_t offset = 0;
    sample_message(&sent, type, SAMPLE_PLAIN);
    size_t len = codec_encode(&sent, packed, sizeof(packed));
    msgpack_zone_clear(&parts);
    ck_assert_int_eq(msgpack_unpack(packed, len, &offset, &parts, &root), MSGPACK_UNPACK_SUCCESS);
}

/* The body's value of a field; with an element, that of the first record of the list. */
static msgpack_object *value_of(const struct message_kind *kind, const struct field *f,
                                const struct field *element)
{
    msgpack_object *v = &root.via.array.ptr[8].via.array.ptr[f - kind->body->fields()];
    return element ? &v->via.array.ptr[0].via.array.ptr[element - f->record->fields()] : v;
}

static size_t put_together(void)
{
    msgpack_sbuffer out;
    msgpack_packer pk;
    msgpack_sbuffer_init(&out);
    msgpack_packer_init(&pk, &out, msgpack_sbuffer_write);
    msgpack_pack_object(&pk, root);
    size_t len = out.size;
    ck_assert_uint_le(len, sizeof(packed));
    memcpy(packed, out.data, len);
    msgpack_sbuffer_destroy(&out);
    return len;
}

static msgpack_object uint_object(uint64_t n)
{
    return (msgpack_object){.type = MSGPACK_OBJECT_POSITIVE_INTEGER, .via.u64 = n};
}

static msgpack_object int_object(int64_t n)
{
    return (msgpack_object){.type = MSGPACK_OBJECT_NEGATIVE_INTEGER, .via.i64 = n};
}

static msgpack_object text_object(const char *text, size_t len)
{
    return (msgpack_object){.type = MSGPACK_OBJECT_STR, .via.str = {.size = (uint32_t)len, .ptr = text}};
}

static const msgpack_object float_object = {.type = MSGPACK_OBJECT_FLOAT64, .via.f64 = 1.5};

/* One value more at the end of an array that `parts` holds. */
static void append(msgpack_object *array, msgpack_object value)
{
    size_t size = array->via.array.size;
    msgpack_object *longer = msgpack_zone_malloc(&parts, (size + 1) * sizeof(*longer));
    memcpy(longer, array->via.array.ptr, size * sizeof(*longer));
    longer[size] = value;
    array->via.array = (msgpack_object_array){.size = (uint32_t)size + 1, .ptr = longer};
}

/* ---- drops: structure ------------------------------------------------------------------------------ */

START_TEST(no_bytes_and_too_many_are_dropped)
{
    static char large[MESSAGE_BYTES_MAX + 1];
    expect_drop(large, 0, DROP_EMPTY, "no bytes");
    expect_drop(large, sizeof(large), DROP_OVERSIZED, "16385");
}
END_TEST

START_TEST(a_message_cut_anywhere_is_dropped_as_truncated)
{
    for (const struct message_kind *const *k = message_kinds(); *k; k++) {
        for (int s = 0; s < SAMPLE_COUNT; s++) {
            sample_message(&sent, (enum message_type)(*k)->type, (enum sample)s);
            size_t len = codec_encode(&sent, packed, sizeof(packed));
            for (size_t cut = 1; cut < len; cut++) {
                char *exact = malloc(cut); /* so that a read behind the end is seen by a sanitizer */
                memcpy(exact, packed, cut);
                expect_drop(exact, cut, DROP_TRUNCATED, "ends within a value");
                free(exact);
            }
        }
    }
}
END_TEST

START_TEST(counts_and_lengths_that_lie_are_truncated)
{
    expect_drop("\xdd\xff\xff\xff\xff\x01", 6, DROP_TRUNCATED, "at byte 0 of 6");
    expect_drop("\xdf\xff\xff\xff\xff\x01", 6, DROP_TRUNCATED, "at byte 0");
    expect_drop("\x91\xdb\xff\xff\xff\xff", 6, DROP_TRUNCATED, "at byte 1");
    expect_drop("\x91\xc6\xff\xff\xff\xff", 6, DROP_TRUNCATED, "at byte 1");
    expect_drop("\x91\xc9\xff\xff\xff\xff\x01", 7, DROP_TRUNCATED, "at byte 1");
    expect_drop("\x91\xc7\x01\x05", 4, DROP_TRUNCATED, "at byte 1");
    expect_drop("\x91\xc7\x01\x05\x00", 5, DROP_ENVELOPE, "an extension");
    expect_drop("\x81\x01", 2, DROP_TRUNCATED, "at byte 0");
}
END_TEST

START_TEST(what_is_not_one_msgpack_value_is_malformed)
{
    sample_message(&sent, MSG_PACE, SAMPLE_PLAIN);
    size_t len = codec_encode(&sent, packed, sizeof(packed));
    packed[len] = 0x01;
    expect_drop(packed, len + 1, DROP_MALFORMED, "bytes behind the message");
    expect_drop("\x92\x01\xc1", 3, DROP_MALFORMED, "reserved");
    expect_drop("\x91\x91\x91\x91\x91\x91\x91\x91\x01", 9, DROP_ENVELOPE, "expected");
    expect_drop("\x91\x91\x91\x91\x91\x91\x91\x91\x91\x01", 10, DROP_MALFORMED, "deeper than 8");
}
END_TEST

START_TEST(bytes_flipped_at_random_never_crash_and_are_read_or_counted)
{
    uint64_t random = 7;
    for (const struct message_kind *const *k = message_kinds(); *k; k++) {
        for (int i = 0; i < 2000; i++) {
            sample_random(&sent, (enum message_type)(*k)->type, &random);
            size_t len = codec_encode(&sent, packed, sizeof(packed));
            for (uint64_t flips = 1 + random % 4; flips > 0; flips--) {
                random = random * 6364136223846793005u + 1442695040888963407u;
                packed[(random >> 20) % len] ^= (char)(1 << (random >> 60) % 8);
            }
            memset(&drops, 0, sizeof(drops));
            bool taken = codec_decode(decoder, packed, len, &received, &drops);
            ck_assert_uint_eq(dropped(), taken ? 0 : 1);
            ck_assert(!taken || codec_encode(&received, packed, sizeof(packed)) > 0);
        }
    }
}
END_TEST

/* ---- drops: envelope ------------------------------------------------------------------------------- */

/* Replaces the envelope's value at `place` by one that cannot be there. */
static void expect_envelope_drop(size_t place, msgpack_object value, enum drop why, const char *words)
{
    take_apart(MSG_PACE);
    root.via.array.ptr[place] = value;
    expect_drop(packed, put_together(), why, words);
}

START_TEST(an_envelope_that_is_not_ours_is_dropped)
{
    msgpack_object nil = {.type = MSGPACK_OBJECT_NIL};
    expect_drop("\x01", 1, DROP_ENVELOPE, "envelope: 1, expected an array of 9");
    expect_drop("\x90", 1, DROP_ENVELOPE, "an array of 0");
    expect_drop("\x93\x01\x07\x00", 4, DROP_ENVELOPE, "an array of 3");
    expect_envelope_drop(0, nil, DROP_ENVELOPE, "envelope.version: nil");
    expect_envelope_drop(0, uint_object(2), DROP_VERSION, "envelope.version: 2");
    expect_envelope_drop(0, int_object(-1), DROP_VERSION, "envelope.version: -1");
    expect_envelope_drop(1, nil, DROP_ENVELOPE, "envelope.type: nil");
    expect_envelope_drop(1, uint_object(127), DROP_UNKNOWN_TYPE, "envelope.type: 127");
    expect_envelope_drop(1, uint_object(UINT64_MAX), DROP_UNKNOWN_TYPE,
                         "envelope.type: 18446744073709551615");
    expect_envelope_drop(1, int_object(-7), DROP_UNKNOWN_TYPE, "envelope.type: -7");
    expect_envelope_drop(2, text_object("sixteen bytes, 16", 16), DROP_ENVELOPE, "pace.stream: \"sixteen");
    expect_envelope_drop(2, nil, DROP_ENVELOPE, "pace.stream: nil");
    expect_envelope_drop(3, int_object(-1), DROP_ENVELOPE, "pace.epoch: -1");
    expect_envelope_drop(4, nil, DROP_ENVELOPE, "pace.seq: nil");
    expect_envelope_drop(5, nil, DROP_ENVELOPE, "pace.pos: nil");
    expect_envelope_drop(6, uint_object(UINT64_MAX), DROP_ENVELOPE, "pace.time_out: 18446744073709551615");
    expect_envelope_drop(7, uint_object(0), DROP_ENVELOPE, "pace.trace: 0");
    expect_envelope_drop(8, nil, DROP_FIELD_TYPE, "pace: nil, expected an array of fields");
}
END_TEST

START_TEST(a_trace_that_is_not_one_is_dropped)
{
    for (uint32_t i = 0; i < 5; i++) {
        take_apart(MSG_PACE);
        root.via.array.ptr[7].via.array.ptr[i] = float_object;
        expect_drop(packed, put_together(), DROP_ENVELOPE, "pace.trace");
    }
    take_apart(MSG_PACE);
    root.via.array.ptr[7].via.array.size = 4;
    expect_drop(packed, put_together(), DROP_ENVELOPE, "pace.trace");
    take_apart(MSG_PACE);
    root.via.array.ptr[7].via.array.ptr[4].via.array.ptr[1] = float_object;
    expect_drop(packed, put_together(), DROP_ENVELOPE, "pace.trace.hops");
}
END_TEST

/* ---- drops: fields --------------------------------------------------------------------------------- */

/* A value of the right msgpack type that is out of the field's bounds; false for kinds without bounds. */
static bool out_of_bounds(const struct field *f, msgpack_object *value)
{
    static char text[256];
    memset(text, 'x', sizeof(text));
    switch (f->kind) {
    case FIELD_U64:
        *value = int_object(-1);
        return true;
    case FIELD_U32:
        *value = uint_object((uint64_t)UINT32_MAX + 1);
        return true;
    case FIELD_I32:
        *value = int_object((int64_t)INT32_MIN - 1);
        return true;
    case FIELD_EXP:
        *value = uint_object(19);
        return true;
    case FIELD_DEC:
        value->via.array.ptr[1] = int_object(-19);
        return true;
    case FIELD_MONEY:
        *value = text_object("1e5", 3);
        return true;
    case FIELD_STR:
        *value = text_object(text, f->size);
        return true;
    case FIELD_ENUM:
        *value = uint_object(999);
        return true;
    case FIELD_LIST:
        while (value->via.array.size <= f->max)
            append(value, value->via.array.ptr[0]);
        return true;
    case FIELD_BOOL:
        return false;
    default:
        *value = uint_object((uint64_t)INT64_MAX + 1);
        return true;
    }
}

static void expect_field_drops(const struct message_kind *kind, const struct field *f,
                               const struct field *element)
{
    char words[96];
    if (element)
        snprintf(words, sizeof(words), "%s.%s[0].%s: ", kind->body->name, f->name, element->name);
    else
        snprintf(words, sizeof(words), "%s.%s: ", kind->body->name, f->name);
    take_apart((enum message_type)kind->type);
    *value_of(kind, f, element) = float_object;
    expect_drop(packed, put_together(), DROP_FIELD_TYPE, words);
    take_apart((enum message_type)kind->type);
    if (out_of_bounds(element ? element : f, value_of(kind, f, element)))
        expect_drop(packed, put_together(), DROP_FIELD_RANGE, words);
}

START_TEST(each_field_of_each_message_refuses_other_types_and_values_out_of_bounds)
{
    for (const struct message_kind *const *k = message_kinds(); *k; k++) {
        for (const struct field *f = (*k)->body->fields(); f->name; f++) {
            expect_field_drops(*k, f, NULL);
            for (const struct field *e = f->record ? f->record->fields() : NULL; e && e->name; e++)
                expect_field_drops(*k, f, e);
        }
    }
}
END_TEST

START_TEST(an_amount_must_be_plain_decimal_text)
{
    static const char *const bad[] = {"",
                                      "-",
                                      "+1",
                                      "1.",
                                      ".5",
                                      "1e5",
                                      " 1",
                                      "1 ",
                                      "0x1",
                                      "1.0000000000000000001",
                                      "170141183460469231731.687303715884105728"};
    const struct message_kind *kind = message_kind(MSG_ADJUST);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        take_apart(MSG_ADJUST);
        *value_of(kind, record_field(kind->body, "amount"), NULL) = text_object(bad[i], strlen(bad[i]));
        expect_drop(packed, put_together(), DROP_FIELD_RANGE, "adjust.amount");
    }
}
END_TEST

START_TEST(a_text_must_be_utf8_without_nul)
{
    static const char *const bad[] = {
        "\xff", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80", "a\xc3"};
    const struct message_kind *kind = message_kind(MSG_STATE);
    const struct field *detail = record_field(kind->body, "detail");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        take_apart(MSG_STATE);
        *value_of(kind, detail, NULL) = text_object(bad[i], strlen(bad[i]));
        expect_drop(packed, put_together(), DROP_FIELD_RANGE, "state.detail");
    }
    take_apart(MSG_STATE);
    *value_of(kind, detail, NULL) = text_object("a\0b", 3);
    expect_drop(packed, put_together(), DROP_FIELD_RANGE, "state.detail: \"a?b\"");
}
END_TEST

START_TEST(fewer_fields_than_the_table_has_are_dropped)
{
    for (const struct message_kind *const *k = message_kinds(); *k; k++) {
        take_apart((enum message_type)(*k)->type);
        root.via.array.ptr[8].via.array.size--;
        expect_drop(packed, put_together(), DROP_FIELDS, (*k)->body->name);
    }
    take_apart(MSG_BOOK);
    msgpack_object *bids =
        value_of(message_kind(MSG_BOOK), record_field(message_kind(MSG_BOOK)->body, "bids"), NULL);
    bids->via.array.ptr[1].via.array.size = 1;
    expect_drop(packed, put_together(), DROP_FIELDS, "book.bids[1]: an array of 1, expected at least 2");
}
END_TEST

/* ---- what a newer writer may send ------------------------------------------------------------------- */

/* Appends a value where the table has none: to the body, a record, the trace, the hops, the envelope. */
static msgpack_object *extended_part(const struct message_kind *kind, int part)
{
    msgpack_object *v = root.via.array.ptr;
    const struct field *f = kind->body->fields();
    while (f->name && f->kind != FIELD_LIST)
        f++;
    switch (part) {
    case 0:
        return &v[8];
    case 1:
        return f->name ? &value_of(kind, f, NULL)->via.array.ptr[0] : NULL;
    case 2:
        return &v[7];
    case 3:
        while (v[7].via.array.ptr[4].via.array.size < HOP_COUNT)
            append(&v[7].via.array.ptr[4], uint_object(1));
        return &v[7].via.array.ptr[4];
    default:
        return &root;
    }
}

START_TEST(unknown_trailing_values_are_ignored_on_data_and_refused_on_commands)
{
    for (const struct message_kind *const *k = message_kinds(); *k; k++) {
        for (int part = 0; part < 5; part++) {
            take_apart((enum message_type)(*k)->type);
            msgpack_object *array = extended_part(*k, part);
            if (!array)
                continue;
            append(array, text_object("of a later version", 18));
            size_t len = put_together();
            if ((*k)->class == CLASS_COMMAND) {
                expect_drop(packed, len, part < 2 ? DROP_FIELDS : DROP_ENVELOPE, (*k)->body->name);
                continue;
            }
            ck_assert_msg(codec_decode(decoder, packed, len, &received, &drops), "%s", drops.last);
            ck_assert(part == 3 || message_equal(&sent, &received));
        }
    }
}
END_TEST

START_TEST(each_reason_has_its_own_text)
{
    for (int a = 0; a < DROP_COUNT; a++)
        for (int b = 0; b < a; b++)
            ck_assert_str_ne(drop_text((enum drop)a), drop_text((enum drop)b));
    ck_assert_str_eq(drop_text(DROP_TRUNCATED), "truncated");
    ck_assert_str_eq(drop_text(DROP_FIELD_RANGE), "field-range");
    ck_assert_str_eq(drop_text(DROP_COUNT), "?");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("codec_drops");
    TCase *promises = tcase_create("promises");
    tcase_add_checked_fixture(promises, setup, teardown);
    tcase_set_timeout(promises, 60);
    tcase_add_test(promises, no_bytes_and_too_many_are_dropped);
    tcase_add_test(promises, a_message_cut_anywhere_is_dropped_as_truncated);
    tcase_add_test(promises, counts_and_lengths_that_lie_are_truncated);
    tcase_add_test(promises, what_is_not_one_msgpack_value_is_malformed);
    tcase_add_test(promises, bytes_flipped_at_random_never_crash_and_are_read_or_counted);
    tcase_add_test(promises, an_envelope_that_is_not_ours_is_dropped);
    tcase_add_test(promises, a_trace_that_is_not_one_is_dropped);
    tcase_add_test(promises, each_field_of_each_message_refuses_other_types_and_values_out_of_bounds);
    tcase_add_test(promises, an_amount_must_be_plain_decimal_text);
    tcase_add_test(promises, a_text_must_be_utf8_without_nul);
    tcase_add_test(promises, fewer_fields_than_the_table_has_are_dropped);
    tcase_add_test(promises, unknown_trailing_values_are_ignored_on_data_and_refused_on_commands);
    tcase_add_test(promises, each_reason_has_its_own_text);
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
