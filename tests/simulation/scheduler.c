/* Who goes on next, what goes wrong next, and who is started again. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/simulation/services.h"
#include "tests/simulation/simulation.h"

struct world world;

enum { STEPS_TO_SETTLE = 50 }; /* for each until faults end */

/* ---- chance ---------------------------------------------------------------------------------------------------- */

uint64_t draw(uint64_t n)
{
    return rng_below(&world.rng, n);
}

bool chance(int permille)
{
    return draw(1000) < (uint64_t)permille;
}

/* Mostly near the mean, at times many times it: a queue's waiting. Whole numbers only, so that it is the same on every
 * machine. */
int64_t draw_around(int64_t mean_ns)
{
    int64_t ns = (int64_t)draw((uint64_t)mean_ns + 1);
    for (int doubled = 0; doubled < 6 && draw(4) == 0; doubled++)
        ns *= 2;
    return ns;
}

enum fault {
    FAULT_KILL,
    FAULT_KILL_IN_GAP,
    FAULT_PAUSE,
    FAULT_PAUSE_PAST_LEASE,
    FAULT_PAUSE_IN_GAP,
    FAULT_CUT,
    FAULT_SLOW,
    FAULT_CLOCK,
    FAULT_DISK_FULL,
    FAULT_DISK_SLOW,
    FAULT_DISK_WRITE,
    FAULT_DISK_SYNC,
    FAULT_STORE_AWAY,
    FAULT_STORE_ANSWER,
    FAULT_STORE_ROW,
    FAULT_SECOND_RECORDER,
    FAULT_HALT,
    FAULT_STRAY_INTENT,
    FAULT_DISK_TEAR,
    FAULT_SNAPSHOT,
    FAULT_BOOKS,
    FAULT_VENUE,
    FAULT_FEED,
    FAULT_MARKET,
    FAULT_POWER,
    FAULT_OWNER_POWER,
    FAULTS
};

static const char *const fault_names[FAULTS] = {"kill",
                                                "kill in a gap",
                                                "pause",
                                                "pause past the lease",
                                                "pause in a gap",
                                                "connection cut",
                                                "connection slow",
                                                "clock jumps",
                                                "disk full",
                                                "disk slow",
                                                "write fails",
                                                "sync fails",
                                                "store away",
                                                "commit's word lost",
                                                "row refused",
                                                "second recorder",
                                                "halt",
                                                "stray intent",
                                                "torn write",
                                                "snapshot spoiled",
                                                "books spoiled",
                                                "venue down",
                                                "feed",
                                                "market disturbed",
                                                "power lost",
                                                "an owner's power lost"};

void knobs_draw(void)
{
    static const int usual[FAULTS] = {[FAULT_KILL] = 6,         [FAULT_KILL_IN_GAP] = 10,
                                      [FAULT_PAUSE] = 4,        [FAULT_PAUSE_PAST_LEASE] = 3,
                                      [FAULT_PAUSE_IN_GAP] = 5, [FAULT_CUT] = 5,
                                      [FAULT_SLOW] = 4,         [FAULT_CLOCK] = 1,
                                      [FAULT_DISK_FULL] = 2,    [FAULT_DISK_SLOW] = 2,
                                      [FAULT_DISK_WRITE] = 1,   [FAULT_DISK_SYNC] = 1,
                                      [FAULT_STORE_AWAY] = 2,   [FAULT_STORE_ANSWER] = 3,
                                      [FAULT_STORE_ROW] = 1,    [FAULT_SECOND_RECORDER] = 1,
                                      [FAULT_HALT] = 4,         [FAULT_STRAY_INTENT] = 8,
                                      [FAULT_DISK_TEAR] = 2,    [FAULT_SNAPSHOT] = 2,
                                      [FAULT_BOOKS] = 8,        [FAULT_VENUE] = 2,
                                      [FAULT_FEED] = 2,         [FAULT_MARKET] = 5};
    struct knobs *k = &world.knobs;
    const bool power = world.mode == MODE_POWER;
    k->workers = 1 + (int)draw(WORKERS_MOST);
    k->symbols = 2 + (int)draw(3);
    k->fault_every_ns = (20 + (int64_t)draw(400)) * NS_PER_MS;
    k->gap_kill_permyriad = chance(300) ? (int)draw(20) : 0;
    k->gap_pause_permyriad = chance(500) ? (int)draw(300) : 0;
    k->replay_kill = chance(300);
    k->marks_divisor = chance(400) ? 1 << (4 + draw(8)) : 1;
    k->segment_bytes = chance(700) ? 8192u << draw(5) : 1u << 20;
    static const int64_t rhythms[] = {0, 5 * NS_PER_MS, 20 * NS_PER_MS, 100 * NS_PER_MS, 300 * NS_PER_MS};
    k->risk_sync_ns = rhythms[draw(5)];
    k->exec_sync_ns = rhythms[draw(5)];
    k->delay_ns = (10 + (int64_t)draw(200)) * NS_PER_US;
    k->wakeup_ns = (5 + (int64_t)draw(100)) * NS_PER_US;
    k->max_age_ns = chance(500) ? 3 * NS_PER_SEC : (50 + (int64_t)draw(400)) * NS_PER_MS;
    k->max_market_age_ns = chance(500) ? 30 * NS_PER_SEC : (50 + (int64_t)draw(400)) * NS_PER_MS;
    k->silence_ns = chance(400) ? 30 * NS_PER_SEC : (100 + (int64_t)draw(400)) * NS_PER_MS;
    k->best_permille = chance(600) ? (int)draw(400) : 0;
    /* Each seed leaves some kinds out, so that none hides another. */
    k->reports_fail = chance(300);
    k->snapshot_every = chance(400) ? 10 + (int)draw(50) : 100 + (int)draw(400);
    k->snapshot_kill = chance(300) ? 50 + (int)draw(300) : 0;
    for (int i = 0; i < FAULTS; i++)
        k->fault_weight[i] = chance(600) ? usual[i] * (1 + (int)draw(3)) : 0;
    if (power) {
        k->fault_weight[FAULT_POWER] = chance(700) ? 12 : 0;
        k->fault_weight[FAULT_OWNER_POWER] = chance(700) ? 12 : 0;
    }
}

