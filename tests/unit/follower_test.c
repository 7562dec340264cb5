/* The follower: each position applied once, in order, or told as lost, whatever the sockets and the owner do.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/rng.h"
#include "lib/runtime/follower.h"

static struct follower f;
static struct message m;
static struct gap gap;

static void setup(void)
{
    follower_init(&f, "risk", 0, 0);
}

static const struct message *record(uint64_t epoch, uint64_t pos)
{
    message_init(&m, MSG_STATE);
    strcpy(m.env.stream, "risk");
    m.env.epoch = epoch;
    m.env.pos = pos;
    return &m;
}

static const struct message *beginning(uint64_t epoch, uint64_t base_epoch, uint64_t base_pos)
{
    record(epoch, base_pos + 1);
    m.env.type = MSG_EPOCH;
    m.epoch.base_epoch = base_epoch;
    m.epoch.base_pos = base_pos;
    return &m;
}

static void beat(uint64_t epoch, uint64_t head_pos, uint64_t synced_pos)
{
    message_init(&m, MSG_BEAT);
    strcpy(m.env.stream, "risk");
    m.env.epoch = epoch;
    m.beat.head_pos = head_pos;
    m.beat.synced_pos = synced_pos;
    follower_on_beat(&f, &m.env, &m.beat);
}

static bool replayed(uint64_t epoch, uint64_t base_pos, uint64_t first_pos, uint64_t head_pos)
{
    const struct replayed r = {
        .epoch = epoch, .base_pos = base_pos, .first_pos = first_pos, .head_pos = head_pos};
    return follower_on_replayed(&f, &r, &gap);
}

/* Up to position `pos` of epoch 1, LIVE. */
static void follow_to(uint64_t pos)
{
    ck_assert_int_eq(follower_on_record(&f, beginning(1, 0, 0)), FOLLOW_APPLY);
    for (uint64_t p = 2; p <= pos; p++)
        ck_assert_int_eq(follower_on_record(&f, record(1, p)), FOLLOW_APPLY);
    ck_assert(!replayed(1, 0, 1, pos));
    ck_assert_int_eq(f.state, FOLLOWER_LIVE);
}

START_TEST(a_repeated_record_is_skipped_and_a_missing_one_asked_for)
{
    struct replay ask;
    const struct now t0 = {.mono_ns = 1000}, t1 = {.mono_ns = 1099}, t2 = {.mono_ns = 1100};
    follow_to(3);
    ck_assert(follower_current(&f));
    ck_assert(!follower_wants(&f, t0, 100, 10, &ask));
    ck_assert_int_eq(follower_on_record(&f, record(1, 3)), FOLLOW_SKIP);
    ck_assert_int_eq(follower_on_record(&f, record(1, 5)), FOLLOW_HOLE);
    ck_assert(!follower_current(&f));
    ck_assert(follower_wants(&f, t0, 100, 10, &ask));
    ck_assert_uint_eq(ask.epoch, 1);
    ck_assert_uint_eq(ask.next_pos, 4);
    ck_assert_uint_eq(ask.credit, 10);
    ck_assert(!follower_wants(&f, t1, 100, 10, &ask));
    ck_assert(follower_wants(&f, t2, 100, 10, &ask));
    ck_assert_int_eq(follower_on_record(&f, record(1, 4)), FOLLOW_APPLY);
    ck_assert_int_eq(follower_on_record(&f, record(1, 5)), FOLLOW_APPLY);
    ck_assert_int_eq(f.state, FOLLOWER_CATCHING_UP);
    ck_assert(!replayed(1, 0, 1, 5));
    ck_assert(follower_current(&f));
    ck_assert_uint_eq(f.holes, 1);
}
END_TEST

