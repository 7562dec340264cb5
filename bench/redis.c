/* Redis by its round trips: keys one by one, in a pipeline, by one MGET; fields of books written in a pipeline. Over a unix
 * socket to a server of its own. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure.h"
#include "bench/throwaway.h"
#include "lib/base/clock.h"
#include "lib/base/histogram.h"

#define HELP                                                                                                 \
    "\n"                                                                                                     \
    "Times of a whole step: 10 or 50 keys, values of 200 bytes, read one by one, in a pipeline, and by one " \
    "MGET; 50\n"                                                                                             \
    "hashes of 10 fields written in a pipeline.\n"

enum { KEYS_MAX = 50, VALUE_BYTES = 200, STEPS = 200 };

static redisContext *connection;
static struct measure *measure;
static char value[VALUE_BYTES + 1];

static _Noreturn void fail(const char *words)
{
    (void)fprintf(stderr, "bench_redis: %s\n", words);
    exit(1);
}

struct contest {
    void (*step)(int keys);
    int keys, p99;
};

static void expect(redisReply *reply, int type)
{
    if (!reply || reply->type != type)
        fail(connection->err ? connection->errstr : "an answer of another kind");
    freeReplyObject(reply);
}

static void expect_next(int type)
{
    void *reply = NULL;
    if (redisGetReply(connection, &reply) != REDIS_OK)
        fail(connection->errstr);
    expect(reply, type);
}

/* ---- the steps ----------------------------------------------------------------------------------------- */

static void ping(int keys)
{
    (void)keys;
    expect(redisCommand(connection, "PING"), REDIS_REPLY_STATUS);
}

static void one_by_one(int keys)
{
    for (int i = 0; i < keys; i++)
        expect(redisCommand(connection, "GET book:%d", i), REDIS_REPLY_STRING);
}

static void pipeline(int keys)
{
    for (int i = 0; i < keys; i++)
        if (redisAppendCommand(connection, "GET book:%d", i) != REDIS_OK)
            fail(connection->errstr);
    for (int i = 0; i < keys; i++)
        expect_next(REDIS_REPLY_STRING);
}

static void mget(int keys)
{
    static char names[KEYS_MAX][16];
    const char *argv[KEYS_MAX + 1] = {"MGET"};
    for (int i = 0; i < keys; i++) {
        (void)snprintf(names[i], sizeof names[i], "book:%d", i);
        argv[i + 1] = names[i];
    }
    redisReply *reply = redisCommandArgv(connection, keys + 1, argv, NULL);
    if (reply && reply->type == REDIS_REPLY_ARRAY && reply->elements != (size_t)keys)
        fail("an answer of another length");
    expect(reply, REDIS_REPLY_ARRAY);
}

static void hset(int keys)
{
    for (int i = 0; i < keys; i++) {
        if (redisAppendCommand(
                connection,
                "HSET state:%d bid 61837.63 ask 61837.64 bid_qty 1.5 ask_qty 0.25 seq %d epoch 3 "
                "state LIVE time 1772409600 venue binance symbol BTC-USDT",
                i, i) != REDIS_OK)
            fail(connection->errstr);
    }
    for (int i = 0; i < keys; i++)
        expect_next(REDIS_REPLY_INTEGER);
}

/* ---- the contest --------------------------------------------------------------------------------------- */

static double run(void *ctx)
{
    const struct contest *c = ctx;
    static struct histogram h;
    histogram_reset(&h);
    for (int i = 0; i < STEPS; i++) {
        const int64_t began_ns = clock_mono_ns();
        c->step(c->keys);
        histogram_record(&h, clock_mono_ns() - began_ns);
    }
    measure_note(measure, c->p99, (double)histogram_quantile(&h, 0.99) / 1e3);
    return (double)histogram_quantile(&h, 0.5) / 1e3;
}

static void connect_to(const char *path)
{
    connection = redisConnectUnix(path);
    if (!connection || connection->err)
        fail(connection ? connection->errstr : "out of memory");
    memset(value, '7', VALUE_BYTES);
    for (int i = 0; i < KEYS_MAX; i++)
        expect(redisCommand(connection, "SET book:%d %s", i, value), REDIS_REPLY_STATUS);
}

static const struct {
    const char *name, *p99;
    void (*step)(int keys);
    int keys;
} entries[] = {
    {"PING, p50", "PING, p99", ping, 1},
    {"10 keys one by one, p50", "10 keys one by one, p99", one_by_one, 10},
    {"10 keys in a pipeline, p50", "10 keys in a pipeline, p99", pipeline, 10},
    {"10 keys by MGET, p50", "10 keys by MGET, p99", mget, 10},
    {"50 keys one by one, p50", "50 keys one by one, p99", one_by_one, 50},
    {"50 keys in a pipeline, p50", "50 keys in a pipeline, p99", pipeline, 50},
    {"50 keys by MGET, p50", "50 keys by MGET, p99", mget, 50},
    {"50 HSET of 10 fields in a pipeline, p50", "50 HSET of 10 fields in a pipeline, p99", hset, 50},
};
enum { ENTRIES = sizeof entries / sizeof *entries };

int main(int argc, char **argv)
{
    static struct contest contests[ENTRIES];
    int index[ENTRIES];
    char path[256];
    measure = measure_new("redis", HELP, 15, &argc, argv);
    throwaway_open("/var/tmp");
    const char *why = throwaway_redis(path);
    if (why) {
        (void)fprintf(stderr, "bench_redis: left out: %s\n", why);
        return 0;
    }
    connect_to(path);
    for (int i = 0; i < ENTRIES; i++) {
        contests[i] = (struct contest){.step = entries[i].step, .keys = entries[i].keys};
        index[i] = measure_add(measure, entries[i].name, "us", false, run, &contests[i]);
        contests[i].p99 = measure_add_note(measure, entries[i].p99, "us", false);
    }
    measure_ratio(measure, "10 keys: one by one over MGET", index[1], index[3], 0, true);
    measure_ratio(measure, "50 keys: one by one over MGET", index[4], index[6], 0, true);
    measure_ratio(measure, "50 keys: pipeline over MGET", index[5], index[6], 0, true);
    measure_run(measure);
    const int code = measure_tell(measure);
    measure_destroy(&measure);
    redisFree(connection);
    return code;
}
