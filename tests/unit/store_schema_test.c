/* The tables as the migrations make them: what the dictionary asks for, made once however many start at once, and
 * never on a database that this program does not know. Held by SQLite and by Postgres alike. */
#include <pthread.h>

#include "lib/base/rng.h"
#include "tests/unit/store_fixture.h"

/* ---- tables and the dictionary ----------------------------------------------------------------------- */

/* Rows of (name, type, place in the key from 1, or 0) in the order of the columns. */
static const char *columns_sql(void)
{
    return strcmp(sink, "sqlite") == 0
               ? "SELECT name, type, pk FROM pragma_table_xinfo($1) ORDER BY cid"
               : "SELECT a.attname, upper(format_type(a.atttypid, a.atttypmod)), "
                 "COALESCE(array_position(i.indkey::int2[], a.attnum), -1) + 1 FROM pg_attribute a "
                 "LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary "
                 "WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY "
                 "a.attnum";
}

struct found {
    uint32_t n;
    char names[128][64], types[128][64];
    long keys[128];
};

static int take_column(void *ctx, int columns, const char *const *names, const char *const *values)
{
    struct found *f = ctx;
    (void)columns, (void)names;
    ck_assert_uint_lt(f->n, 128);
    (void)snprintf(f->names[f->n], 64, "%s", values[0]);
    (void)snprintf(f->types[f->n], 64, "%s", values[1]);
    f->keys[f->n++] = strtol(values[2], NULL, 10);
    return OK;
}

static int index_of(const struct found *f, const char *name)
{
    for (uint32_t i = 0; i < f->n; i++)
        if (strcmp(f->names[i], name) == 0)
            return (int)i;
    return -1;
}

/* Writes what is wrong with one column, or nothing. */
static void compare_column(const struct found *f, const struct store_table *t, uint32_t i, FILE *out)
{
    const struct column *c = &t->columns[i];
    bool postgres = strcmp(sink, "postgres") == 0;
    int at = index_of(f, c->name);
    if (at < 0) {
        (void)fprintf(out, "a migration is due: ");
        schema_column_sql(t, c, postgres, out);
        return;
    }
    if (strcmp(f->types[at], schema_type(c->kind, postgres)) != 0)
        (void)fprintf(out, "%s.%s is %s; the dictionary asks for %s\n", t->name, c->name, f->types[at],
                      schema_type(c->kind, postgres));
    long key = i < t->n_keys ? (long)i + 1 : 0;
    if (f->keys[at] != key)
        (void)fprintf(out, "%s.%s is number %ld of the primary key; expected %ld\n", t->name, c->name,
                      f->keys[at], key);
}

static void compare_table(const struct store_table *t, FILE *out)
{
    const char *name = t->name;
    struct found *f = calloc(1, sizeof *f);
    ck_assert_msg(store_query(store, columns_sql(), &name, 1, take_column, f) == OK, "%s",
                  store_error(store));
    if (f->n == 0) {
        (void)fprintf(out, "a migration is due:\n");
        schema_table_sql(t, strcmp(sink, "postgres") == 0, out);
    } else {
        int ts = index_of(f, "ts");
        long key = strcmp(sink, "postgres") == 0 && t->key != KEYED_LATEST ? (long)t->n_keys + 1 : 0;
        for (uint32_t i = 0; i < t->n_columns; i++)
            compare_column(f, t, i, out);
        if (ts < 0 || f->keys[ts] != key)
            (void)fprintf(out, "%s.ts is not there, or not number %ld of the primary key\n", t->name, key);
        if (f->n > t->n_columns + 1)
            (void)fprintf(out, "%s has %u columns more than the dictionary\n", t->name,
                          f->n - t->n_columns - 1);
    }
    free(f);
}

