/* The linker puts the functions __wrap_* here before those that they are named for (--wrap): so what the venues' code
 * asks of the parser and of books is seen without a change of it. It is noted in one play, and done again alone. */
#include <stdlib.h>
#include <string.h>

#include "bench/feed.h"
#include "lib/base/clock.h"
#include "lib/base/decimal_scan.h"
#include "lib/base/json.h"
#include "venues/binance/diff_text.h"

enum step_kind { STEP_SET, STEP_CLEAR, STEP_EXPONENTS, STEP_APPLY };

struct step {
    struct dec price, qty;
    uint32_t book;
    uint32_t first_change, n_changes; /* of STEP_APPLY */
    enum step_kind kind;
    enum side side;
};

struct number {
    size_t at; /* of its text, in notes.text */
    uint32_t len;
    enum json_kind kind;
};

struct notes {
    struct note *frames;
    struct step *steps;
    struct number *numbers;
    char *text; /* of the numbers, each followed by what no number has, and by room to look ahead */
    struct l2_change *changes;
    uint32_t n_steps, steps_cap, n_numbers, numbers_cap, n_changes, changes_cap;
    size_t text_len, text_cap;
    const struct l2_book **books;
    uint32_t n_books, books_cap;
    bool stale_clear; /* of the frame at hand: a book was emptied that was not LIVE */
    bool parsed;
};

static struct notes *noting;  /* NULL: nothing is noted */
static int64_t parse_ns;      /* of the frame at hand, when timing */
static uint32_t parse_clocks; /* readings of the clock within the frame */
static bool timing;
static uint64_t sunk; /* keeps what is computed for nothing */

#define GROW(self, field, n, cap)                                                                            \
    do {                                                                                                     \
        if ((self)->n == (self)->cap) {                                                                      \
            (self)->cap = (self)->cap ? 2 * (self)->cap : 1024;                                              \
            (self)->field = taken(realloc((self)->field, (self)->cap * sizeof *(self)->field));              \
        }                                                                                                    \
    } while (0)

/* ---- what is asked of books and the parser ------------------------------------------------------------ */

int __real_l2_book_set(struct l2_book *book, enum side side, struct dec price, struct dec qty);
int __wrap_l2_book_set(struct l2_book *book, enum side side, struct dec price, struct dec qty);
int __real_l2_book_apply(struct l2_book *book, const struct l2_change *changes, uint32_t n);
int __wrap_l2_book_apply(struct l2_book *book, const struct l2_change *changes, uint32_t n);
void __real_l2_book_clear(struct l2_book *book, enum stale_reason reason);
void __wrap_l2_book_clear(struct l2_book *book, enum stale_reason reason);
int __real_l2_book_set_exponents(struct l2_book *book, int price_exp, int qty_exp);
int __wrap_l2_book_set_exponents(struct l2_book *book, int price_exp, int qty_exp);
int __real_json_parse(struct json *json, const char *text, size_t len);
int __wrap_json_parse(struct json *json, const char *text, size_t len);
int __real_json_dec(const struct json_node *node, struct dec *out);
int __wrap_json_dec(const struct json_node *node, struct dec *out);
bool __real_diff_text_read(const char *text, size_t len, bool chained, struct diff_text *out,
                           struct l2_change *changes, uint32_t cap);
bool __wrap_diff_text_read(const char *text, size_t len, bool chained, struct diff_text *out,
                           struct l2_change *changes, uint32_t cap);

static uint32_t book_number(struct notes *self, const struct l2_book *book)
{
    for (uint32_t i = 0; i < self->n_books; i++)
        if (self->books[i] == book)
            return i;
    GROW(self, books, n_books, books_cap);
    self->books[self->n_books] = book;
    return self->n_books++;
}

static void note_step(struct notes *self, struct step step, const struct l2_book *book)
{
    step.book = book_number(self, book);
    GROW(self, steps, n_steps, steps_cap);
    self->steps[self->n_steps++] = step;
}

static void note_number(struct notes *self, const char *text, uint32_t len, enum json_kind kind)
{
    static const char behind[] = "\",\"                 ";
    while (self->text_len + len + sizeof behind > self->text_cap) {
        self->text_cap = self->text_cap ? 2 * self->text_cap : 65536;
        self->text = taken(realloc(self->text, self->text_cap));
    }
    GROW(self, numbers, n_numbers, numbers_cap);
    self->numbers[self->n_numbers++] = (struct number){self->text_len, len, kind};
    memcpy(self->text + self->text_len, text, len);
    memcpy(self->text + self->text_len + len, behind, sizeof behind);
    self->text_len += len + 3;
}

int __wrap_l2_book_set(struct l2_book *book, enum side side, struct dec price, struct dec qty)
{
    if (noting)
        note_step(noting, (struct step){.kind = STEP_SET, .side = side, .price = price, .qty = qty}, book);
    return __real_l2_book_set(book, side, price, qty);
}

