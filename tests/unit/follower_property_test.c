/* The follower against a model of everything that carries a ledger: an owner that dies with and without its unsynced
 * tail, frees what is old, and is away; a SUB queue that drops its newest when full and joins late; replay answers
 * that break off, are repeated and are late; a reader that is paused, and one that starts again from what it has
 * for good. Within a connection nothing changes its order; between the two sockets, and between what is left of an
 * owner's former life and the present one, everything does.
 *
 * At every step: each position is applied once and in order; what is called durable is on the owner's disk, and of the
 * owner's history; what is durable is never rolled back. And once all is quiet the reader holds the owner's history, or
 * knows what it lost.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/rng.h"
#include "lib/runtime/follower.h"

enum { POS_MAX = 6000, QUEUE_MAX = 4096, LIVE_MARK = 25, SEEDS = 1000, ROUNDS = 5, STEPS = 500 };

struct entry {
    uint64_t epoch, base_epoch, base_pos;
    bool begins;
};

struct word {
    enum { RECORD, BEAT, END } kind;
    struct entry entry;
    uint64_t pos;
    struct replayed end; /* a beat's figures too */
};

struct queue {
    struct word words[QUEUE_MAX];
    size_t from, to;
};

static struct world {
    uint64_t seed;
    struct rng rng;
    /* the owner */
    struct entry truth[POS_MAX]; /* [0] is before the first */
    uint64_t head, first, synced, epoch, base;
    bool away;
    int unheard; /* words that a subscription, not there yet, still misses */
    /* the sockets, as the reader sees them */
    struct queue live, replay;         /* of this life of the owner, */
    struct queue old_live, old_replay; /* and what is left of the lives before: the two come mixed */
    bool asked;
    struct replay request;
    /* the reader */
    struct follower f;
    struct now now;
    bool paused;
    struct entry held[POS_MAX];
    bool lost[POS_MAX];
    uint64_t held_to, durable;
} w;

static struct message m;

static bool chance(uint64_t percent)
{
    return rng_below(&w.rng, 100) < percent;
}

static size_t waiting(const struct queue *q)
{
    return q->to - q->from;
}

static void put(struct queue *q, struct word word)
{
    if (waiting(q) < QUEUE_MAX)
        q->words[q->to++ % QUEUE_MAX] = word;
}

/* ---- the owner ----------------------------------------------------------------------------------------- */

static struct replayed figures(void)
{
    return (struct replayed){.epoch = w.epoch,
                             .base_pos = w.base,
                             .first_pos = w.head == 0 ? 0 : w.first,
                             .head_pos = w.head,
                             .synced_pos = w.synced};
}

static void publish(struct word word)
{
    if (w.unheard > 0)
        w.unheard--;
    else if (waiting(&w.live) < LIVE_MARK)
        put(&w.live, word);
}

static void say(struct entry entry)
{
    w.truth[++w.head] = entry;
    if (entry.begins)
        w.synced = w.head; /* an epoch is on disk before its first word */
    publish((struct word){.kind = RECORD, .entry = entry, .pos = w.head});
}

static void beat(void)
{
    if (!w.away)
        publish((struct word){.kind = BEAT, .end = figures()});
}

/* What had not reached the reader's side does not any more. */
static void cut_off(struct queue *q, struct queue *old)
{
    q->to -= rng_below(&w.rng, waiting(q) + 1);
    while (waiting(q) > 0)
        put(old, q->words[q->from++ % QUEUE_MAX]);
}

static void die(void)
{
    w.away = true;
    w.asked = false;
    cut_off(&w.live, &w.old_live);
    cut_off(&w.replay, &w.old_replay);
    if (chance(60))
        w.head -= rng_below(&w.rng, w.head - w.synced + 1); /* power, not the process alone */
}

static void come_back(void)
{
    const struct entry begins = {.epoch = w.epoch + 1 + rng_below(&w.rng, 2),
                                 .base_epoch = w.truth[w.head].epoch,
                                 .base_pos = w.head,
                                 .begins = true};
    w.away = false;
    w.epoch = begins.epoch;
    w.base = w.head;
    w.unheard = (int)rng_below(&w.rng, 12);
    say(begins);
}

