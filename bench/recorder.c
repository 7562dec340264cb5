/* What the recorder stores, beside a bare COPY BINARY of the same rows into the same tables in the same batches.
 *
 *   bare      rows that stand ready as COPY has them: BEGIN, one COPY a table, COMMIT
 *   store     what the recorder does with each record of a ledger: decoded, made to rows, sent, committed with its position
 *   process   sluice-recorder, started anew, catches up with two ledgers that a process of their owner serves; counted from
 *             its first commit to its last whole one
 *
 * All go into tables of one schema, with the indexes and the partition of the day, which are emptied before each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bench/measure.h"
#include "bench/recorder_process.h"
#include "bench/recorder_rows.h"
#include "bench/throwaway.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "lib/runtime/config.h"
#include "proto/codec.h"
#include "services/recorder/store_postgres.h"

#define HELP                                                                                                 \
    " [--dir DIR] [--rows N] [--batch N] [postgres|sqlite]\n"                                                \
    "  --dir DIR    where a server and files are put up for as long as it takes (/var/tmp)\n"                \
    "  --rows N     rows of a round of each (100000)\n"                                                      \
    "  --batch N    rows of a transaction, recorder.batch_rows (its default)\n"                              \
    "A Postgres is started for it, or SLUICE_TEST_POSTGRES names one: a connection string.\n"

/* What a basket makes: messages, and rows of them and their lists. */
enum { BASKET_MESSAGES = 20, BASKET_ROWS_MAX = 64 };

struct record {
    size_t at, len;
    int ledger;
    uint32_t rows;
};

static struct {
    struct record *records;
    size_t n, rows;
    unsigned char *bytes;
    size_t len, size;
} all;

static struct {
    unsigned char *bytes[TABLES_MAX];
    size_t len[TABLES_MAX];
} * batches;
static size_t n_batches;

static size_t rows = 100000, batch_rows;
static const char *only = "", *directory = "/var/tmp";
static char target[600];
static struct measure *measure;
static struct schema *schema;

static _Noreturn void fail(const char *words)
{
    (void)fprintf(stderr, "bench_recorder: %s\n", words);
    exit(1);
}

/* ---- what is stored ------------------------------------------------------------------------------------ */

static void keep(void *ctx, int ledger, const struct message *m)
{
    uint32_t n;
    (void)ctx;
    if (all.size - all.len < MESSAGE_BYTES_MAX) {
        all.size = all.size ? 2 * all.size : 64u << 20;
        all.bytes = realloc(all.bytes, all.size);
    }
    struct record *r = &all.records[all.n++];
    *r = (struct record){.at = all.len, .ledger = ledger};
    if (!all.bytes || (r->len = codec_encode(m, all.bytes + all.len, MESSAGE_BYTES_MAX)) == 0)
        fail("a message cannot be encoded");
    all.len += r->len;
    const struct store_table *tables = schema_tables(schema, m->env.type, &n);
    for (uint32_t t = 0; t < n; t++)
        r->rows += schema_rows(&tables[t], m);
    all.rows += r->rows;
}

static void make_records(void)
{
    static struct writing w = {.emit = keep};
    const size_t baskets = rows / BASKET_MESSAGES + 2;
    all.records = calloc(baskets * BASKET_ROWS_MAX, sizeof *all.records);
    if (!all.records || !(schema = schema_new()))
        fail("out of memory");
    write_beginning(&w);
    for (uint64_t n = 0; all.rows < rows; n++)
        write_basket(&w, n);
}

/* Where the batch ends that begins with the i-th record. */
static size_t batch_end(size_t i)
{
    size_t sum = all.records[i].rows;
    for (i++; i < all.n && sum + all.records[i].rows <= batch_rows; i++)
        sum += all.records[i].rows;
    return i;
}

static double a_second(int64_t began_ns)
{
    return (double)all.rows * 1e9 / (double)(clock_mono_ns() - began_ns);
}

static int nothing(void *ctx, int columns, const char *const *names, const char *const *values)
{
    (void)ctx, (void)columns, (void)names, (void)values;
    return OK;
}