START_TEST(other_streams_and_older_epochs_are_foreign)
{
    follow_to(3);
    ck_assert_int_eq(follower_on_record(&f, beginning(2, 1, 3)), FOLLOW_APPLY);
    ck_assert_int_eq(follower_on_record(&f, record(1, 5)), FOLLOW_FOREIGN);
    record(2, 5);
    strcpy(m.env.stream, "exec");
    ck_assert_int_eq(follower_on_record(&f, &m), FOLLOW_FOREIGN);
    ck_assert_uint_eq(f.next_pos, 5);
}
END_TEST

START_TEST(a_dead_lifes_word_past_the_base_of_the_present_one_is_foreign)
{
    follow_to(3);
    ck_assert(!replayed(2, 4, 1, 9));
    ck_assert_int_eq(follower_on_record(&f, record(1, 5)), FOLLOW_FOREIGN);
    ck_assert_int_eq(follower_on_record(&f, record(1, 4)), FOLLOW_APPLY);
    ck_assert_int_eq(follower_on_record(&f, record(1, 5)), FOLLOW_FOREIGN);
}
END_TEST

START_TEST(what_the_owners_history_never_had_is_rolled_back_as_far_as_it_is_not_on_disk)
{
    follow_to(3);
    beat(1, 3, 2);
    ck_assert_int_eq(follower_on_record(&f, beginning(7, 1, 3)), FOLLOW_APPLY);
    ck_assert_int_eq(follower_on_record(&f, record(7, 5)), FOLLOW_APPLY);
    beat(8, 21, 0);
    ck_assert(!replayed(8, 20, 1, 21)); /* of a journal that was put in the place of ours */
    ck_assert_int_eq(follower_on_record(&f, record(5, 6)), FOLLOW_ROLLBACK);
    ck_assert_uint_eq(f.rollback_pos, 2);
    ck_assert_int_eq(follower_on_record(&f, record(5, 6)), FOLLOW_HOLE);
    for (uint64_t p = 3; p <= 20; p++)
        ck_assert_int_eq(follower_on_record(&f, record(5, p)), FOLLOW_APPLY);
    ck_assert_int_eq(follower_on_record(&f, beginning(8, 5, 20)), FOLLOW_APPLY);
}
END_TEST

START_TEST(a_beat_shows_a_hole_at_the_tail_and_what_is_synced)
{
    follow_to(3);
    beat(1, 3, 2);
    ck_assert(follower_current(&f));
    ck_assert_uint_eq(f.synced_pos, 2);
    beat(1, 4, 4);
    ck_assert_int_eq(f.state, FOLLOWER_CATCHING_UP);
}
END_TEST

START_TEST(a_new_life_above_what_was_applied_is_no_rollback)
{
    follow_to(3);
    ck_assert_int_eq(follower_on_record(&f, beginning(7, 1, 4)), FOLLOW_HOLE);
    ck_assert_int_eq(follower_on_record(&f, record(1, 4)), FOLLOW_APPLY);
    ck_assert_int_eq(follower_on_record(&f, beginning(7, 1, 4)), FOLLOW_APPLY);
    ck_assert_uint_eq(f.epoch, 7);
    ck_assert_uint_eq(f.rollbacks, 0);
}
END_TEST

START_TEST(a_new_life_below_what_was_applied_rolls_back)
{
    follow_to(5);
    ck_assert_int_eq(follower_on_record(&f, beginning(2, 1, 3)), FOLLOW_ROLLBACK);
    ck_assert_uint_eq(f.rollback_pos, 3);
    ck_assert_uint_eq(f.rollback_epoch, 1);
    ck_assert_uint_eq(f.next_pos, 6);
    ck_assert(!follower_current(&f));
    if (_i == 1)
        follower_init(&f, "risk", f.rollback_epoch, f.rollback_pos);
    ck_assert_int_eq(follower_on_record(&f, beginning(2, 1, 3)), FOLLOW_APPLY);
    ck_assert_uint_eq(f.next_pos, 5);
}
END_TEST