static void answer(void)
{
    const struct replay ask = w.request;
    w.asked = false;
    struct replayed end = figures();
    uint64_t pos = ask.next_pos < end.first_pos ? end.first_pos : ask.next_pos;
    uint32_t most = chance(30) ? (uint32_t)rng_below(&w.rng, ask.credit + 1) : ask.credit;
    for (; pos <= w.head && w.head > 0 && most > 0; pos++, most--)
        put(&w.replay, (struct word){.kind = RECORD, .entry = w.truth[pos], .pos = pos});
    if (chance(95))
        put(&w.replay, (struct word){.kind = END, .end = end});
}

/* ---- the reader ---------------------------------------------------------------------------------------- */

static void drop_past(uint64_t pos)
{
    ck_assert_msg(pos >= w.durable || pos >= w.held_to,
                  "seed %lu: %lu was durable, and is rolled back to %lu", w.seed, w.durable, pos);
    for (uint64_t p = pos + 1; p <= w.held_to; p++) {
        w.held[p] = (struct entry){0};
        w.lost[p] = false;
    }
    w.held_to = pos;
}

static void note_durable(void)
{
    const uint64_t durable = w.f.synced_pos < w.held_to ? w.f.synced_pos : w.held_to;
    for (uint64_t p = w.durable + 1; p <= durable; p++) {
        ck_assert_msg(p <= w.synced, "seed %lu: %lu is called durable, the disk has %lu", w.seed, p,
                      w.synced);
        ck_assert_msg(w.lost[p] || w.held[p].epoch == w.truth[p].epoch,
                      "seed %lu: %lu of epoch %lu is called durable, the owner's is of %lu", w.seed, p,
                      w.held[p].epoch, w.truth[p].epoch);
    }
    if (durable > w.durable)
        w.durable = durable;
}

static void begin_message(enum message_type type, uint64_t epoch, uint64_t pos)
{
    message_init(&m, type);
    strcpy(m.env.stream, "risk");
    m.env.epoch = epoch;
    m.env.pos = pos;
}

static void take_record(const struct word *word)
{
    const struct entry *e = &word->entry;
    enum follower_verdict verdict = FOLLOW_ROLLBACK;
    for (int again = 0; again < 2 && verdict == FOLLOW_ROLLBACK; again++) {
        begin_message(e->begins ? MSG_EPOCH : MSG_STATE, e->epoch, word->pos);
        if (e->begins) {
            m.epoch.base_epoch = e->base_epoch;
            m.epoch.base_pos = e->base_pos;
        }
        verdict = follower_on_record(&w.f, &m);
        if (verdict == FOLLOW_APPLY) {
            ck_assert_msg(word->pos == w.held_to + 1, "seed %lu: %lu is applied behind %lu", w.seed,
                          word->pos, w.held_to);
            w.held[++w.held_to] = *e;
            w.lost[w.held_to] = false;
        } else if (verdict == FOLLOW_ROLLBACK) {
            ck_assert_uint_lt(w.f.rollback_pos, w.held_to);
            drop_past(w.f.rollback_pos);
            if (chance(30)) /* as a reader that rebuilds, and begins anew there */
                follower_init(&w.f, "risk", w.f.rollback_epoch, w.f.rollback_pos);
        }
    }
}

static void take_end(const struct replayed *end)
{
    struct gap gap;
    if (!follower_on_replayed(&w.f, end, &gap))
        return;
    ck_assert_uint_le(gap.from_pos, w.held_to + 1);
    drop_past(gap.from_pos - 1);
    for (uint64_t p = gap.from_pos; p <= gap.to_pos; p++)
        w.lost[p] = true;
    w.held_to = gap.to_pos;
}

/* As libzmq reads several connections: from each in its order. */
static void take(struct queue *present, struct queue *old)
{
    struct queue *q = waiting(old) > 0 && (waiting(present) == 0 || chance(60)) ? old : present;
    const struct word word = q->words[q->from++ % QUEUE_MAX];
    if (word.kind == RECORD) {
        take_record(&word);
    } else if (word.kind == END) {
        take_end(&word.end);
    } else {
        begin_message(MSG_BEAT, word.end.epoch, 0);
        m.beat.head_pos = word.end.head_pos;
        m.beat.synced_pos = word.end.synced_pos;
        follower_on_beat(&w.f, &m.env, &m.beat);
    }
    note_durable();
}

static void ask(void)
{
    struct replay wanted;
    if (!follower_wants(&w.f, w.now, 100, 1 + (uint32_t)rng_below(&w.rng, 40), &wanted))
        return;
    if (w.away && chance(50))
        return; /* lost with the connection; else it waits for the owner */
    w.request = wanted;
    w.asked = true;
}