static char *differences(void)
{
    char *said = NULL;
    size_t len;
    struct schema *schema = schema_new();
    FILE *out = open_memstream(&said, &len);
    for (uint32_t i = 0; i < schema->n_tables; i++)
        compare_table(&schema->tables[i], out);
    (void)fclose(out);
    schema_destroy(&schema);
    return said;
}

START_TEST(the_migrations_make_what_the_dictionary_asks_for)
{
    char *said = differences();
    ck_assert_msg(*said == '\0', "%s", said);
    free(said);
}
END_TEST

START_TEST(what_the_tables_lack_is_named_as_the_sql_that_is_due)
{
    by_hand("ALTER TABLE fills DROP COLUMN liquidity");
    by_hand("ALTER TABLE limits DROP COLUMN max_gross");
    char *said = differences();
    ck_assert_ptr_nonnull(
        strstr(said, "a migration is due: ALTER TABLE fills ADD COLUMN liquidity TEXT NOT NULL DEFAULT '';"));
    ck_assert_ptr_nonnull(strstr(said, "a migration is due: ALTER TABLE limits ADD COLUMN max_gross"));
    /* What it names is SQL that the database takes. */
    by_hand("ALTER TABLE fills ADD COLUMN liquidity TEXT NOT NULL DEFAULT ''");
    free(said);
    said = differences();
    ck_assert_ptr_null(strstr(said, "fills"));
    ck_assert_ptr_nonnull(strstr(said, "max_gross"));
    free(said);
}
END_TEST

/* ---- applying ---------------------------------------------------------------------------------------- */

static void *open_one(void *opened)
{
    *(struct store **)opened = open_store();
    return NULL;
}

START_TEST(programs_that_start_at_once_make_the_tables_once)
{
    enum { PROGRAMS = 4 };
    struct store *stores[PROGRAMS];
    pthread_t threads[PROGRAMS];
    store_close(&store);
    if (strcmp(sink, "sqlite") == 0) {
        ck_assert_int_eq(unlink(target), 0);
    } else {
        char sql[256];
        PGconn *server = PQconnectdb(getenv("SLUICE_TEST_POSTGRES"));
        (void)snprintf(sql, sizeof sql,
                       "SET client_min_messages = error; DROP SCHEMA %s CASCADE; CREATE SCHEMA %s",
                       schema_name, schema_name);
        PQclear(PQexec(server, sql));
        PQfinish(server);
    }
    for (int i = 0; i < PROGRAMS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, open_one, &stores[i]), 0);
    for (int i = 0; i < PROGRAMS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    int64_t known = 0;
    for (const struct migration *each = migrations; each->sink; each++)
        known += strcmp(each->sink, sink) == 0;
    ck_assert_int_eq(number_of(stores[0], "SELECT COUNT(*) FROM schema_migrations"), known);
    ck_assert_int_eq(
        number_of(stores[0], "SELECT COUNT(*) FROM schema_migrations WHERE applied_at LIKE '20%-%'"), known);
    for (int i = 0; i < PROGRAMS; i++)
        store_close(&stores[i]);
    store = open_store();
}
END_TEST

static void assert_refused(const char *words)
{
    char error[STORE_ERROR_MAX];
    struct store *none;
    ck_assert_int_eq(store_open(sink, target, &none, error), E_REFUSED);
    ck_assert_ptr_null(none);
    ck_assert_msg(strstr(error, words) != NULL, "%s", error);
}

START_TEST(a_database_that_is_newer_than_the_program_is_refused)
{
    by_hand("INSERT INTO schema_migrations (number, name, applied_at, checksum) "
            "VALUES (9000, 'of the future', '2099', 'x')");
    assert_refused("newer than this program: it has migration 9000 (of the future)");
}
END_TEST

START_TEST(a_migration_applied_with_another_text_is_refused)
{
    by_hand("UPDATE schema_migrations SET checksum = '0123456789abcdef' WHERE number = 2");
    assert_refused("migration 0002 (own) was applied to this database with another text");
}
END_TEST