START_TEST(a_missed_beginning_is_looked_for_and_found)
{
    struct replay ask;
    const struct now now = {.mono_ns = 1000};
    follow_to(5);
    beat(2, 4, 4); /* base was 3 */
    ck_assert(follower_wants(&f, now, 100, 10, &ask));
    ck_assert_uint_eq(ask.next_pos, 6);
    ck_assert(!replayed(2, 3, 1, 4));
    ck_assert(follower_wants(&f, now, 100, 10, &ask));
    ck_assert_uint_eq(ask.next_pos, 4);
    ck_assert_int_eq(follower_on_record(&f, beginning(2, 1, 3)), FOLLOW_ROLLBACK);
}
END_TEST

START_TEST(two_lives_with_the_same_base_do_not_hide_the_rollback_between)
{
    struct replay ask;
    const struct now now = {.mono_ns = 1000};
    follow_to(5);
    /* epoch 2 began at 4 and went to 5; epoch 3 begins at 6: in place, but its base is not what was applied
     */
    ck_assert_int_eq(follower_on_record(&f, beginning(3, 2, 5)), FOLLOW_HOLE);
    ck_assert(follower_wants(&f, now, 100, 10, &ask));
    ck_assert_uint_eq(ask.next_pos, 5);
    ck_assert_int_eq(follower_on_record(&f, record(2, 5)), FOLLOW_HOLE);
    ck_assert(follower_wants(&f, now, 100, 10, &ask));
    ck_assert_uint_eq(ask.next_pos, 3);
    ck_assert_int_eq(follower_on_record(&f, record(1, 3)), FOLLOW_SKIP);
    ck_assert_int_eq(follower_on_record(&f, beginning(2, 1, 3)), FOLLOW_ROLLBACK);
    ck_assert_uint_eq(f.rollback_pos, 3);
}
END_TEST

START_TEST(a_beginning_whose_base_is_of_an_unknown_life_is_not_where_histories_part)
{
    struct replay ask;
    const struct now now = {.mono_ns = 1000};
    follow_to(5);
    ck_assert_int_eq(follower_on_record(&f, beginning(3, 2, 4)), FOLLOW_HOLE);
    ck_assert(follower_wants(&f, now, 100, 10, &ask));
    ck_assert_uint_eq(ask.next_pos, 4);
    ck_assert_int_eq(follower_on_record(&f, beginning(2, 1, 3)), FOLLOW_ROLLBACK);
}
END_TEST

START_TEST(a_gap_covers_what_was_held_and_cannot_be_compared_any_more)
{
    follow_to(5);
    beat(1, 5, 2);
    ck_assert(replayed(2, 3, 10, 20));
    ck_assert_uint_eq(gap.from_pos, 3);
    ck_assert_uint_eq(gap.to_pos, 9);
    ck_assert_int_eq(follower_on_record(&f, record(2, 10)), FOLLOW_APPLY);
}
END_TEST

START_TEST(what_a_new_life_has_on_disk_says_nothing_of_the_old_ones_tail)
{
    follow_to(5);
    beat(1, 5, 3);
    ck_assert_uint_eq(f.synced_pos, 3);
    beat(2, 9, 9); /* base was 3: our 4 and 5 are not what it has on disk */
    ck_assert_uint_eq(f.synced_pos, 3);
    ck_assert(!replayed(2, 3, 1, 9));
    ck_assert_uint_eq(f.synced_pos, 3);
    ck_assert_int_eq(follower_on_record(&f, beginning(2, 1, 3)), FOLLOW_ROLLBACK);
    ck_assert_int_eq(follower_on_record(&f, beginning(2, 1, 3)), FOLLOW_APPLY);
    ck_assert_uint_eq(f.synced_pos, 9);
}
END_TEST

START_TEST(far_behind_a_new_life_what_its_answers_bring_may_be_kept)
{
    struct replay ask;
    const struct now now = {.mono_ns = 1000};
    follow_to(2);
    beat(9, 100, 80);
    ck_assert(follower_wants(&f, now, 100, 2, &ask));
    ck_assert_int_eq(follower_on_record(&f, record(1, 3)), FOLLOW_APPLY);
    ck_assert_uint_eq(f.synced_pos, 0);
    ck_assert(!replayed(9, 50, 1, 100));
    ck_assert_int_eq(follower_on_record(&f, record(1, 4)), FOLLOW_APPLY);
    ck_assert_uint_eq(f.synced_pos, 4);
}
END_TEST

