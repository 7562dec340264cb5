/* What the parts of the measurement of the feed share. Inside bench/feed*.c only. */
#ifndef SLUICE_BENCH_FEED_H
#define SLUICE_BENCH_FEED_H

#include "venues/recording.h"

enum { ROUNDS = 9 };

/* A message's kind is what it led to. */
enum kind { BOOK, SNAPSHOT, BEST, TRADE, OTHER, KINDS };

struct frames {
    struct frame *at;
    size_t count, cap, bytes;
};

/* What a frame led to when it was taken first. */
struct note {
    enum kind kind;
    bool direct; /* read without the parser */
    uint32_t first_step, n_steps;
    uint32_t first_number, n_numbers;
    uint32_t levels;
};

/* What a round found, JSON is without the decimals, whichever reader it was. */
enum stage { WHOLE, JSON, DECIMAL, LEVELS, REST, CORE, ENCODE, PUBLISH, STAGES };

struct round {
    double all_ns; /* a frame, of all kinds, under one clock */
    double frame_ns;
    double ns[KINDS][STAGES];
};

/* What the readings of the clock between two marks cost, ns; found at start. */
extern int64_t clock_ns;

void *taken(void *memory); /* ends the program when it is NULL */

/* ---- feed_notes.c: what the venue's code does, noted once and done again alone --------------------- */

struct notes;

struct notes *notes_take(const struct venue_ops *ops, const struct frames *frames);
void notes_drop(struct notes **self);
const struct note *notes_of(const struct notes *self, size_t frame);

/* Each of these adds up its stages of a round, ns of all messages of a kind; measure_whole goes first. */
void measure_whole(const struct venue_ops *ops, const struct frames *frames, const struct notes *notes,
                   struct round *round);
void measure_alone(const struct notes *notes, const struct frames *frames, struct round *round);

/* ---- feed_publish.c: what follows behind the book ---------------------------------------------------- */

struct outlet; /* an XPUB socket, and a subscriber that takes all of it in a thread of its own */

struct outlet *outlet_open(void);
void outlet_close(struct outlet **self);
void measure_publish(struct outlet *outlet, const struct venue_ops *ops, const struct frames *frames,
                     const struct notes *notes, struct round *round);

/* ---- feed_frames.c: the hand-over by the transport --------------------------------------------------- */

struct wire; /* a process that sends the recording's messages, and a connection to it */

struct wire *wire_open(const struct frames *frames); /* before any thread is begun */
void wire_close(struct wire **self);
double wire_ns(struct wire *self); /* CPU time of the receiving thread, a message */

#endif