static void ask(struct store *store, const char *sql)
{
    if (store_query(store, sql, NULL, 0, nothing, NULL) != OK)
        fail(store_error(store));
}

/* ---- the two databases --------------------------------------------------------------------------------- */

static void on_connection(const char *given, const char *sql)
{
    PGconn *c = PQconnectdb(given);
    PGresult *result = PQexec(c, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        fail(PQerrorMessage(c));
    PQclear(result);
    PQfinish(c);
}

static const char *given_server;

static void drop_schema(void)
{
    on_connection(given_server,
                  "SET client_min_messages = error; DROP SCHEMA IF EXISTS sluice_bench CASCADE");
}

/* Words why there is none, or NULL. */
static const char *find_postgres(void)
{
    static char made[256];
    const char *why = NULL;
    given_server = getenv("SLUICE_TEST_POSTGRES");
    if (!given_server && (why = throwaway_postgres(made)) == NULL)
        given_server = made;
    if (why)
        return why;
    (void)snprintf(target, sizeof target, "%s options='-c search_path=sluice_bench'", given_server);
    drop_schema();
    on_connection(given_server, "CREATE SCHEMA sluice_bench");
    (void)atexit(drop_schema);
    return NULL;
}

static struct store *open_store(const char *sink)
{
    struct store *store;
    char error[STORE_ERROR_MAX];
    const char *where = strcmp(sink, "sqlite") == 0 ? throwaway_path("run/sluice.db") : target;
    if (store_open(sink, where, &store, error) != OK)
        fail(error);
    return store;
}

static struct store *empty_store(const char *sink)
{
    static const char empty[] =
        "DO $$ DECLARE t text; BEGIN SELECT string_agg(quote_ident(relname), ',') INTO t FROM pg_class "
        "WHERE relnamespace = 'sluice_bench'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition "
        "AND relname <> 'schema_migrations'; EXECUTE 'TRUNCATE ' || t; END $$";
    if (strcmp(sink, "sqlite") == 0) {
        throwaway_remove("run/sluice.db");
        throwaway_remove("run/sluice.db-wal");
        throwaway_remove("run/sluice.db-shm");
        return open_store(sink);
    }
    struct store *store = open_store(sink);
    ask(store, empty);
    ask(store, "CHECKPOINT");
    return store;
}

/* ---- the bare COPY ------------------------------------------------------------------------------------- */

/* The rows as the store itself would send them; the partition of their day is made on the way. */
static void prepare_batches(struct postgres *p)
{
    static struct message m;
    static struct row row;
    struct drops drops = {0};
    struct decoder *decoder = decoder_new();
    batches = calloc(all.n, sizeof *batches);
    if (!batches || !decoder)
        fail("out of memory");
    for (size_t i = 0, end; i < all.n; i = end, n_batches++) {
        end = batch_end(i);
        for (size_t r = i; r < end; r++) {
            uint32_t n;
            if (!codec_decode(decoder, all.bytes + all.records[r].at, all.records[r].len, &m, &drops))
                fail(drops.last);
            const struct store_table *tables = schema_tables(schema, m.env.type, &n);
            for (uint32_t t = 0; t < n; t++)
                for (uint32_t item = 0; item < schema_rows(&tables[t], &m); item++) {
                    schema_row(&tables[t], "bench", &m, item, &row);
                    if (postgres_sink.add(p, &tables[t], &row) != OK)
                        fail(p->error);
                }
        }
        for (uint32_t t = 0; t < schema->n_tables; t++) {
            struct row_buffer *b = &p->rows[t];
            if (b->len == 0)
                continue;
            if (!(batches[n_batches].bytes[t] = malloc(b->len + 2)))
                fail("out of memory");
            memcpy(batches[n_batches].bytes[t], b->bytes, b->len);
            memset(batches[n_batches].bytes[t] + b->len, 0xff, 2);
            batches[n_batches].len[t] = b->len + 2;
            b->len = 0;
        }
    }
    decoder_destroy(&decoder);
}

static void command(PGconn *c, const char *sql, ExecStatusType wanted)
{
    PGresult *result = PQexec(c, sql);
    if (PQresultStatus(result) != wanted)
        fail(PQerrorMessage(c));
    PQclear(result);
}

static void copy_table(struct postgres *p, size_t batch, uint32_t t)
{
    PGconn *c = p->connection;
    PGresult *result;
    command(c, p->copy[t], PGRES_COPY_IN);
    if (PQputCopyData(c, (const char *)batches[batch].bytes[t], (int)batches[batch].len[t]) != 1 ||
        PQputCopyEnd(c, NULL) != 1)
        fail(PQerrorMessage(c));
    while ((result = PQgetResult(c)) != NULL) {
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            fail(PQerrorMessage(c));
        PQclear(result);
    }
}

static double run_bare(void *ctx)
{
    static struct postgres *p;
    static char error[STORE_ERROR_MAX];
    void *database;
    (void)ctx;
    struct store *store = empty_store("postgres");
    if (!p) {
        if (postgres_sink.open(target, schema, error, &database) != OK)
            fail(error);
        p = database;
        prepare_batches(p);
    }
    store_close(&store);
    const int64_t began_ns = clock_mono_ns();
    for (size_t b = 0; b < n_batches; b++) {
        command(p->connection, "BEGIN", PGRES_COMMAND_OK);
        for (uint32_t t = 0; t < schema->n_tables; t++)
            if (batches[b].len[t] > 0)
                copy_table(p, b, t);
        command(p->connection, "COMMIT", PGRES_COMMAND_OK);
    }
    return a_second(began_ns);
}

/* ---- the store ----------------------------------------------------------------------------------------- */

struct contest {
    const char *sink;
    int cpu; /* note: microseconds of the client's processor a row */
};

static int64_t cpu_ns(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * NS_PER_SEC +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

static void store_batch(struct store *store, struct decoder *decoder, size_t from, size_t to,
                        struct store_position positions[LEDGERS])
{
    static struct message m;
    static struct drops drops;
    uint32_t n = 0;
    struct store_position moved[LEDGERS];
    for (size_t r = from; r < to; r++) {
        const struct record *record = &all.records[r];
        if (!codec_decode(decoder, all.bytes + record->at, record->len, &m, &drops))
            fail(drops.last);
        if (store_add(store, "bench", &m) != OK)
            fail(store_error(store));
        positions[record->ledger].to_epoch = m.env.epoch;
        positions[record->ledger].to_pos = m.env.pos;
    }
    for (int l = 0; l < LEDGERS; l++)
        if (positions[l].to_pos != positions[l].from_pos)
            moved[n++] = positions[l];
    if (store_commit(store, "bench", moved, n) != OK)
        fail(store_error(store));
    for (int l = 0; l < LEDGERS; l++) {
        positions[l].from_epoch = positions[l].to_epoch;
        positions[l].from_pos = positions[l].to_pos;
    }
}

static double run_store(void *ctx)
{
    const struct contest *c = ctx;
    struct store_position positions[LEDGERS] = {{.stream = "risk"}, {.stream = "exec"}};
    struct store *store = empty_store(c->sink);
    struct decoder *decoder = decoder_new();
    const int64_t began_ns = clock_mono_ns(), began_cpu_ns = cpu_ns();
    for (size_t i = 0, end; i < all.n; i = end) {
        end = batch_end(i);
        store_batch(store, decoder, i, end, positions);
    }
    const double rate = a_second(began_ns);
    measure_note(measure, c->cpu, (double)(cpu_ns() - began_cpu_ns) / 1e3 / (double)all.rows);
    decoder_destroy(&decoder);
    store_close(&store);
    return rate;
}

/* ---- the process --------------------------------------------------------------------------------------- */

static uint64_t rows_until(const uint64_t pos[LEDGERS])
{
    uint64_t at[LEDGERS] = {0}, sum = 0;
    for (size_t r = 0; r < all.n; r++)
        if (++at[all.records[r].ledger] <= pos[all.records[r].ledger])
            sum += all.records[r].rows;
    return sum;
}

static double run_process(void *ctx)
{
    const struct contest *c = ctx;
    static struct catching_up done;
    struct store *store = empty_store(c->sink);
    char error[STORE_ERROR_MAX];
    if (!catch_up(store, c->sink, target, batch_rows, &done, error))
        fail(error);
    store_close(&store);
    const uint64_t counted = rows_until(done.last) - rows_until(done.first);
    measure_note(measure, c->cpu, (double)done.cpu_ns / 1e3 / (double)rows_until(done.last));
    return (double)counted * 1e9 / (double)(done.ended_ns - done.began_ns);
}

static struct encoded record_at(size_t i)
{
    const struct record *r = &all.records[i];
    return (struct encoded){.bytes = all.bytes + r->at, .len = r->len, .ledger = r->ledger};
}

/* ---- the contest --------------------------------------------------------------------------------------- */

static void enter_store(const char *sink, struct contest *stored, struct contest *process,
                        const char *names[4])
{
    stored->sink = process->sink = sink;
    (void)measure_add(measure, names[0], "rows/s", true, run_store, stored);
    stored->cpu = measure_add_note(measure, names[1], "us", false);
    (void)measure_add(measure, names[2], "rows/s", true, run_process, process);
    process->cpu = measure_add_note(measure, names[3], "us", false);
}

static void enter_all(void)
{
    static struct contest contests[4];
    static const char *sqlite[4] = {"SQLite, store", "SQLite, store: processor a row", "SQLite, process",
                                    "SQLite, process: processor a row"};
    static const char *postgres[4] = {"Postgres, store", "Postgres, store: processor a row",
                                      "Postgres, process", "Postgres, process: processor a row"};
    const char *why = strcmp(only, "sqlite") == 0 ? "only SQLite was asked for" : find_postgres();
    if (why) {
        (void)fprintf(stderr, "bench_recorder: Postgres is left out: %s\n", why);
    } else {
        const int bare = measure_add(measure, "Postgres, bare COPY BINARY", "rows/s", true, run_bare, NULL);
        enter_store("postgres", &contests[0], &contests[1], postgres);
        measure_ratio(measure, "Postgres, store over bare COPY", bare + 1, bare, 0.7, false);
        measure_ratio(measure, "Postgres, process over bare COPY", bare + 3, bare, 0.7, false);
    }
    if (strcmp(only, "postgres") != 0)
        enter_store("sqlite", &contests[2], &contests[3], sqlite);
}

static size_t number(const char *name, const char *text, size_t least, size_t most)
{
    char *end;
    const unsigned long n = text ? strtoul(text, &end, 10) : 0;
    if (!text || *end || n < least || n > most) {
        (void)fprintf(stderr, "bench_recorder: %s: expected %zu to %zu, got \"%s\"\n", name, least, most,
                      text ? text : "");
        exit(2);
    }
    return n;
}

static void take_arguments(char **a)
{
    for (; *a; a++) {
        if (strcmp(*a, "--dir") == 0 && a[1])
            directory = *++a;
        else if (strcmp(*a, "--rows") == 0 && a[1])
            rows = number("--rows", *++a, 1000, 10000000);
        else if (strcmp(*a, "--batch") == 0 && a[1])
            batch_rows = number("--batch", *++a, 1, 100000);
        else if (strcmp(*a, "postgres") == 0 || strcmp(*a, "sqlite") == 0)
            only = *a;
        else {
            (void)fprintf(stderr, "bench_recorder: expected postgres, sqlite or a flag, got \"%s\"\n", *a);
            exit(2);
        }
    }
}

int main(int argc, char **argv)
{
    static struct config config;
    config_defaults(&config);
    batch_rows = (size_t)config.recorder.batch_rows;
    measure = measure_new("recorder", HELP, 11, &argc, argv);
    take_arguments(argv + 1);
    throwaway_open(directory);
    make_records();
    own_ledgers(throwaway_path("run"), all.n, record_at);
    enter_all();
    measure_run(measure);
    const int code = measure_tell(measure);
    measure_destroy(&measure);
    return code;
}
