/* A store on each of the two databases, for the tests of what both must hold. Postgres is tested where
 * SLUICE_TEST_POSTGRES says how to reach one (a libpq connection string); each test makes and drops a schema of its own
 * there. */
#ifndef SLUICE_TESTS_STORE_FIXTURE_H
#define SLUICE_TESTS_STORE_FIXTURE_H

#include <check.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/text.h"
#include "services/recorder/store_internal.h"

#define RUN "20260101-000000-test"

static char target[512], schema_name[64];
static __attribute__((unused)) struct message *m; /* on the heap: ASan sees what reads past it */
static const char *sink;
static struct store *store;

/* ---- the two databases ------------------------------------------------------------------------------- */

static struct store *open_store(void)
{
    char error[STORE_ERROR_MAX];
    struct store *opened;
    ck_assert_msg(store_open(sink, target, &opened, error) == OK, "%s", error);
    return opened;
}

__attribute__((unused)) static int ignore_row(void *ctx, int columns, const char *const *names,
                                              const char *const *values)
{
    (void)ctx, (void)columns, (void)names, (void)values;
    return OK;
}

static void setup_sqlite(void)
{
    sink = "sqlite";
    strcpy(target, "/tmp/store_test_XXXXXX");
    int fd = mkstemp(target);
    ck_assert_int_ge(fd, 0);
    close(fd);
    store = open_store();
    m = malloc(sizeof *m);
}

static void teardown_sqlite(void)
{
    char path[600];
    store_close(&store);
    free(m);
    unlink(target);
    (void)snprintf(path, sizeof path, "%s-wal", target);
    unlink(path);
    (void)snprintf(path, sizeof path, "%s-shm", target);
    unlink(path);
}

/* A schema of its own, so that tests neither see each other nor what is on the server. */
static void setup_postgres(void)
{
    char sql[128];
    const char *given = getenv("SLUICE_TEST_POSTGRES");
    (void)snprintf(schema_name, sizeof schema_name, "sluice_test_%d", (int)getpid());
    (void)snprintf(target, sizeof target, "%s options='-c search_path=%s'", given, schema_name);
    (void)snprintf(sql, sizeof sql, "CREATE SCHEMA %s", schema_name);
    PGconn *server = PQconnectdb(given);
    ck_assert_msg(PQstatus(server) == CONNECTION_OK, "%s", PQerrorMessage(server));
    PQclear(PQexec(server, sql));
    PQfinish(server);
    sink = "postgres";
    store = open_store();
    m = malloc(sizeof *m);
}

static void teardown_postgres(void)
{
    char sql[128];
    store_close(&store);
    free(m);
    (void)snprintf(sql, sizeof sql, "DROP SCHEMA %s CASCADE", schema_name);
    PGconn *server = PQconnectdb(getenv("SLUICE_TEST_POSTGRES"));
    PQclear(PQexec(server, "SET client_min_messages = error"));
    PQclear(PQexec(server, sql));
    PQfinish(server);
}

static int take_number(void *ctx, int columns, const char *const *names, const char *const *values)
{
    (void)columns, (void)names;
    *(int64_t *)ctx = strtoll(values[0], NULL, 10);
    return OK;
}

__attribute__((unused)) static int64_t number_of(struct store *in, const char *sql)
{
    int64_t number = -1;
    ck_assert_msg(store_query(in, sql, NULL, 0, take_number, &number) == OK, "%s: %s", sql, store_error(in));
    return number;
}

static int take_text(void *ctx, int columns, const char *const *names, const char *const *values)
{
    (void)columns, (void)names;
    (void)snprintf(ctx, 128, "%s", values[0] ? values[0] : "NULL");
    return OK;
}

__attribute__((unused)) static void assert_text(const char *sql, const char *expected)
{
    char text[128] = "no row";
    ck_assert_msg(store_query(store, sql, NULL, 0, take_text, text) == OK, "%s: %s", sql, store_error(store));
    ck_assert_str_eq(text, expected);
}

/* A fill at a position, whose trade id tells it. */
__attribute__((unused)) static const struct message *fill_at(uint64_t epoch, uint64_t pos)
{
    message_init(m, MSG_FILL);
    text_set(m->env.stream, sizeof m->env.stream, "exec");
    m->env.epoch = epoch;
    m->env.pos = pos;
    (void)snprintf(m->fill.trade_id, sizeof m->fill.trade_id, "t%" PRIu64, pos);
    m->fill.side = SIDE_BUY;
    m->fill.liquidity = LIQUIDITY_TAKER;
    m->fill.kind = KIND_SPOT;
    return m;
}

__attribute__((unused)) static struct store_position from_to(uint64_t from_epoch, uint64_t from_pos,
                                                             uint64_t to_epoch, uint64_t to_pos)
{
    return (struct store_position){"exec", from_epoch, from_pos, to_epoch, to_pos};
}

__attribute__((unused)) static int commit(struct store *in, struct store_position position)
{
    return store_commit(in, RUN, &position, 1);
}

__attribute__((unused)) static void assert_position(struct store *in, uint64_t epoch, uint64_t pos)
{
    uint64_t is_epoch = 99, is_pos = 99;
    ck_assert_int_eq(store_position(in, RUN, "exec", &is_epoch, &is_pos), OK);
    ck_assert_uint_eq(is_epoch, epoch);
    ck_assert_uint_eq(is_pos, pos);
}

/* Statements from outside the store, as an administrator's. */
__attribute__((unused)) static void by_hand(const char *sql)
{
    ck_assert_msg(store_query(store, sql, NULL, 0, ignore_row, NULL) == OK, "%s: %s", sql,
                  store_error(store));
}

/* Runs the test program: each case on SQLite, and on Postgres where there is one. */
static int run_suites(const char *name, void (*add)(TCase *), TCase *further)
{
    Suite *s = suite_create(name);
    TCase *sqlite = tcase_create("sqlite"), *postgres = tcase_create("postgres");
    tcase_add_checked_fixture(sqlite, setup_sqlite, teardown_sqlite);
    tcase_add_checked_fixture(postgres, setup_postgres, teardown_postgres);
    tcase_set_timeout(sqlite, 60);
    tcase_set_timeout(postgres, 60);
    add(sqlite);
    add(postgres);
    suite_add_tcase(s, sqlite);
    if (getenv("SLUICE_TEST_POSTGRES"))
        suite_add_tcase(s, postgres);
    else
        (void)fprintf(stderr, "%s: POSTGRES IS NOT TESTED; set SLUICE_TEST_POSTGRES to a connection string\n",
                      name);
    if (further)
        suite_add_tcase(s, further);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}

#endif
