/* The one who sits before the pipeline: halts and resumes while all goes wrong, and at the end stops it in the design's
 * order, as `sluice run` does. */
#include <inttypes.h>
#include <string.h>

#include "lib/base/text.h"
#include "lib/runtime/sockets.h"
#include "tests/simulation/services.h"
#include "tests/simulation/simulation.h"

#define TRADES_ON_NS NS_PER_SEC
#define SETTLES_NS   (60 * NS_PER_SEC)
#define LEASE_NS     (400 * NS_PER_MS) /* as in the config */
#define ASK_NS       (500 * NS_PER_MS)

static bool halt_wanted, done;
static enum control_verb told; /* VERB_HALT or VERB_REDUCE: done by risk's word, and not taken back */
static void *sockets_to[PROCESSES_MAX];
static struct inbox inbox;
static struct decoder *decoder;
static struct drops drops;
static uint64_t last_id;
static struct message message;

void operator_halts(void)
{
    halt_wanted = true;
}

bool operator_has_halted(bool entry)
{
    return told == VERB_HALT || (told == VERB_REDUCE && entry);
}

bool operator_is_done(void)
{
    return done;
}

static void ask(struct process *p, enum control_verb verb)
{
    unsigned char bytes[512];
    message_init(&message, MSG_REQUEST);
    (void)text_set(message.env.stream, sizeof message.env.stream, "control");
    message.request.id = ++last_id;
    message.request.verb = verb;
    const size_t len = codec_encode(&message, bytes, sizeof bytes);
    (void)socket_send(sockets_to[p->number], bytes, len, false);
}

/* Sends a request until it is answered; false: not answered in time. */
static bool tell(struct process *p, enum control_verb verb, int64_t for_ns, struct reply *reply)
{
    const int64_t until = world.mono_ns + for_ns;
    while (world.mono_ns < until && p->up) {
        ask(p, verb);
        for (int64_t asked = world.mono_ns; world.mono_ns < asked + ASK_NS && p->up;
             task_sleep(2 * NS_PER_MS)) {
            while (inbox_take(&inbox, sockets_to[p->number]) == OK) {
                const bool read = codec_decode(decoder, inbox.bytes, inbox.len, &message, &drops);
                inbox_skip(&inbox, sockets_to[p->number]);
                if (read && message.env.type == MSG_REPLY && message.reply.id == last_id) {
                    *reply = message.reply;
                    return true;
                }
            }
        }
    }
    return false;
}

static bool tell_named(const char *name, enum control_verb verb, int64_t for_ns)
{
    struct reply reply;
    return tell(process_named(name), verb, for_ns, &reply) && reply.code == CONTROL_DONE;
}

/* Who has died just now is started anew: tells it then. */
static bool insist(const char *name, enum control_verb verb, int64_t for_ns)
{
    const int64_t until = world.mono_ns + for_ns;
    while (!tell_named(name, verb, until - world.mono_ns)) {
        task_sleep(20 * NS_PER_MS);
        if (world.mono_ns >= until)
            return false;
    }
    return true;
}

static bool resume(int64_t for_ns)
{
    told = VERB_STATUS;
    return tell_named("risk", VERB_RESUME, for_ns);
}

static void halt_and_resume(void)
{
    const enum control_verb verb = chance(500) ? VERB_HALT : VERB_REDUCE;
    halt_wanted = false;
    TRACE("halts");
    told = VERB_STATUS;
    if (tell_named("risk", verb, NS_PER_SEC))
        told = verb;
    task_sleep(draw_around(chance(300) ? NS_PER_SEC : 300 * NS_PER_MS));
    struct process *risk = process_named("risk");
    if (chance(500) && risk->up && !world.quiet) { /* it comes back as closed as it was */
        process_kill(risk);
        task_sleep(draw_around(300 * NS_PER_MS));
    }
    resume(NS_PER_SEC);
}

/* It knows of nothing in the ledgers it follows that it has not read. */
static bool is_current(const char *name)
{
    struct reply reply;
    if (!tell(process_named(name), VERB_STATUS, ASK_NS, &reply))
        return false;
    for (uint32_t i = 0; i < reply.n_metrics; i++)
        if (strcmp(reply.metrics[i].name, "current") == 0)
            return reply.metrics[i].value == 1;
    violated("%s does not say whether it is current", name);
}