/* ---- faults ---------------------------------------------------------------------------------------------------- */

static struct process *any_process(void)
{
    struct process *p = &processes[draw((uint64_t)n_processes)];
    return p->up && p->wanted && strcmp(p->name, "operator") != 0 ? p : NULL;
}

static void pause_process(int64_t for_ns)
{
    struct process *p = any_process();
    if (!p)
        return;
    TRACE("%s is stopped", p->name);
    p->paused_until_ns = world.mono_ns + for_ns;
}

static void jump_clock(void)
{
    static const int64_t jumps[] = {NS_PER_SEC, 60 * NS_PER_SEC, 3600 * NS_PER_SEC, 40 * NS_PER_MS};
    const int64_t by = jumps[draw(4)] * (chance(500) ? 1 : -1);
    world.utc_offset_ns += by;
    TRACE("UTC jumps by %" PRId64 " ms", by / NS_PER_MS);
}

void power_lost(void)
{
    TRACE("the power is lost");
    const int64_t back_ns = world.mono_ns + draw_around(200 * NS_PER_MS);
    for (int i = 0; i < n_processes; i++) {
        struct process *p = &processes[i];
        if (p->up && strcmp(p->name, "operator") != 0)
            process_kill(p);
        if (p->restart_ns < back_ns)
            p->restart_ns = back_ns;
    }
    world.boots++;
    disk_power_lost(-1);
}

/* Only of what risk or exec runs on, as if that were a host of its own: who follows it lives on, and has heard more
 * than is left. */
static void power_lost_of_an_owner(void)
{
    struct process *p = process_named(chance(500) ? "risk" : "exec");
    if (p->up)
        process_kill(p);
    TRACE("the power of %s is lost", p->name);
    disk_power_lost(stream_of(p->name));
}

static void second_recorder(void)
{
    struct process *p = process_named("recorder-2");
    if (p->up)
        process_kill(p);
    else
        process_start(p);
}

static void kill_in_gap(void)
{
    struct process *p = any_process();
    if (p)
        p->kill_in_gaps = 1 + (int)draw(60);
}

static void pause_in_gap(void)
{
    struct process *p = any_process();
    if (p)
        p->pause_in_gaps = 1 + (int)draw(20);
}

static void kill_now(void)
{
    struct process *p = any_process();
    if (p)
        process_kill(p);
}

/* Killed, or stopped for longer than its beats may be late. */
static void feed_away(void)
{
    struct process *p = process_named("feed");
    if (!p->up)
        return;
    if (chance(500))
        process_kill(p);
    else
        p->paused_until_ns = world.mono_ns + draw_around(BEAT_LATE_NS * 2);
}

/* What befalls disks and the database. */
static void inject_on_device(enum fault fault)
{
    switch (fault) {
    case FAULT_DISK_FULL:
        disk_fill(draw_around(300 * NS_PER_MS));
        return;
    case FAULT_DISK_SLOW:
        disk_slow(draw_around(300 * NS_PER_MS));
        return;
    case FAULT_DISK_WRITE:
    case FAULT_DISK_SYNC:
        disk_break(fault == FAULT_DISK_SYNC);
        return;
    case FAULT_STORE_AWAY:
        database_away(draw_around(NS_PER_SEC));
        return;
    case FAULT_STORE_ANSWER:
        database_answer_lost();
        return;
    case FAULT_STORE_ROW:
        database_refuse();
        return;
    case FAULT_DISK_TEAR:
        disk_tear();
        return;
    case FAULT_SNAPSHOT:
        disk_spoil_snapshot();
        return;
    default:
        return;
    }
}