START_TEST(what_the_journal_no_longer_has_becomes_a_gap)
{
    follow_to(5);
    ck_assert_int_eq(follower_on_record(&f, record(1, 20)), FOLLOW_HOLE);
    ck_assert(replayed(1, 0, 10, 20));
    ck_assert_str_eq(gap.stream_lost, "risk");
    ck_assert_str_eq(gap.cause, "retention");
    ck_assert_uint_eq(gap.from_epoch, 1);
    ck_assert_uint_eq(gap.from_pos, 6);
    ck_assert_uint_eq(gap.to_pos, 9);
    ck_assert_uint_eq(f.lost, 4);
    ck_assert(!follower_current(&f));
    ck_assert_int_eq(follower_on_record(&f, record(1, 10)), FOLLOW_APPLY);
}
END_TEST

START_TEST(an_answer_with_nothing_new_is_not_asked_for_again_at_once)
{
    struct replay ask;
    const struct now t0 = {.mono_ns = 1000}, t1 = {.mono_ns = 1100};
    follow_to(5);
    beat(1, 9, 9);
    ck_assert(follower_wants(&f, t0, 100, 10, &ask));
    ck_assert(!replayed(1, 0, 1, 9));
    ck_assert(!follower_wants(&f, t0, 100, 10, &ask));
    ck_assert(follower_wants(&f, t1, 100, 10, &ask));
}
END_TEST

/* ---- the model: an owner with lives, sockets with faults --------------------------------------------------
 */

enum { POS_MAX = 4000, FLIGHT_MAX = 4096 };

struct entry {
    uint64_t epoch, base_epoch;
    bool begins;
};

enum kind { RECORD, BEAT, ANSWER_END };

struct flight {
    enum kind kind;
    struct entry entry;
    uint64_t pos;
    struct replayed end;
};

static struct world {
    struct rng rng;
    struct entry truth[POS_MAX]; /* the owner's journal; [0] is before the first */
    uint64_t head, first, synced, epoch, base;
    struct flight flights[FLIGHT_MAX];
    int n_flights;
    bool faults;
    bool misled; /* a dead life's record was applied after its successor had answered: durability is then off
                  */
    struct entry held[POS_MAX]; /* what the user of the follower has */
    bool lost[POS_MAX];
    uint64_t held_to;
    struct now now;
} w;

static bool chance(uint64_t percent)
{
    return rng_below(&w.rng, 100) < percent;
}

static void fly(struct flight flight)
{
    if (w.faults && chance(15))
        return;
    for (int copies = w.faults && chance(10) ? 2 : 1; copies > 0 && w.n_flights < FLIGHT_MAX; copies--)
        w.flights[w.n_flights++] = flight;
}

static void owner_publish(struct entry entry)
{
    if (w.head + 1 >= POS_MAX)
        return;
    w.truth[++w.head] = entry;
    fly((struct flight){.kind = RECORD, .entry = entry, .pos = w.head});
}

static void owner_beat(void)
{
    fly((struct flight){.kind = BEAT, .end = {.epoch = w.epoch, .head_pos = w.head, .synced_pos = w.synced}});
}

static void owner_restart(void)
{
    w.head -= rng_below(&w.rng, w.head - w.synced + 1);
    w.base = w.head;
    w.epoch += 1 + rng_below(&w.rng, 3);
    owner_publish((struct entry){.epoch = w.epoch, .base_epoch = w.truth[w.head].epoch, .begins = true});
}