/* Twice, with a beat of either ledger in between: what was said last may still have been under way. */
static void wait_until_settled(void)
{
    const int64_t until = world.mono_ns + SETTLES_NS;
    int settled = 0;
    for (;;) {
        char words[256] = "risk or exec is not current";
        if (is_current("risk") && is_current("exec") && quiet_settled(words))
            settled++;
        else
            settled = 0;
        if (settled == 2)
            return;
        if (settled == 0 && world.mono_ns > until)
            violated("not settled after %" PRId64 " s: %s", SETTLES_NS / NS_PER_SEC, words);
        task_sleep((settled ? 300 : 20) * NS_PER_MS);
    }
}

static void stop(struct process *p)
{
    struct reply reply;
    while (!p->up) /* it has just ended by itself, to begin anew */
        task_sleep(5 * NS_PER_MS);
    p->wanted = false;
    (void)tell(p, VERB_STOP, 5 * NS_PER_SEC, &reply);
    for (const int64_t until = world.mono_ns + 10 * NS_PER_SEC; p->up; task_sleep(5 * NS_PER_MS))
        if (world.mono_ns > until)
            violated("%s does not stop", p->name);
    if (p->code != 0)
        violated("%s stops with code %d", p->name, p->code);
}

/* Killed, or stopped, while all is well: what it had goes to others in time. Then it comes late, or wakes. */
static void lose_a_worker(void)
{
    char name[24];
    (void)snprintf(name, sizeof name, "strategy-%d", 1 + (int)draw((uint64_t)world.knobs.workers));
    struct process *p = process_named(name);
    const bool dies = chance(500);
    task_sleep(LEASE_NS + NS_PER_SEC); /* those of the faults' time are settled too */
    TRACE("%s is %s", name, dies ? "dead" : "stopped");
    p->wanted = !dies;
    if (dies && p->up)
        process_kill(p);
    p->paused_until_ns = INT64_MAX;
    task_sleep(LEASE_NS + NS_PER_SEC);
    invariants_taken_over(name);
    p->paused_until_ns = world.mono_ns;
    p->wanted = true;
    task_sleep(LEASE_NS);
}

static void stop_strategies(void)
{
    for (int i = 0; i < n_processes; i++)
        if (strncmp(processes[i].name, "strategy", 8) == 0)
            stop(&processes[i]);
}

static void stop_all(void)
{
    static const char *const order[] = {"risk", "exec", "recorder", "feed"};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        stop(process_named(order[i]));
}

/* All books go STALE for good, and what is said of it is lost at first: all know of it in the end. */
static void lose_the_market(void)
{
    task_sleep(draw_around(100 * NS_PER_MS));
    TRACE("the market ends");
    market_end();
    market_lose(draw_around(200 * NS_PER_MS));
    task_sleep(200 * NS_PER_MS); /* the next frames tell of it */
    books_wait(world.mono_ns + 2 * NS_PER_SEC);
}

int operator_main(int argc, char **argv)
{
    char endpoint[ENDPOINT_MAX], error[128];
    (void)argc;
    (void)argv;
    decoder = decoder_new();
    if (!decoder || inbox_open(&inbox) != OK)
        violated("out of memory");
    for (int i = 0; i < n_processes; i++) {
        endpoint_make(processes[i].name, "control", endpoint);
        if (socket_open(NULL, SOCKET_CONTROL_DEALER, endpoint, &sockets_to[i], error, sizeof error) != OK)
            violated("%s", error);
    }
    while (!world.quiet) {
        task_sleep(20 * NS_PER_MS);
        if (halt_wanted)
            halt_and_resume();
    }
    const int64_t healed_ns = world.mono_ns;
    task_sleep(TRADES_ON_NS / 2);
    told = VERB_STATUS;
    if (!insist("risk", VERB_RESUME, 5 * NS_PER_SEC))
        violated("risk does not resume");
    if (world.knobs.workers > 1 && chance(150))
        lose_a_worker();
    task_sleep(TRADES_ON_NS / 2);
    books_wait(healed_ns);
    stop_strategies();
    if (!insist("risk", VERB_DRAIN, 5 * NS_PER_SEC))
        violated("risk does not drain");
    wait_until_settled();
    TRACE("all is settled");
    quiet_check();
    if (chance(400))
        lose_the_market();
    if (chance(300)) {
        stop_all();
        quiet_check();
    }
    done = true;
    for (;;)
        task_sleep(NS_PER_SEC);
}
