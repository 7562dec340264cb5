#include "proto/samples.h"

#include <stdio.h>
#include <string.h>

/* Where the values of a sample come from. */
struct source {
    enum sample sample; /* SAMPLE_COUNT: random */
    uint64_t *random;
    uint64_t count; /* fields filled so far: plain values differ by it */
};

static const char *const sample_texts[] = {"plain", "most", "least"};

const char *sample_text(enum sample sample)
{
    return sample < SAMPLE_COUNT ? sample_texts[sample] : "?";
}

static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* A whole number between the bounds; random ones have every length in bits. */
static int64_t pick(struct source *s, int64_t min, int64_t max, int64_t plain)
{
    if (s->sample == SAMPLE_MOST)
        return max;
    if (s->sample == SAMPLE_LEAST)
        return min;
    if (s->sample == SAMPLE_PLAIN)
        return plain < min ? min : plain > max ? max : plain;
    uint64_t range = (uint64_t)max - (uint64_t)min;
    uint64_t bits = draw(s->random) >> draw(s->random) % 64;
    uint64_t step = range == UINT64_MAX ? bits : bits % (range + 1);
    return (int64_t)((draw(s->random) & 1) ? (uint64_t)min + step : (uint64_t)max - step);
}

static uint64_t pick_unsigned(struct source *s, uint64_t max, uint64_t plain)
{
    return (uint64_t)pick(s, INT64_MIN, (int64_t)(max - (uint64_t)INT64_MAX - 1),
                          (int64_t)plain + INT64_MIN) -
           (uint64_t)INT64_MIN;
}

/* Texts of every length of UTF-8, and of what JSON escapes. */
static void fill_text(struct source *s, char *out, size_t size, const char *name)
{
    static const char *const characters[] = {
        "A", "z", "9", "-", "\"", "\\", "\n", "\x7f", "\xc3\xa9", "\xe2\x82\xa9", "\xf0\x9f\x8c\x8a"};
    enum { CHARACTERS = sizeof(characters) / sizeof(characters[0]) };
    if (s->sample == SAMPLE_PLAIN) {
        snprintf(out, size, "%.8s-%u", name, (unsigned)(s->count % 100));
        return;
    }
    size_t want = (size_t)pick(s, 0, (int64_t)size - 1, 0);
    size_t len = 0;
    for (size_t i = 0; len < want; i++) {
        size_t which =
            s->sample == SAMPLE_COUNT ? draw(s->random) % CHARACTERS : CHARACTERS - 1 - i % CHARACTERS;
        const char *c = strlen(characters[which]) <= want - len ? characters[which] : "x";
        memcpy(out + len, c, strlen(c));
        len += strlen(c);
    }
}

static int fill_enum(struct source *s, const struct enum_kind *kind)
{
    int count = 0;
    while (kind->values[count].text)
        count++;
    return kind->values[pick(s, 0, count - 1, count / 2)].number;
}

static money fill_money(struct source *s, int64_t plain)
{
    const money most = (money)((~(unsigned __int128)0) >> 1);
    if (s->sample == SAMPLE_MOST)
        return most;
    if (s->sample == SAMPLE_LEAST)
        return -most;
    money scale = s->sample == SAMPLE_PLAIN ? (money)100000000000000
                                            : (money)pick(s, -1000000000000000, 1000000000000000, 0);
    return (money)pick(s, INT64_MIN / 2, INT64_MAX / 2, plain) * scale;
}

static void fill_record(struct source *s, const struct field *fields, char *record);

static void fill_list(struct source *s, const struct field *f, char *record)
{
    uint32_t count = (uint32_t)pick(s, 0, f->max, f->max < 20 ? 2 : 20);
    memcpy(record + f->count_offset, &count, sizeof(count));
    for (uint32_t i = 0; i < count; i++)
        fill_record(s, f->record->fields(), record + f->offset + (size_t)i * f->size);
}

static void fill_field(struct source *s, const struct field *f, char *record)
{
    void *at = record + f->offset;
    int64_t plain = 1000 + 37 * (int64_t)s->count++;
    switch (f->kind) {
    case FIELD_U64:
        *(uint64_t *)at = pick_unsigned(s, UINT64_MAX, (uint64_t)plain);
        break;
    case FIELD_TIME:
    case FIELD_MONO:
        plain += 1723104000000000000;
        *(int64_t *)at = pick(s, INT64_MIN, INT64_MAX, plain);
        break;
    case FIELD_I64:
    case FIELD_PRICE:
    case FIELD_QTY:
        *(int64_t *)at = pick(s, INT64_MIN, INT64_MAX, plain);
        break;
    case FIELD_U32:
        *(uint32_t *)at = (uint32_t)pick(s, 0, UINT32_MAX, plain);
        break;
    case FIELD_I32:
        *(int32_t *)at = (int32_t)pick(s, INT32_MIN, INT32_MAX, plain);
        break;
    case FIELD_BOOL:
        *(bool *)at = pick(s, 0, 1, s->count % 2) != 0;
        break;
    case FIELD_EXP:
        *(int8_t *)at = (int8_t)pick(s, DEC_EXP_MIN, DEC_EXP_MAX, -1 - (int64_t)(s->count % 5));
        break;
    case FIELD_DEC:
        ((struct dec *)at)->m = pick(s, INT64_MIN, INT64_MAX, plain);
        ((struct dec *)at)->exp = (int8_t)pick(s, DEC_EXP_MIN, DEC_EXP_MAX, -4);
        break;
    case FIELD_MONEY:
        *(money *)at = fill_money(s, plain);
        break;
    case FIELD_STR:
        fill_text(s, at, f->size, f->name);
        break;
    case FIELD_ENUM:
        *(int *)at = fill_enum(s, f->values);
        break;
    case FIELD_LIST:
        fill_list(s, f, record);
        break;
    }
}

static void fill_record(struct source *s, const struct field *fields, char *record)
{
    for (const struct field *f = fields; f->name; f++)
        fill_field(s, f, record);
}

static void fill_message(struct source *s, struct message *m, enum message_type type)
{
    message_init(m, type);
    fill_text(s, m->env.stream, sizeof(m->env.stream), "stream");
    m->env.epoch = pick_unsigned(s, UINT64_MAX, 7);
    m->env.seq = pick_unsigned(s, UINT64_MAX, 41);
    m->env.pos = pick_unsigned(s, UINT64_MAX, 42);
    m->env.time_out = pick(s, INT64_MIN, INT64_MAX, 1723104000123456789);
    struct trace *t = &m->env.trace;
    if (s->sample != SAMPLE_LEAST && pick(s, 0, 1, 1)) {
        t->venue_time = pick(s, INT64_MIN, INT64_MAX, 1723104000100000000);
        t->recv_utc = pick(s, INT64_MIN, INT64_MAX, 1723104000110000000);
        t->recv_mono = pick(s, INT64_MIN, INT64_MAX, 5000000000);
        t->boot_id = pick_unsigned(s, UINT64_MAX, 1234567890123456789);
        int64_t hops = pick(s, 0, HOP_COUNT, 3);
        for (int64_t i = 0; i < hops; i++)
            t->hop[i] = pick(s, INT64_MIN, INT64_MAX, 5000000000 + 1000 * i);
    }
    fill_record(s, message_kind(type)->body->fields(), (char *)&m->inst);
}

void sample_message(struct message *m, enum message_type type, enum sample sample)
{
    struct source s = {.sample = sample};
    fill_message(&s, m, type);
}

void sample_random(struct message *m, enum message_type type, uint64_t *state)
{
    struct source s = {.sample = SAMPLE_COUNT, .random = state};
    fill_message(&s, m, type);
}
