/* sluice books: a recording through its venues' own parsers and books; one line of best prices for each book
 * message that was applied. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "tools/verb.h"
#include "venues/recording.h"

enum { VENUES_MAX = 32, BEST_TEXT = 4 * DEC_TEXT_MAX };

struct open_venue {
    const struct venue_ops *ops;
    struct venue_market *market;
    struct market_counters before; /* counters after the frame before */
};

struct run {
    const char *path;
    const char *instruments_path;
    bool stats;
    bool progress;
    struct instrument_file *instruments;
    struct recording *recording;
    struct open_venue venues[VENUES_MAX];
    uint32_t n_venues;
    struct open_venue *at_hand; /* whose frame is being taken */
    char *url;                  /* of the line before, and its venue: most lines repeat it */
    struct open_venue *url_venue;
    uint64_t line;
    uint64_t unreadable;
    uint64_t foreign; /* frames of venues that are not built in */
    uint64_t printed;
    int64_t next_progress;
};

/* ---- what comes out --------------------------------------------------------------------------------- */

/* A crossed book follows the venue's messages as before: it is not to be traded on, but it is what the venue
 * says. */
static bool synchronised(const struct l2_book *book)
{
    return l2_book_state(book) == BOOK_LIVE || l2_book_reason(book) == STALE_CROSSED;
}

static void print_book(void *ctx, const struct venue_book *book)
{
    struct run *run = ctx;
    char text[BEST_TEXT];
    if (synchronised(book->book)) {
        l2_book_best_text(book->book, text, sizeof text);
        printf("%" PRIu64 " %s %s\n", run->line, book->inst.venue_symbol, text);
        run->printed++;
    } else if (run->stats) {
        fprintf(stderr, "line %" PRIu64 ": %s STALE: %s\n", run->line, book->inst.venue_symbol,
                stale_reason_text(l2_book_reason(book->book)));
    }
}

/* Says what a frame did to its venue beside touching books. */
static void say_events(struct run *run, struct open_venue *venue, int status)
{
    const struct market_counters *now = venue->ops->counters(venue->market);
    const struct market_counters *before = &venue->before;
    const char *what = now->snapshots_rejected > before->snapshots_rejected ? "snapshot rejected"
                       : now->gaps > before->gaps                           ? "gap"
                       : now->overflows > before->overflows                 ? "buffer overflow"
                       : status != OK                                       ? "parse error"
                                                                            : NULL;
    if (run->stats && what)
        fprintf(stderr, "line %" PRIu64 ": %s: %s\n", run->line, what, now->last_error);
    if (run->stats && now->resyncs > before->resyncs)
        fprintf(stderr, "line %" PRIu64 ": synchronised again\n", run->line);
    venue->before = *now;
}

static void print_stats(const struct run *run)
{
    fprintf(stderr,
            "%s: %" PRIu64 " lines, %" PRIu64 " unreadable, %" PRIu64 " of other venues, %" PRIu64
            " printed\n",
            run->path, run->line, run->unreadable, run->foreign, run->printed);
    for (uint32_t i = 0; i < run->n_venues; i++) {
        const struct open_venue *v = &run->venues[i];
        const struct market_counters *c = v->ops->counters(v->market);
        fprintf(stderr,
                "%s: frames %" PRIu64 " malformed %" PRIu64 " ignored %" PRIu64 " applied %" PRIu64
                " gaps %" PRIu64 " resyncs %" PRIu64 " snapshots_rejected %" PRIu64 " overflows %" PRIu64
                "\n",
                v->ops->name, c->frames, c->malformed, c->ignored, c->applied, c->gaps, c->resyncs,
                c->snapshots_rejected, c->overflows);
        for (uint32_t b = 0; b < v->ops->books(v->market); b++) {
            const struct venue_book *book = v->ops->book_at(v->market, b);
            fprintf(stderr, "  %-16s %-18s %s", book->inst.venue_symbol,
                    book->inst.symbol[0] ? book->inst.symbol : "(no name)",
                    book_state_text(l2_book_state(book->book)));
            if (l2_book_state(book->book) != BOOK_LIVE)
                fprintf(stderr, " %s", stale_reason_text(l2_book_reason(book->book)));
            fprintf(stderr, ", levels %u/%u, seq %" PRIu64 ", gaps %" PRIu64 ", resyncs %" PRIu64 "\n",
                    l2_book_depth(book->book, SIDE_BUY), l2_book_depth(book->book, SIDE_SELL),
                    book->venue_seq, book->gaps, book->resyncs);
        }
    }
}

static void show_progress(struct run *run, bool last)
{
    int64_t now = run->progress ? clock_mono_ns() : 0;
    if (!run->progress || (now < run->next_progress && !last))
        return;
    run->next_progress = now + 200 * NS_PER_MS;
    uint64_t size = recording_size(run->recording);
    double done = size ? 100.0 * (double)recording_consumed(run->recording) / (double)size : 0;
    fprintf(stderr, "\r%s: %3.0f %%, %" PRIu64 " lines%s", run->path, last ? 100 : done, run->line,
            last ? "\n" : "");
}

/* ---- what goes in ----------------------------------------------------------------------------------- */