START_TEST(a_database_of_a_program_without_migrations_is_refused)
{
    by_hand("DROP TABLE schema_migrations");
    assert_refused("was made by a program without migrations: move it away");
}
END_TEST

START_TEST(a_later_migration_is_applied_to_the_tables_that_are_there)
{
    char error[STORE_ERROR_MAX] = "";
    struct migration more[32];
    struct schema *schema = schema_new();
    void *database;
    const struct sink *of = strcmp(sink, "sqlite") == 0 ? &sqlite_sink : &postgres_sink;
    uint32_t n = 0;
    int last = 0;
    for (const struct migration *each = migrations; each->sink; each++)
        if (strcmp(each->sink, sink) == 0) {
            more[n++] = *each;
            last = each->number;
        }
    more[n++] = (struct migration){sink, last + 1, "further",
                                   "ALTER TABLE fills ADD COLUMN a TEXT NOT NULL DEFAULT ''; "
                                   "ALTER TABLE limits ADD COLUMN b BIGINT"};
    more[n++] = (struct migration){sink, last + 2, "broken",
                                   "ALTER TABLE fills ADD COLUMN c TEXT; ALTER TABLE nowhere "
                                   "ADD COLUMN d TEXT"};
    more[n] = (struct migration){0};
    ck_assert_int_eq(of->open(target, schema, error, &database), OK);
    /* The good one stays; of the broken one nothing does. */
    ck_assert_int_eq(store_migrate(of, database, more, error), E_REFUSED);
    ck_assert_msg(strstr(error, "nowhere") != NULL, "%s", error);
    ck_assert_int_eq(number_of(store, "SELECT MAX(number) FROM schema_migrations"), last + 1);
    char *said = differences();
    ck_assert_ptr_nonnull(strstr(said, "fills has 1 columns more"));
    ck_assert_ptr_nonnull(strstr(said, "limits has 1 columns more"));
    free(said);
    more[n - 1].sink = NULL;
    ck_assert_int_eq(store_migrate(of, database, more, error), OK);
    of->close(database);
    schema_destroy(&schema);
    assert_refused("newer than this program");
}
END_TEST

/* ---- the exact decimals of COPY BINARY --------------------------------------------------------------- */

START_TEST(a_decimal_goes_over_in_binary_as_its_text_would)
{
    static const char *const texts[] = {"0",
                                        "-0",
                                        "0.0",
                                        "0.000000000000000000",
                                        "1",
                                        "-1",
                                        "9",
                                        "10",
                                        "9999",
                                        "10000",
                                        "10001",
                                        "99999999",
                                        "100000000",
                                        "0.1",
                                        "0.0001",
                                        "0.00010",
                                        "0.00001",
                                        "-0.000000000000000001",
                                        "12345.6789",
                                        "61837.63",
                                        "61837.63000000",
                                        "1.00010002",
                                        "10000.0001",
                                        "100.000000010000",
                                        "-9.223372036854775808",
                                        "9223372036854775807000000000000000000",
                                        "-170141183460469231731.687303715884105728",
                                        "170141183460469231731.687303715884105727",
                                        "0.9999",
                                        "9999.9999",
                                        "00012.50",
                                        "1000000000000000000000000"};
    char sql[1024];
    PGconn *server = PQconnectdb(getenv("SLUICE_TEST_POSTGRES"));
    PQclear(PQexec(server, "CREATE TEMP TABLE n (t NUMERIC)"));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        unsigned char bytes[NUMERIC_BYTES_MAX];
        const char *const value = (const char *)bytes;
        int len = (int)numeric_binary(texts[i], strlen(texts[i]), bytes), format = 1;
        const Oid numeric = 1700;
        ck_assert_int_gt(len, 0);
        PGresult *result =
            PQexecParams(server, "SELECT $1::numeric::text", 1, &numeric, &value, &len, &format, 0);
        ck_assert_msg(PQntuples(result) == 1, "%s: %s", texts[i], PQresultErrorMessage(result));
        (void)snprintf(sql, sizeof sql, "SELECT '%s'::numeric::text", texts[i]);
        PGresult *by_text = PQexec(server, sql);
        ck_assert_str_eq(PQgetvalue(result, 0, 0), PQgetvalue(by_text, 0, 0));
        PQclear(result);
        PQclear(by_text);
    }
    PQfinish(server);
}
END_TEST

