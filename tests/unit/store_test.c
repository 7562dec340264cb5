/* The store's contract, held by SQLite and by Postgres alike. */
#include "proto/json_form.h"
#include "proto/samples.h"
#include "tests/unit/store_fixture.h"

/* ---- every message is read back equal ---------------------------------------------------------------- */

struct expectation {
    const struct store_table *table;
    const struct message *m;
    uint32_t rows;
};

/* What a column must say, told by the JSON form's own texts and not by the schema's. */
static void expected_text(const struct column *c, const struct expectation *e, uint32_t item, char out[300])
{
    const char *record = (const char *)&e->m->inst;
    struct exponents exps = record_exponents(e->table->kind->body, record, (struct exponents){0, 0});
    if (e->table->list) {
        record += e->table->list->offset + (size_t)item * e->table->list->size;
        exps = record_exponents(e->table->list->record, record, exps);
    }
    if (!c->field)
        (void)snprintf(out, 300, "%" PRId64,
                       *(const int64_t *)(const void *)((const char *)e->m + c->offset));
    else if (c->field->kind == FIELD_U64)
        (void)snprintf(out, 300, "%" PRId64, *(const int64_t *)(const void *)(record + c->field->offset));
    else if (c->field->kind == FIELD_BOOL)
        (void)snprintf(out, 300, "%d", *(const bool *)(const void *)(record + c->field->offset));
    else
        field_text(c->field, record, exps, out, 300);
}

static int compare_row(void *ctx, int columns, const char *const *names, const char *const *values)
{
    struct expectation *e = ctx;
    char expected[300];
    ck_assert_uint_eq((uint32_t)columns, e->table->n_columns);
    for (uint32_t i = e->table->n_keys; i < e->table->n_columns; i++) {
        expected_text(&e->table->columns[i], e, e->rows, expected);
        ck_assert_str_eq(names[i], e->table->columns[i].name);
        ck_assert_msg(strcmp(values[i], expected) == 0, "%s.%s: %s, not %s", e->table->name, names[i],
                      values[i], expected);
    }
    e->rows++;
    return OK;
}

static void assert_stored(const struct schema *schema, const struct message *stored)
{
    char pos[24], epoch[24];
    const char *params[] = {RUN, stored->env.stream, epoch, pos};
    uint32_t n;
    const struct store_table *tables = schema_tables(schema, stored->env.type, &n);
    (void)snprintf(epoch, sizeof epoch, "%" PRId64, (int64_t)stored->env.epoch);
    (void)snprintf(pos, sizeof pos, "%" PRId64, (int64_t)stored->env.pos);
    for (uint32_t t = 0; t < n; t++) {
        struct expectation e = {&tables[t], stored, 0};
        char *sql = NULL;
        size_t len;
        FILE *out = open_memstream(&sql, &len);
        (void)fprintf(out, "SELECT ");
        schema_columns(&tables[t], out);
        (void)fprintf(out, " FROM \"%s\" WHERE run = $1 AND stream = $2 AND epoch = $3 AND pos = $4%s",
                      tables[t].name, tables[t].list ? " ORDER BY item" : "");
        (void)fclose(out);
        ck_assert_msg(store_query(store, sql, params, 4, compare_row, &e) == OK, "%s", store_error(store));
        ck_assert_uint_eq(e.rows, schema_rows(&tables[t], stored));
        free(sql);
    }
}

START_TEST(every_message_of_a_ledger_is_read_back_equal)
{
    struct schema *schema = schema_new();
    uint64_t random = 17, pos = 0;
    struct message *all = malloc(400 * sizeof *all);
    for (const struct message_kind *const *k = message_kinds(); *k; k++) {
        for (int round = 0; (*k)->class == CLASS_LEDGER && round < 13; round++) {
            struct message *each = &all[pos];
            if (round < SAMPLE_COUNT)
                sample_message(each, (enum message_type)(*k)->type, (enum sample)round);
            else
                sample_random(each, (enum message_type)(*k)->type, &random);
            text_set(each->env.stream, sizeof each->env.stream, "exec");
            each->env.epoch = round % 2 ? UINT64_MAX : 1;
            each->env.pos = ++pos;
            ck_assert_msg(store_add(store, RUN, each) == OK, "%s: %s", (*k)->body->name, store_error(store));
        }
    }
    ck_assert_int_eq(commit(store, from_to(0, 0, 1, pos)), OK);
    ck_assert_uint_gt(pos, 150);
    for (uint64_t i = 0; i < pos; i++)
        assert_stored(schema, &all[i]);
    free(all);
    schema_destroy(&schema);
}
END_TEST