int __wrap_l2_book_apply(struct l2_book *book, const struct l2_change *changes, uint32_t n)
{
    if (noting) {
        note_step(noting,
                  (struct step){.kind = STEP_APPLY, .first_change = noting->n_changes, .n_changes = n}, book);
        for (uint32_t i = 0; i < n; i++) {
            GROW(noting, changes, n_changes, changes_cap);
            noting->changes[noting->n_changes++] = changes[i];
        }
    }
    return __real_l2_book_apply(book, changes, n);
}

void __wrap_l2_book_clear(struct l2_book *book, enum stale_reason reason)
{
    if (noting) {
        noting->stale_clear |= l2_book_state(book) != BOOK_LIVE;
        note_step(noting, (struct step){.kind = STEP_CLEAR}, book);
    }
    __real_l2_book_clear(book, reason);
}

int __wrap_l2_book_set_exponents(struct l2_book *book, int price_exp, int qty_exp)
{
    struct step step = {.kind = STEP_EXPONENTS, .price.exp = (int8_t)price_exp, .qty.exp = (int8_t)qty_exp};
    if (noting)
        note_step(noting, step, book);
    return __real_l2_book_set_exponents(book, price_exp, qty_exp);
}

int __wrap_json_parse(struct json *json, const char *text, size_t len)
{
    if (noting)
        noting->parsed = true;
    if (!timing)
        return __real_json_parse(json, text, len);
    int64_t start = clock_mono_ns();
    int status = __real_json_parse(json, text, len);
    parse_ns += clock_mono_ns() - start - clock_ns;
    parse_clocks += 2;
    return status;
}

int __wrap_json_dec(const struct json_node *node, struct dec *out)
{
    if (noting && node && (node->kind == JSON_NUMBER || node->kind == JSON_STRING))
        note_number(noting, node->text, node->len, node->kind);
    return __real_json_dec(node, out);
}

/* What it read for nothing belongs to the rest: the parser then reads it all. */
bool __wrap_diff_text_read(const char *text, size_t len, bool chained, struct diff_text *out,
                           struct l2_change *changes, uint32_t cap)
{
    if (!timing)
        return __real_diff_text_read(text, len, chained, out, changes, cap);
    int64_t start = clock_mono_ns();
    bool read = __real_diff_text_read(text, len, chained, out, changes, cap);
    if (read)
        parse_ns += clock_mono_ns() - start - clock_ns;
    else
        (void)clock_mono_ns();
    parse_clocks += 2;
    return read;
}

/* ---- noting ------------------------------------------------------------------------------------------- */

static enum kind seen; /* of the message at hand */

static void on_book(void *ctx, const struct venue_book *book)
{
    (void)ctx, (void)book;
    seen = BOOK;
}

static void on_best(void *ctx, const struct venue_book *book, const struct bbo *bbo)
{
    (void)ctx, (void)book, (void)bbo;
    seen = BEST;
}

static void on_trade(void *ctx, const struct venue_book *book, const struct trade *trade)
{
    (void)ctx, (void)book, (void)trade;
    seen = TRADE;
}

static const struct market_sink sink = {.book = on_book, .best = on_best, .trade = on_trade};

/* The direct reader has no seam at a number: those of [price, quantity] are found by the parser. */
static void note_levels(struct notes *self, struct json *json, const struct frame *frame)
{
    if (__real_json_parse(json, frame->text, frame->len) != OK)
        return;
    const struct json_node *root = json_root(json), *end = root + root->next;
    for (const struct json_node *node = root; node < end; node++)
        if (node->kind == JSON_ARRAY && node->size >= 2 && node[1].kind == JSON_STRING) {
            note_number(self, node[1].text, node[1].len, node[1].kind);
            note_number(self, node[2].text, node[2].len, node[2].kind);
        }
}

static void note_frame(struct notes *self, struct json *json, const struct venue_ops *ops,
                       struct venue_market *market, const struct frame *frame, struct note *note)
{
    seen = OTHER;
    self->stale_clear = self->parsed = false;
    note->first_step = self->n_steps;
    note->first_number = self->n_numbers;
    (void)ops->on_frame(market, frame);
    note->n_steps = self->n_steps - note->first_step;
    note->kind = seen == BOOK && self->stale_clear ? SNAPSHOT : seen;
    for (uint32_t i = 0; i < note->n_steps; i++) {
        const struct step *step = &self->steps[note->first_step + i];
        note->levels += step->kind == STEP_SET ? 1 : step->n_changes;
    }
    note->direct = note->n_steps > 0 && !self->parsed;
    if (note->direct)
        note_levels(self, json, frame);
    note->n_numbers = self->n_numbers - note->first_number;
}

