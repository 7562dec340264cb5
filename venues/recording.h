/* Reading recorded exchange traffic: gzip'd (or plain) JSON lines, each a frame as it was received or sent:
 *   {"t": seconds, ["t_ns": ns,] "dir": "in"|"out", "kind": "connect"|"ws"|"http", "conn": n, "url": "...",
 *    "msg": "raw text" [, "bin": true] | "b64": "..."}
 *
 * A directory is one recording: its files *.jsonl and *.jsonl.gz, one behind the other in the order of their names, as
 * a capture leaves them. A file that ends before its time, because who wrote it was killed, is read as far as it goes.
 * Where a file is the first of another life of the feed (…-000001), every connection seen so far is closed.
 */
#ifndef SLUICE_VENUES_RECORDING_H
#define SLUICE_VENUES_RECORDING_H

#include "venues/market.h"

struct recording;

/* E_IO with words in error. */
int recording_open(const char *path, struct recording **out, char *error, size_t error_cap);
void recording_close(struct recording **self);

struct recorded_line {
    uint64_t line; /* from 1, all lines of all files counted; of a close that no file tells, the line before it */
    bool inbound;
    bool readable;      /* false: not a line of the form above; error says why */
    struct frame frame; /* valid until the next call */
};

/* Next line. 1 = got one, 0 = end, E_IO = the file is damaged (error says where). */
int recording_next(struct recording *self, struct recorded_line *out);
const char *recording_error(const struct recording *self);

/* Bytes of the file consumed, and its size, for progress. */
uint64_t recording_consumed(const struct recording *self);
uint64_t recording_size(const struct recording *self);

#endif