START_TEST(extremes_of_numbers_are_kept_to_the_last_digit)
{
    fill_at(1, 1);
    m->env.time_out = INT64_MAX;
    m->env.trace.boot_id = UINT64_MAX;
    m->fill.risk_pos = UINT64_MAX;
    m->fill.venue_time = INT64_MIN;
    m->fill.price = INT64_MIN;
    m->fill.price_exp = -18;
    m->fill.qty = INT64_MAX;
    m->fill.qty_exp = 18;
    m->fill.fee = (struct dec){-1, -18};
    ck_assert_int_eq(store_add(store, RUN, m), OK);
    message_init(m, MSG_ADJUST);
    text_set(m->env.stream, sizeof m->env.stream, "exec");
    m->env.epoch = 1;
    m->env.pos = 2;
    ck_assert(money_parse("-170141183460469231731.687303715884105728", 41, &m->adjust.amount));
    ck_assert_int_eq(store_add(store, RUN, m), OK);
    ck_assert_int_eq(commit(store, from_to(0, 0, 1, 2)), OK);
    assert_text("SELECT ts_ns FROM fills", "9223372036854775807");
    assert_text("SELECT trace_boot_id FROM fills", "-1");
    assert_text("SELECT risk_pos FROM fills", "-1");
    assert_text("SELECT venue_time FROM fills", "-9223372036854775808");
    assert_text("SELECT price FROM fills", "-9.223372036854775808");
    assert_text("SELECT qty FROM fills", "9223372036854775807000000000000000000");
    assert_text("SELECT fee FROM fills", "-0.000000000000000001");
    assert_text("SELECT amount FROM adjustments", "-170141183460469231731.687303715884105728");
}
END_TEST

/* ---- rows and position are one ----------------------------------------------------------------------- */

START_TEST(rows_and_position_are_seen_together_or_not_at_all)
{
    struct store *other = open_store();
    ck_assert_int_eq(store_add(store, RUN, fill_at(1, 1)), OK);
    ck_assert_int_eq(number_of(other, "SELECT COUNT(*) FROM fills"), 0);
    assert_position(other, 0, 0);
    ck_assert_int_eq(commit(store, from_to(0, 0, 1, 1)), OK);
    ck_assert_int_eq(number_of(other, "SELECT COUNT(*) FROM fills"), 1);
    assert_position(other, 1, 1);
    store_close(&other);
}
END_TEST

START_TEST(a_rollback_leaves_nothing)
{
    ck_assert_int_eq(store_add(store, RUN, fill_at(1, 1)), OK);
    store_rollback(store);
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM fills"), 0);
    ck_assert_int_eq(store_add(store, RUN, fill_at(1, 1)), OK);
    ck_assert_int_eq(commit(store, from_to(0, 0, 1, 1)), OK);
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM fills"), 1);
}
END_TEST

START_TEST(a_store_that_is_left_open_leaves_nothing)
{
    ck_assert_int_eq(store_add(store, RUN, fill_at(1, 1)), OK);
    store_close(&store);
    store = open_store();
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM fills"), 0);
    assert_position(store, 0, 0);
}
END_TEST

START_TEST(a_second_recorder_fails_and_changes_nothing)
{
    struct store *second = open_store();
    ck_assert_int_eq(store_add(store, RUN, fill_at(1, 1)), OK);
    ck_assert_int_eq(commit(store, from_to(0, 0, 1, 1)), OK);
    /* It knows of nothing, and takes up other rows than the first. */
    ck_assert_int_eq(store_add(second, RUN, fill_at(1, 2)), OK);
    ck_assert_int_eq(commit(second, from_to(0, 0, 1, 2)), E_STATE);
    /* The same rows are refused as well, at the latest at the end. */
    int status = store_add(second, RUN, fill_at(1, 1));
    if (status == OK)
        status = commit(second, from_to(1, 1, 1, 2));
    ck_assert_int_eq(status, E_STATE);
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM fills"), 1);
    assert_position(store, 1, 1);
    store_close(&second);
}
END_TEST

START_TEST(a_position_moves_only_from_where_it_is)
{
    ck_assert_int_eq(commit(store, from_to(0, 0, 1, 5)), OK);
    ck_assert_int_eq(commit(store, from_to(1, 4, 1, 6)), E_STATE);
    ck_assert_int_eq(commit(store, from_to(2, 5, 2, 6)), E_STATE);
    ck_assert_int_eq(commit(store, from_to(0, 0, 1, 6)), E_STATE);
    assert_position(store, 1, 5);
    ck_assert_int_eq(commit(store, from_to(1, 5, UINT64_MAX, UINT64_MAX)), OK);
    assert_position(store, UINT64_MAX, UINT64_MAX);
}
END_TEST