START_TEST(what_is_no_plain_decimal_has_no_binary_form)
{
    unsigned char bytes[NUMERIC_BYTES_MAX];
    static const char *const texts[] = {"", "-", ".5", "1.", "1e5", "1,5", "NaN", " 1", "1 ", "--1", "1.2.3"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ck_assert_msg(numeric_binary(texts[i], strlen(texts[i]), bytes) == 0, "'%s'", texts[i]);
}
END_TEST

static void assert_as_of_its_text(money amount, int exp)
{
    const struct cell cell = {.kind = COLUMN_NUMERIC, .exp = exp, .amount = amount};
    unsigned char bytes[NUMERIC_BYTES_MAX], expected[NUMERIC_BYTES_MAX];
    char text[DEC_TEXT_MAX];
    const size_t len = numeric_text(&cell, text), wanted = numeric_binary(text, len, expected);
    ck_assert_msg(numeric_cell_binary(&cell, bytes) == wanted && wanted > 0, "%s", text);
    ck_assert_msg(memcmp(bytes, expected, wanted) == 0, "%s", text);
}

START_TEST(a_numbers_binary_form_is_that_of_its_text)
{
    const money most = (money)((~(unsigned __int128)0) >> 1);
    struct rng rng;
    rng_seed(&rng, 11);
    for (int exp = DEC_EXP_MIN; exp <= DEC_EXP_MAX; exp++) {
        assert_as_of_its_text(0, exp);
        assert_as_of_its_text(INT64_MAX, exp);
        assert_as_of_its_text(INT64_MIN, exp);
        for (int64_t tens = 1; tens < INT64_MAX / 10; tens *= 10)
            for (int i = -1; i <= 1; i++)
                assert_as_of_its_text(i % 2 ? tens + i : -tens, exp);
        for (int i = 0; i < 2000; i++)
            assert_as_of_its_text((int64_t)rng_u64(&rng) >> (rng_u64(&rng) % 64), exp);
    }
    for (money some = most; some > 1; some /= 3) {
        assert_as_of_its_text(some, MONEY_EXP);
        assert_as_of_its_text(-some - 1, MONEY_EXP);
        assert_as_of_its_text(some / 1000000000 * 1000000000, MONEY_EXP);
    }
}
END_TEST

static void add_schema(TCase *c)
{
    tcase_add_test(c, the_migrations_make_what_the_dictionary_asks_for);
    tcase_add_test(c, what_the_tables_lack_is_named_as_the_sql_that_is_due);
    tcase_add_test(c, programs_that_start_at_once_make_the_tables_once);
    tcase_add_test(c, a_database_that_is_newer_than_the_program_is_refused);
    tcase_add_test(c, a_migration_applied_with_another_text_is_refused);
    tcase_add_test(c, a_database_of_a_program_without_migrations_is_refused);
    tcase_add_test(c, a_later_migration_is_applied_to_the_tables_that_are_there);
}

int main(void)
{
    TCase *numbers = tcase_create("numbers");
    tcase_add_test(numbers, what_is_no_plain_decimal_has_no_binary_form);
    tcase_add_test(numbers, a_numbers_binary_form_is_that_of_its_text);
    if (getenv("SLUICE_TEST_POSTGRES"))
        tcase_add_test(numbers, a_decimal_goes_over_in_binary_as_its_text_would);
    return run_suites("store_schema", add_schema, numbers);
}