static struct open_venue *venue_for(struct run *run, const struct venue_ops *ops)
{
    for (uint32_t i = 0; i < run->n_venues; i++) {
        if (run->venues[i].ops == ops)
            return &run->venues[i];
    }
    if (run->n_venues == VENUES_MAX)
        return NULL;
    struct market_sink sink = {.ctx = run, .book = print_book};
    struct open_venue *venue = &run->venues[run->n_venues];
    venue->ops = ops;
    venue->market = ops->open(run->instruments, &sink);
    if (!venue->market)
        return NULL;
    run->n_venues++;
    return venue;
}

static struct open_venue *venue_of_line(struct run *run, const char *url)
{
    if (run->url && strcmp(run->url, url) == 0)
        return run->url_venue;
    const struct venue_ops *ops = venue_of_url(url);
    free(run->url);
    run->url = strdup(url);
    run->url_venue = ops ? venue_for(run, ops) : NULL;
    return run->url_venue;
}

static void take_line(struct run *run, const struct recorded_line *line)
{
    run->line = line->line;
    if (!line->readable) {
        run->unreadable++;
        if (run->stats)
            fprintf(stderr, "%s\n", recording_error(run->recording));
        return;
    }
    if (!line->inbound && line->frame.kind != FRAME_CONNECT && line->frame.kind != FRAME_CLOSE)
        return;
    struct open_venue *venue = venue_of_line(run, line->frame.url);
    if (!venue) {
        run->foreign++;
        return;
    }
    int status = venue->ops->on_frame(venue->market, &line->frame);
    say_events(run, venue, status);
}

static int read_all(struct run *run)
{
    struct recorded_line line;
    int got;
    while ((got = recording_next(run->recording, &line)) == 1) {
        take_line(run, &line);
        if (line.line % 1024 == 0)
            show_progress(run, false);
    }
    show_progress(run, true);
    if (run->stats)
        print_stats(run);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "sluice books: cannot write the output\n");
        return EXIT_FAILED;
    }
    if (got < 0) {
        fprintf(stderr, "sluice books: %s: %s\n", run->path, recording_error(run->recording));
        return EXIT_FAILED;
    }
    if (run->n_venues == 0) {
        fprintf(stderr,
                "sluice books: %s: no line of a venue that is known here (%" PRIu64 " lines, %" PRIu64
                " of other venues, %" PRIu64 " unreadable)\n",
                run->path, run->line, run->foreign, run->unreadable);
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}

static int open_all(struct run *run)
{
    char error[256];
    if (run->instruments_path &&
        instrument_file_open(run->instruments_path, &run->instruments, error, sizeof error) != OK) {
        fprintf(stderr, "sluice books: --instruments: %s\n", error);
        return EXIT_CONFIG;
    }
    if (recording_open(run->path, &run->recording, error, sizeof error) != OK) {
        fprintf(stderr, "sluice books: %s\n", error);
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}

static void close_all(struct run *run)
{
    for (uint32_t i = 0; i < run->n_venues; i++)
        run->venues[i].ops->close(&run->venues[i].market);
    recording_close(&run->recording);
    instrument_file_close(&run->instruments);
    free(run->url);
}

/* ---- the command line ------------------------------------------------------------------------------- */

static void usage(FILE *out)
{
    fprintf(out,
            "usage: sluice books RECORDING.jsonl.gz [--instruments FILE] [--stats]\n"
            "\n"
            "Runs a recording of exchange traffic through the venue's parser and books, and prints for each\n"
            "book message that was applied: LINE SYMBOL BIDPRICE BIDSIZE ASKPRICE ASKSIZE.\n"
            "\n"
            "  --instruments FILE  price and quantity steps, JSON {venue: {symbol: {...}}}\n"
            "  --stats             counters, gaps, rejected snapshots and parse errors, to standard error\n"
            "  --help              this text\n"
            "\n"
            "Venues:");
    for (const struct venue_ops *const *venue = venues_all; *venue; venue++)
        fprintf(out, " %s", (*venue)->name);
    fprintf(out, "\nExit codes: 0 done, 1 the recording cannot be read or is of no known venue, 2 usage,\n"
                 "3 the instrument file is wrong.\n");
}

static int read_options(struct run *run, int argc, char **argv)
{
    static const struct option options[] = {{"instruments", required_argument, NULL, 'i'},
                                            {"stats", no_argument, NULL, 's'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int option;
    optind = 0;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        switch (option) {
        case 'i':
            run->instruments_path = optarg;
            break;
        case 's':
            run->stats = true;
            break;
        case 'h':
            usage(stdout);
            return -1;
        case ':':
            fprintf(stderr, "sluice books: %s: expected a value\n", argv[optind - 1]);
            return EXIT_USAGE;
        default:
            fprintf(stderr, "sluice books: unknown flag '%s'; see sluice books --help\n", argv[optind - 1]);
            return EXIT_USAGE;
        }
    }
    if (argc - optind != 1) {
        fprintf(stderr, "sluice books: expected one recording, got %d; see sluice books --help\n",
                argc - optind);
        return EXIT_USAGE;
    }
    run->path = argv[optind];
    return EXIT_DONE;
}

int verb_books(int argc, char **argv)
{
    struct run run = {.path = NULL};
    int code = read_options(&run, argc, argv);
    if (code != EXIT_DONE)
        return code < 0 ? EXIT_DONE : code;
    run.progress = isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO) && !run.stats;
    code = open_all(&run);
    if (code == EXIT_DONE)
        code = read_all(&run);
    close_all(&run);
    return code;
}