START_TEST(a_store_opened_again_goes_on)
{
    ck_assert_int_eq(store_add(store, RUN, fill_at(1, 1)), OK);
    ck_assert_int_eq(commit(store, from_to(0, 0, 1, 1)), OK);
    store_close(&store);
    store = open_store();
    assert_position(store, 1, 1);
    ck_assert_int_eq(store_add(store, RUN, fill_at(2, 2)), OK);
    ck_assert_int_eq(commit(store, from_to(1, 1, 2, 2)), OK);
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM fills"), 2);
}
END_TEST

START_TEST(runs_do_not_see_each_other)
{
    uint64_t epoch, pos;
    struct store_position position = from_to(0, 0, 1, 1);
    ck_assert_int_eq(store_add(store, RUN, fill_at(1, 1)), OK);
    ck_assert_int_eq(commit(store, position), OK);
    ck_assert_int_eq(store_add(store, "another", fill_at(1, 1)), OK);
    ck_assert_int_eq(store_commit(store, "another", &position, 1), OK);
    ck_assert_int_eq(store_clear(store, "another"), OK);
    ck_assert_int_eq(store_commit(store, "another", NULL, 0), OK);
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM fills WHERE run = 'another'"), 0);
    ck_assert_int_eq(store_position(store, "another", "exec", &epoch, &pos), OK);
    ck_assert_uint_eq(pos, 0);
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM fills WHERE run = '" RUN "'"), 1);
}
END_TEST

START_TEST(a_rolled_back_ledger_loses_its_rows_from_the_base_on)
{
    for (uint64_t pos = 1; pos <= 5; pos++)
        ck_assert_int_eq(store_add(store, RUN, fill_at(1, pos)), OK);
    ck_assert_int_eq(commit(store, from_to(0, 0, 1, 5)), OK);
    message_init(m, MSG_GAP);
    text_set(m->env.stream, sizeof m->env.stream, "exec");
    m->env.epoch = 1;
    m->env.pos = m->gap.from_pos = 4;
    text_set(m->gap.stream_lost, sizeof m->gap.stream_lost, "exec");
    text_set(m->gap.cause, sizeof m->gap.cause, "rollback");
    ck_assert_int_eq(store_add(store, RUN, m), OK);
    ck_assert_int_eq(store_add(store, RUN, fill_at(2, 4)), OK);
    ck_assert_int_eq(commit(store, from_to(1, 5, 2, 4)), OK);
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM fills"), 4);
    ck_assert_int_eq(number_of(store, "SELECT epoch FROM fills WHERE pos = 4"), 2);
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM gaps"), 1);
    assert_position(store, 2, 4);
}
END_TEST

START_TEST(a_mark_replaces_the_one_before)
{
    struct quote *q = calloc(1, sizeof *q);
    text_set(q->symbol, sizeof q->symbol, "BTC-USDT");
    text_set(q->venue, sizeof q->venue, "alfa");
    text_set(q->inst.quote, sizeof q->inst.quote, "USDT");
    q->book.price_exp = -2;
    q->book.n_bids = q->book.n_asks = 1;
    q->book.bids[0].price = 6183763;
    q->book.asks[0].price = 6183800;
    q->book.recv_time = 7;
    ck_assert_int_eq(store_mark(store, RUN, q), OK);
    q->book.bids[0].price = 6183764;
    q->book.n_asks = 0;
    q->state = BOOK_LIVE;
    ck_assert_int_eq(store_mark(store, RUN, q), OK);
    ck_assert_int_eq(store_commit(store, RUN, NULL, 0), OK);
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM marks"), 1);
    assert_text("SELECT bid FROM marks", "61837.64");
    assert_text("SELECT ask FROM marks", "NULL");
    assert_text("SELECT state FROM marks", "LIVE");
    assert_text("SELECT quote FROM marks", "USDT");
    free(q);
}
END_TEST

/* ---- the market ---------------------------------------------------------------------------------------- */

START_TEST(an_instrument_replaces_the_one_before)
{
    message_init(m, MSG_INST);
    text_set(m->inst.symbol, sizeof m->inst.symbol, "BTC-USDT");
    text_set(m->inst.venue, sizeof m->inst.venue, "alfa");
    m->inst.kind = KIND_SPOT;
    m->inst.learned = true;
    m->inst.tick = (struct dec){1, -2};
    ck_assert_msg(store_add(store, RUN, m) == OK, "%s", store_error(store));
    m->inst.tick = (struct dec){5, -3};
    m->inst.learned = false;
    m->env.time_out = 7;
    ck_assert_int_eq(store_add(store, RUN, m), OK);
    text_set(m->inst.venue, sizeof m->inst.venue, "beta");
    ck_assert_int_eq(store_add(store, RUN, m), OK);
    ck_assert_int_eq(store_commit(store, RUN, NULL, 0), OK);
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM instruments"), 2);
    assert_text("SELECT tick FROM instruments WHERE venue = 'alfa'", "0.005");
    assert_text("SELECT learned FROM instruments WHERE venue = 'alfa'", "0");
    assert_text("SELECT ts_ns FROM instruments WHERE venue = 'alfa'", "7");
}
END_TEST

