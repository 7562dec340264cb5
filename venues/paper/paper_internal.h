/* What the paper venue keeps, and the parts it is made of:
 *
 *   paper.c     its life: taking orders, matching what is due, answering
 *   match.c     what an order takes of the book
 *   memory.c    the orders and fills it remembers, in fixed room
 *   account.c   what the account holds
 *   lines.c     its log
 *   checkpoint.c  so that a start need not read all of it
 *   paper_files.c the files of both
 */
#ifndef SLUICE_VENUES_PAPER_INTERNAL_H
#define SLUICE_VENUES_PAPER_INTERNAL_H

#include "lib/base/table.h"
#include "venues/paper/paper.h"

enum {
    NONE = -1,
    SIDE_LEVELS = 50,
    PAPER_VENUES = 64,
    PAPER_INSTRUMENTS = 4096,
    PAPER_CURRENCIES = 8192,
    LINE_BYTES = 384 /* no line is longer; the reader of the log may count on 512 */
};

enum progress { WAITING, FINISHED, REFUSED };

struct paper_fill {
    uint64_t trade; /* the trade id is VENUE-trade */
    int64_t time_ns;
    struct dec price, qty, fee;
    int next; /* of the same order, or of the free ones */
};

struct paper_order {
    char client_id[36];
    char venue[16];
    char symbol[32];
    char base[16];
    char quote[16];
    bool spot;
    enum side side;
    enum time_in_force tif;
    struct dec limit, qty, filled;
    enum progress progress;
    enum reason reason;
    int64_t taken_ns, due_ns, ended_ns; /* market time */
    int64_t sent_mono_ns;               /* 0 after a restart */
    uint64_t number;                    /* the venue's id is VENUE-oNUMBER */
    bool used, queued;
    bool logged;   /* its taking is in the log */
    bool unlogged; /* its names cannot stand in a log of words: refused, and never written */
    int first_fill, last_fill;
    int same_hash;     /* next with that hash */
    int before, after; /* in the queue */
};

struct paper_venue {
    char name[16];
    uint64_t trades, orders; /* numbers given out */
};

/* What was taken of each level of a book, while it is the same book. */
struct taken {
    uint64_t version;
    int64_t qty[2][SIDE_LEVELS]; /* at the book's exponent; [0] of the asks, [1] of the bids */
};

/* What an order makes of a book. */
struct take {
    uint32_t level;
    int64_t of_level; /* at the book's exponent of quantities, rounded up */
    struct dec price, qty, fee;
};

struct outcome {
    bool refused;
    enum reason reason;
    uint32_t index; /* of the instrument in the view */
    uint32_t n;
    struct take at[SIDE_LEVELS];
    struct dec filled;
};

struct paper {
    const struct config *config;
    const struct view *view;
    struct paper_log log;
    int64_t latency_ns;

    struct paper_venue venues[PAPER_VENUES];
    uint32_t n_venues;

    struct paper_order *orders;
    uint32_t capacity;
    uint32_t next; /* where the next order goes: the oldest stand from here on */
    int *hashed;
    uint32_t hash_mask;
    int queue_first, queue_last; /* by due time */
    uint32_t queued;
    struct paper_fill *fills;
    int free_fill;

    struct taken *taken;      /* by view index */
    struct table *currencies; /* "venue currency" */
    money *balances;          /* by index of currencies */

    char lines[LINE_BYTES * (SIDE_LEVELS + 1)]; /* of one outcome */
    size_t lines_len;
    struct outcome outcome;

    uint64_t log_bytes; /* of whole lines written so far */
    uint32_t since,
        every;        /* orders in the log since the last checkpoint was made, and how many make one due */
    char *checkpoint; /* the last that was made; NULL: none are */
    size_t checkpoint_len;
};

/* ---- paper.c ----------------------------------------------------------------------------------------- */

/* Takes a new order into memory and the queue, nothing written yet. NULL: no room. */
struct paper_order *paper_take(struct paper *self, const struct order *told, int64_t time_ns);

/* ---- memory.c ---------------------------------------------------------------------------------------- */

int memory_open(struct paper *self, uint32_t orders); /* E_FULL: out of memory */
void memory_close(struct paper *self);
struct paper_order *memory_find(const struct paper *self, const char *client_id);
/* A cleared order under a client id; the oldest that is answered is forgotten for it. NULL: all wait. */
struct paper_order *memory_take(struct paper *self, const char *client_id);
/* Adds a fill to an order; of the oldest answered orders as many are forgotten as it takes. NULL: no room. */
struct paper_fill *memory_add_fill(struct paper *self, struct paper_order *order);
void memory_queue(struct paper *self, struct paper_order *order, int64_t due_ns);
void memory_unqueue(struct paper *self, struct paper_order *order);
/* NULL: too many venues. */
struct paper_venue *memory_venue(struct paper *self, const char *name);

/* ---- account.c --------------------------------------------------------------------------------------- */

/* Sees to it that the account has what it started with of a currency. E_IO, E_FULL. */
int account_open(struct paper *self, const char *venue, const char *currency);
int account_set(struct paper *self, const char *venue, const char *currency, money amount);
/* Whether the whole outcome can be paid: OK, E_REFUSED, E_RANGE. */
int account_check(const struct paper *self, const struct paper_order *order, const struct outcome *outcome);
/* E_RANGE, E_ABSENT (the currency was never opened): nothing is booked. */
int account_book(struct paper *self, const struct paper_order *order, struct dec price, struct dec qty,
                 struct dec fee);

/* ---- match.c ----------------------------------------------------------------------------------------- */

/* What the order takes of the book as it stands; nothing is changed by it. */
void match_order(struct paper *self, const struct paper_order *order, struct outcome *outcome);
/* Notes what it took. */
void match_take(struct paper *self, const struct paper_order *order, const struct outcome *outcome);

/* ---- lines.c ----------------------------------------------------------------------------------------- */

int lines_restore(struct paper *self, const char *line, size_t len);     /* E_SYNTAX */
void lines_order(const struct paper_order *order, char out[LINE_BYTES]); /* without its newline */
bool lines_word(const char *text);                                       /* can stand in a line */
int lines_write_start(struct paper *self, const char *venue, const char *currency, money amount);
int lines_write_order(struct paper *self, struct paper_order *order);
/* All lines of how an order ended, in one write. Trade numbers count from first_trade. */
int lines_write_outcome(struct paper *self, const struct paper_order *order, const struct outcome *outcome,
                        uint64_t first_trade, int64_t time_ns);

/* ---- checkpoint.c ------------------------------------------------------------------------------------ */

int checkpoint_open(struct paper *self); /* E_FULL: out of memory */
/* Before an order is taken, or its line is read back. */
void checkpoint_watch(struct paper *self, bool restoring);

#endif