struct notes *notes_take(const struct venue_ops *ops, const struct frames *frames)
{
    struct notes *self = taken(calloc(1, sizeof *self));
    struct json *json = taken(json_new());
    struct venue_market *market = taken(ops->open(NULL, &sink));
    self->frames = taken(calloc(frames->count, sizeof *self->frames));
    noting = self;
    for (size_t i = 0; i < frames->count; i++)
        note_frame(self, json, ops, market, &frames->at[i], &self->frames[i]);
    noting = NULL;
    ops->close(&market);
    json_destroy(&json);
    return self;
}

void notes_drop(struct notes **self)
{
    struct notes *n = *self;
    free(n->frames);
    free(n->steps);
    free(n->changes);
    free(n->numbers);
    free(n->text);
    free(n->books);
    free(n);
    *self = NULL;
}

const struct note *notes_of(const struct notes *self, size_t frame)
{
    return &self->frames[frame];
}

/* ---- the whole ------------------------------------------------------------------------------------------ */

static int64_t play_all(const struct venue_ops *ops, const struct frames *frames)
{
    struct venue_market *market = taken(ops->open(NULL, &sink));
    int64_t start = clock_mono_ns();
    for (size_t i = 0; i < frames->count; i++)
        (void)ops->on_frame(market, &frames->at[i]);
    int64_t ns = clock_mono_ns() - start;
    ops->close(&market);
    return ns;
}

void measure_whole(const struct venue_ops *ops, const struct frames *frames, const struct notes *notes,
                   struct round *round)
{
    round->all_ns = (double)play_all(ops, frames) / (double)frames->count;
    struct venue_market *market = taken(ops->open(NULL, &sink));
    timing = true;
    for (size_t i = 0; i < frames->count; i++) {
        parse_ns = 0;
        parse_clocks = 0;
        int64_t start = clock_mono_ns();
        (void)ops->on_frame(market, &frames->at[i]);
        int64_t ns = clock_mono_ns() - start - clock_ns * (1 + parse_clocks);
        double *sums = round->ns[notes->frames[i].kind];
        sums[WHOLE] += (double)ns;
        sums[JSON] += (double)parse_ns;
    }
    timing = false;
    ops->close(&market);
}

/* ---- alone ---------------------------------------------------------------------------------------------- */

static void read_numbers(const struct notes *self, const struct note *note)
{
    struct dec value;
    for (uint32_t i = 0; i < note->n_numbers; i++) {
        const struct number *n = &self->numbers[note->first_number + i];
        const char *text = self->text + n->at;
        if (note->direct && dec_scan(text, text + n->len + 16, &value)) {
            sunk += (uint64_t)value.m;
            continue;
        }
        struct json_node node = {.text = text, .len = n->len, .kind = n->kind};
        if (__real_json_dec(&node, &value) == OK)
            sunk += (uint64_t)value.m;
    }
}

static void do_steps(const struct notes *self, const struct note *note, struct l2_book **books)
{
    for (uint32_t i = 0; i < note->n_steps; i++) {
        const struct step *step = &self->steps[note->first_step + i];
        struct l2_book *book = books[step->book];
        if (step->kind == STEP_SET)
            (void)__real_l2_book_set(book, step->side, step->price, step->qty);
        else if (step->kind == STEP_APPLY)
            (void)__real_l2_book_apply(book, &self->changes[step->first_change], step->n_changes);
        else if (step->kind == STEP_CLEAR)
            __real_l2_book_clear(book, STALE_NO_SNAPSHOT);
        else
            (void)__real_l2_book_set_exponents(book, step->price.exp, step->qty.exp);
    }
}

void measure_alone(const struct notes *self, const struct frames *frames, struct round *round)
{
    struct l2_book **books = taken(calloc(self->n_books + 1, sizeof(struct l2_book *)));
    for (uint32_t i = 0; i < self->n_books; i++)
        books[i] = taken(l2_book_new());
    for (size_t i = 0; i < frames->count; i++) {
        const struct note *note = &self->frames[i];
        if (note->n_numbers == 0)
            continue;
        int64_t start = clock_mono_ns();
        read_numbers(self, note);
        double ns = (double)(clock_mono_ns() - start - clock_ns);
        round->ns[note->kind][DECIMAL] += ns;
        if (note->direct)
            round->ns[note->kind][JSON] -= ns; /* its reader reads them, too */
    }
    for (size_t i = 0; i < frames->count; i++) {
        const struct note *note = &self->frames[i];
        if (note->n_steps == 0)
            continue;
        int64_t start = clock_mono_ns();
        do_steps(self, note, books);
        round->ns[note->kind][LEVELS] += (double)(clock_mono_ns() - start - clock_ns);
    }
    for (uint32_t i = 0; i < self->n_books; i++)
        l2_book_destroy(&books[i]);
    free(books);
}