/* What befalls processes, connections and the market; the rest befalls what they keep things on. */
static void inject(enum fault fault)
{
    TRACE("fault: %s", fault_names[fault]);
    switch (fault) {
    case FAULT_KILL:
        kill_now();
        return;
    case FAULT_KILL_IN_GAP:
        kill_in_gap();
        return;
    case FAULT_PAUSE:
        pause_process(draw_around(20 * NS_PER_MS));
        return;
    case FAULT_PAUSE_PAST_LEASE:
        pause_process(400 * NS_PER_MS + draw_around(600 * NS_PER_MS));
        return;
    case FAULT_PAUSE_IN_GAP:
        pause_in_gap();
        return;
    case FAULT_CUT:
        network_cut(draw_around(300 * NS_PER_MS));
        return;
    case FAULT_SLOW:
        network_slow(draw_around(800 * NS_PER_MS),
                     draw_around(chance(500) ? 20 * NS_PER_MS : 600 * NS_PER_MS));
        return;
    case FAULT_CLOCK:
        jump_clock();
        return;
    case FAULT_SECOND_RECORDER:
        second_recorder();
        return;
    case FAULT_HALT:
        operator_halts();
        return;
    case FAULT_STRAY_INTENT:
        stray_intent();
        return;
    case FAULT_BOOKS:
        market_spoil(draw_around(400 * NS_PER_MS));
        return;
    case FAULT_VENUE:
        market_venue_down(draw_around(1500 * NS_PER_MS));
        return;
    case FAULT_FEED:
        feed_away();
        return;
    case FAULT_MARKET:
        market_disturb(draw_around(700 * NS_PER_MS));
        return;
    case FAULT_POWER:
        power_lost();
        return;
    case FAULT_OWNER_POWER:
        power_lost_of_an_owner();
        return;
    default:
        inject_on_device(fault);
        return;
    }
}

static void inject_any(void)
{
    uint64_t sum = 0;
    for (int i = 0; i < FAULTS; i++)
        sum += (uint64_t)world.knobs.fault_weight[i];
    uint64_t at = sum ? draw(sum) : 0;
    for (int i = 0; i < FAULTS; i++) {
        if (at < (uint64_t)world.knobs.fault_weight[i]) {
            inject((enum fault)i);
            return;
        }
        at -= (uint64_t)world.knobs.fault_weight[i];
    }
}

static void heal(void)
{
    TRACE("from here on nothing goes wrong");
    world.quiet = true;
    network_heal();
    market_heal();
    disk_heal();
    database_heal();
    for (int i = 0; i < n_processes; i++) {
        struct process *p = &processes[i];
        p->kill_in_gaps = p->pause_in_gaps = 0;
        if (p->restart_ns > world.mono_ns)
            p->restart_ns = world.mono_ns;
        if (p->paused_until_ns > world.mono_ns)
            p->paused_until_ns = world.mono_ns;
        if (p->up && strcmp(p->name, "recorder-2") == 0)
            process_kill(p);
        /* After a failed sync a service asks to be started anew: somebody does it. */
        if (p->up && disk_sync_broke(p->name))
            process_kill(p);
    }
}

/* ---- the run --------------------------------------------------------------------------------------------------- */

static int64_t next_fault_ns;

static void watch_children(void)
{
    for (int i = 0; i < n_processes; i++) {
        struct process *p = &processes[i];
        if (!p->up && p->wanted && p->restart_ns <= world.mono_ns)
            process_start(p);
    }
}

static int64_t next_start_ns(void)
{
    int64_t at = INT64_MAX;
    for (int i = 0; i < n_processes; i++)
        if (!processes[i].up && processes[i].wanted && processes[i].restart_ns < at)
            at = processes[i].restart_ns;
    return at;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void step(void)
{
    int64_t task_ns;
    struct task *task = task_next(&task_ns);
    int64_t at = least(task_ns, least(network_next_ns(), next_start_ns()));
    if (!world.quiet)
        at = least(at, next_fault_ns);
    if (at == INT64_MAX)
        violated("nothing will ever happen again");
    if (at > world.mono_ns)
        world.mono_ns = at;
    network_connect_due();
    watch_children();
    if (!world.quiet && next_fault_ns <= world.mono_ns) {
        inject_any();
        next_fault_ns = world.mono_ns + draw_around(world.knobs.fault_every_ns) + NS_PER_MS;
    } else if (task && task_ns <= world.mono_ns) {
        world.step++;
        task_resume(task);
    }
}

void scheduler_run(void)
{
    next_fault_ns = world.mono_ns + draw_around(500 * NS_PER_MS);
    while (world.step < world.steps)
        step();
    heal();
    while (!operator_is_done()) {
        step();
        if (world.step > STEPS_TO_SETTLE * (world.steps + 1000))
            violated("it comes to no end");
    }
}