static void owner_answer(const struct replay *ask)
{
    const uint64_t first = w.head == 0 ? 0 : w.first;
    uint64_t pos = ask->next_pos < first ? first : ask->next_pos;
    uint32_t most = w.faults && chance(30) ? (uint32_t)rng_below(&w.rng, ask->credit) : ask->credit;
    for (; w.head > 0 && pos <= w.head && most > 0; pos++, most--)
        fly((struct flight){.kind = RECORD, .entry = w.truth[pos], .pos = pos});
    fly((struct flight){.kind = ANSWER_END,
                        .end = {.epoch = w.epoch,
                                .base_pos = w.base,
                                .first_pos = first,
                                .head_pos = w.head,
                                .synced_pos = w.synced}});
}

static void drop_past(uint64_t pos)
{
    for (uint64_t p = pos + 1; p <= w.held_to; p++) {
        w.held[p] = (struct entry){0};
        w.lost[p] = false;
    }
    w.held_to = pos;
}

static void user_takes(const struct flight *flight)
{
    const struct entry *e = &flight->entry;
    for (int again = 0; again < 2; again++) {
        if (e->begins)
            beginning(e->epoch, e->base_epoch, flight->pos - 1);
        else
            record(e->epoch, flight->pos);
        const uint64_t synced = f.synced_pos;
        const enum follower_verdict verdict = follower_on_record(&f, &m);
        if (verdict == FOLLOW_APPLY) {
            ck_assert_uint_eq(flight->pos, w.held_to + 1);
            w.held[++w.held_to] = *e;
            if (flight->pos > w.head || w.truth[flight->pos].epoch != e->epoch)
                w.misled = true;
        }
        if (verdict != FOLLOW_ROLLBACK)
            return;
        ck_assert_uint_lt(f.rollback_pos, w.held_to);
        ck_assert_uint_eq(f.next_pos, w.held_to + 1);
        if (e->begins && e->base_epoch == f.rollback_epoch && !w.misled)
            ck_assert_uint_ge(f.rollback_pos, synced < w.held_to ? synced : 0);
        drop_past(f.rollback_pos);
        if (chance(30))
            follower_init(&f, "risk", f.rollback_epoch, f.rollback_pos);
    }
}

static void deliver(int index)
{
    const struct flight flight = w.flights[index];
    w.n_flights--;
    memmove(w.flights + index, w.flights + index + 1, (size_t)(w.n_flights - index) * sizeof flight);
    if (flight.kind == RECORD) {
        user_takes(&flight);
    } else if (flight.kind == BEAT) {
        beat(flight.end.epoch, flight.end.head_pos, flight.end.synced_pos);
    } else if (follower_on_replayed(&f, &flight.end, &gap)) {
        ck_assert_uint_le(gap.from_pos, w.held_to + 1);
        drop_past(gap.from_pos - 1);
        for (uint64_t p = gap.from_pos; p <= gap.to_pos; p++)
            w.lost[p] = true;
        w.held_to = gap.to_pos;
    }
    ck_assert(f.rolling_back || f.next_pos == w.held_to + 1);
}

static void follower_turn(void)
{
    struct replay ask;
    w.now.mono_ns += 10;
    if (follower_wants(&f, w.now, 100, 1 + (uint32_t)rng_below(&w.rng, 40), &ask) &&
        !(w.faults && chance(10)))
        owner_answer(&ask);
}

static void random_step(void)
{
    const uint64_t dice = rng_below(&w.rng, 1000);
    if (dice < 300)
        owner_publish((struct entry){.epoch = w.epoch});
    else if (dice < 350)
        owner_beat();
    else if (dice < 370)
        owner_restart();
    else if (dice < 450)
        w.synced += rng_below(&w.rng, w.head - w.synced + 1);
    else if (dice < 460)
        w.first +=
            rng_below(&w.rng, (w.synced < w.held_to || chance(10) ? w.synced : w.held_to) + 1 > w.first
                                  ? (w.synced < w.held_to || chance(10) ? w.synced : w.held_to) + 1 - w.first
                                  : 1);
    else if (dice < 500)
        follower_turn();
    else if (w.n_flights > 0) /* mostly in order, at times late */
        deliver(chance(80) ? 0 : (int)rng_below(&w.rng, (uint64_t)w.n_flights));
    if (w.first > w.synced + 1)
        w.first = w.synced + 1;
}