static void read_some(void)
{
    w.now.mono_ns += 10;
    ask();
    for (uint64_t n = rng_below(&w.rng, 30); n > 0 && waiting(&w.replay) + waiting(&w.old_replay) > 0; n--)
        take(&w.replay, &w.old_replay);
    for (uint64_t n = rng_below(&w.rng, 30);
         n > 0 && w.f.state == FOLLOWER_LIVE && waiting(&w.live) + waiting(&w.old_live) > 0; n--)
        take(&w.live, &w.old_live);
    ask();
}

/* A new process: it knows what it stored for good, and nothing else. */
static void start_again(void)
{
    drop_past(w.durable);
    w.live.from = w.live.to;
    w.replay.from = w.replay.to;
    w.old_live.from = w.old_live.to;
    w.old_replay.from = w.old_replay.to;
    w.asked = false;
    follower_init(&w.f, "risk", w.lost[w.durable] ? 0 : w.held[w.durable].epoch, w.durable);
    w.unheard = (int)rng_below(&w.rng, 12);
}

/* ---- together ------------------------------------------------------------------------------------------ */

static void free_some(void)
{
    const uint64_t stored = w.durable < w.synced ? w.durable : w.synced;
    const uint64_t to = chance(10) ? w.synced : stored; /* beyond what is held: not stored too */
    if (to > w.first && to < w.head)
        w.first += rng_below(&w.rng, to - w.first + 1);
}

static void step(void)
{
    const uint64_t dice = rng_below(&w.rng, 1000);
    if (dice < 350 && !w.away && w.head + 2 < POS_MAX)
        say((struct entry){.epoch = w.epoch});
    else if (dice < 420)
        beat();
    else if (dice < 440 && !w.away)
        die();
    else if (dice < 500 && w.away && w.head + 2 < POS_MAX)
        come_back();
    else if (dice < 560 && !w.away)
        w.synced += rng_below(&w.rng, w.head - w.synced + 1);
    else if (dice < 565)
        free_some();
    else if (dice < 575)
        w.paused = !w.paused;
    else if (dice < 578)
        start_again();
    else if (dice < 680 && w.asked && !w.away)
        answer();
    else if (!w.paused)
        read_some();
}

static bool quiet(void)
{
    return follower_current(&w.f) && w.f.owner_epoch == w.epoch && w.held_to == w.head &&
           waiting(&w.live) + waiting(&w.replay) + waiting(&w.old_live) + waiting(&w.old_replay) == 0;
}

static void settle(void)
{
    w.paused = false;
    if (w.away)
        come_back();
    w.unheard = 0;
    for (int i = 0; i < 3000 && !quiet(); i++) {
        if (w.asked)
            answer();
        read_some();
        beat();
    }
    ck_assert_msg(w.held_to == w.head && follower_current(&w.f), "seed %lu: stuck at %lu of %lu", w.seed,
                  w.held_to, w.head);
    for (uint64_t p = w.first; p <= w.head; p++)
        ck_assert_msg(w.lost[p] || w.held[p].epoch == w.truth[p].epoch,
                      "seed %lu: %lu is of epoch %lu, not %lu", w.seed, p, w.held[p].epoch, w.truth[p].epoch);
    w.synced = w.head;
    beat();
    while (waiting(&w.live) + waiting(&w.old_live) > 0 && w.f.state == FOLLOWER_LIVE)
        read_some();
    ck_assert_msg(w.durable == w.head, "seed %lu: durable to %lu of %lu", w.seed, w.durable, w.head);
}

START_TEST(each_position_is_applied_once_in_order_and_durable_is_what_the_owners_disk_has)
{
    for (uint64_t seed = (uint64_t)_i * SEEDS / 10; seed < (uint64_t)(_i + 1) * SEEDS / 10; seed++) {
        memset(&w, 0, sizeof w);
        w.seed = seed;
        rng_seed(&w.rng, seed);
        w.first = 1;
        follower_init(&w.f, "risk", 0, 0);
        come_back();
        for (int round = 0; round < ROUNDS; round++) {
            for (int i = 0; i < STEPS; i++)
                step();
            settle();
        }
        ck_assert_uint_gt(w.f.applied, 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("follower_property");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 120);
    tcase_add_loop_test(all, each_position_is_applied_once_in_order_and_durable_is_what_the_owners_disk_has,
                        0, 10);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