START_TEST(a_book_is_kept_with_its_levels_and_known_to_be_there)
{
    bool holds = true;
    message_init(m, MSG_BOOK);
    text_set(m->book.symbol, sizeof m->book.symbol, "BTC-USDT");
    text_set(m->book.venue, sizeof m->book.venue, "alfa");
    m->env.epoch = 3;
    m->env.seq = 9;
    m->book.price_exp = -1;
    m->book.n_bids = 2;
    m->book.n_asks = 1;
    m->book.bids[1] = (struct level){995, 4};
    ck_assert_int_eq(store_holds(store, RUN, m, &holds), OK);
    ck_assert(!holds);
    ck_assert_int_eq(store_add(store, RUN, m), OK);
    ck_assert_int_eq(store_commit(store, RUN, NULL, 0), OK);
    ck_assert_int_eq(store_holds(store, RUN, m, &holds), OK);
    ck_assert(holds);
    assert_text("SELECT topic FROM books WHERE epoch = 3 AND seq = 9", "book.BTC-USDT.alfa.");
    assert_text("SELECT price FROM books_bids WHERE item = 1", "99.5");
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM books_asks"), 1);
    m->env.seq = 10;
    ck_assert_int_eq(store_holds(store, RUN, m, &holds), OK);
    ck_assert(!holds);
    ck_assert_int_eq(store_clear(store, "another"), OK);
    ck_assert_int_eq(store_clear(store, RUN), OK);
    ck_assert_int_eq(store_commit(store, RUN, NULL, 0), OK);
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM books_bids"), 0);
}
END_TEST

START_TEST(a_wrong_query_is_an_error_in_words_and_the_store_goes_on)
{
    ck_assert_int_lt(store_query(store, "SELECT absent FROM nowhere", NULL, 0, ignore_row, NULL), 0);
    ck_assert_msg(strstr(store_error(store), "nowhere") != NULL, "%s", store_error(store));
    ck_assert_int_eq(store_add(store, RUN, fill_at(1, 1)), OK);
    ck_assert_int_eq(commit(store, from_to(0, 0, 1, 1)), OK);
}
END_TEST

START_TEST(what_cannot_be_opened_is_an_error_in_words)
{
    char error[STORE_ERROR_MAX];
    struct store *none;
    ck_assert_int_eq(store_open("redis", "", &none, error), E_REFUSED);
    ck_assert_ptr_nonnull(strstr(error, "redis"));
    ck_assert_int_eq(store_open("sqlite", "/nowhere/at/all.db", &none, error), E_IO);
    ck_assert_str_ne(error, "");
    ck_assert_int_eq(store_open("postgres", "host=/nowhere", &none, error), E_IO);
    ck_assert_str_ne(error, "");
}
END_TEST

static void add_contract(TCase *c)
{
    tcase_add_test(c, an_instrument_replaces_the_one_before);
    tcase_add_test(c, a_book_is_kept_with_its_levels_and_known_to_be_there);
    tcase_add_test(c, every_message_of_a_ledger_is_read_back_equal);
    tcase_add_test(c, extremes_of_numbers_are_kept_to_the_last_digit);
    tcase_add_test(c, rows_and_position_are_seen_together_or_not_at_all);
    tcase_add_test(c, a_rollback_leaves_nothing);
    tcase_add_test(c, a_store_that_is_left_open_leaves_nothing);
    tcase_add_test(c, a_second_recorder_fails_and_changes_nothing);
    tcase_add_test(c, a_position_moves_only_from_where_it_is);
    tcase_add_test(c, a_store_opened_again_goes_on);
    tcase_add_test(c, runs_do_not_see_each_other);
    tcase_add_test(c, a_rolled_back_ledger_loses_its_rows_from_the_base_on);
    tcase_add_test(c, a_mark_replaces_the_one_before);
    tcase_add_test(c, a_wrong_query_is_an_error_in_words_and_the_store_goes_on);
}

int main(void)
{
    TCase *open = tcase_create("open");
    tcase_add_test(open, what_cannot_be_opened_is_an_error_in_words);
    return run_suites("store", add_contract, open);
}