/* Without faults the follower must come level, and then hold the truth or know what it lost. */
static void settle(uint64_t seed)
{
    w.faults = false;
    int steps = 0;
    do {
        while (w.n_flights > 0)
            deliver(0);
        owner_beat();
        while (w.n_flights > 0)
            deliver(0);
        for (int i = 0; i < 12; i++)
            follower_turn();
        ck_assert_msg(++steps < 2000, "seed %lu: stuck at %lu of %lu", seed, f.next_pos, w.head);
    } while (!follower_current(&f) || w.n_flights > 0);
    ck_assert_uint_eq(w.held_to, w.head);
    for (uint64_t p = w.first; p <= w.head; p++) {
        ck_assert_msg(w.lost[p] || w.held[p].epoch == w.truth[p].epoch,
                      "seed %lu: position %lu is %lu, not %lu", seed, p, w.held[p].epoch, w.truth[p].epoch);
    }
    w.faults = true;
    w.misled = false;
}

enum { SEEDS_EACH = 30 };

static void live_through(uint64_t seed)
{
    setup();
    memset(&w, 0, sizeof w);
    rng_seed(&w.rng, seed);
    w.first = 1;
    w.faults = true;
    owner_restart();
    for (int round = 0; round < 6; round++) {
        for (int i = 0; i < 800; i++)
            random_step();
        settle(seed);
    }
    ck_assert_uint_gt(f.applied, 0);
}

/* Many in one process: the start and end of a sanitized one take longer than a seed. */
START_TEST(every_position_is_applied_once_in_order_or_told_as_lost)
{
    for (uint64_t seed = (uint64_t)_i * SEEDS_EACH; seed < (uint64_t)(_i + 1) * SEEDS_EACH; seed++)
        live_through(seed);
}
END_TEST

int main(void)
{
    TCase *promises = tcase_create("follower");
    tcase_add_checked_fixture(promises, setup, NULL);
    tcase_set_timeout(promises, 60);
    tcase_add_test(promises, a_repeated_record_is_skipped_and_a_missing_one_asked_for);
    tcase_add_test(promises, other_streams_and_older_epochs_are_foreign);
    tcase_add_test(promises, a_dead_lifes_word_past_the_base_of_the_present_one_is_foreign);
    tcase_add_test(promises, what_the_owners_history_never_had_is_rolled_back_as_far_as_it_is_not_on_disk);
    tcase_add_test(promises, a_beat_shows_a_hole_at_the_tail_and_what_is_synced);
    tcase_add_test(promises, a_new_life_above_what_was_applied_is_no_rollback);
    tcase_add_loop_test(promises, a_new_life_below_what_was_applied_rolls_back, 0, 2);
    tcase_add_test(promises, a_missed_beginning_is_looked_for_and_found);
    tcase_add_test(promises, two_lives_with_the_same_base_do_not_hide_the_rollback_between);
    tcase_add_test(promises, a_beginning_whose_base_is_of_an_unknown_life_is_not_where_histories_part);
    tcase_add_test(promises, a_gap_covers_what_was_held_and_cannot_be_compared_any_more);
    tcase_add_test(promises, what_a_new_life_has_on_disk_says_nothing_of_the_old_ones_tail);
    tcase_add_test(promises, far_behind_a_new_life_what_its_answers_bring_may_be_kept);
    tcase_add_test(promises, what_the_journal_no_longer_has_becomes_a_gap);
    tcase_add_test(promises, an_answer_with_nothing_new_is_not_asked_for_again_at_once);
    tcase_add_loop_test(promises, every_position_is_applied_once_in_order_or_told_as_lost, 0,
                        300 / SEEDS_EACH);
    Suite *suite = suite_create("follower");
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
