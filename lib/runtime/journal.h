/* A journal: an append-only sequence of records in segment files, in one directory that one process owns.
 *
 * Record: CRC32C over everything after it, length, epoch, pos, time, payload (journal_record.h). Positions are contiguous from 1;
 * epochs rise. Segments are named by their first position and rolled by size.
 *
 * Promises: what journal_write returned OK for survives the process; what journal_synced covers survives power
 * loss (as far as the device keeps fdatasync's word). A torn tail is cut at open and reported, at the first hole that a
 * loss of power has left in it. A record whose CRC does not fit is never served: reading stops with E_CORRUPT and the
 * file, offset and position in words.
 */
#ifndef SLUICE_RUNTIME_JOURNAL_H
#define SLUICE_RUNTIME_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/status.h"

struct journal;

struct journal_options {
    uint64_t segment_bytes; /* up to an eighth more, so that another begins behind a sync */
    int64_t
        sync_every_ns; /* 0 = at every journal_write (always), -1 = never, else by a thread on this rhythm */
};

struct journal_record {
    uint64_t epoch;
    uint64_t pos;
    int64_t time_ns;
    const void *payload; /* valid until the next call on the same reader */
    size_t len;
};

enum { JOURNAL_PAYLOAD_MAX = 64 * 1024, JOURNAL_BUFFER_BYTES = 4 * 1024 * 1024, JOURNAL_ERROR_MAX = 256 };

/* Opens or creates a journal in dir (made when absent), takes the exclusive lock (E_BUSY when another process
 * has it), cuts a torn tail. In `error` words on failure, and on OK a note when something was cut, else "". */
int journal_open(const char *dir, const struct journal_options *options, struct journal **out,
                 char error[JOURNAL_ERROR_MAX]);
void journal_close(struct journal **self); /* writes what is buffered and, but for sync never, syncs */

/* Buffers one record. pos must be the head's plus one, epoch not below the head's (E_STATE). E_RANGE: too long. E_FULL: the
 * buffer (JOURNAL_BUFFER_BYTES) has no room; journal_write makes it. */
int journal_append(struct journal *self, uint64_t epoch, uint64_t pos, int64_t time_ns, const void *payload,
                   size_t len);

/* One write() of everything buffered. E_IO (disk full, short write, error): what could not be written stays
 * buffered, nothing of it counts as written, and the call may be repeated; words in journal_error. After a
 * failed fdatasync every call is E_IO, for good: journal_doubtful. */
int journal_write(struct journal *self);

/* Waits until everything written is on disk; with sync never nothing is waited for. E_IO. */
int journal_sync(struct journal *self);

/* The same for what was written up to pos, from another thread than the owner's; words are told by its next call. */
int journal_sync_to(struct journal *self, uint64_t pos);

uint64_t journal_head_epoch(const struct journal *self); /* of the last record written; 0 = empty */
uint64_t journal_head_pos(const struct journal *self);
uint64_t journal_first_pos(const struct journal *self);  /* oldest still there; 0 = empty */
uint64_t journal_synced_pos(const struct journal *self); /* with sync never: the written one */
uint64_t journal_bytes(const struct journal *self);      /* of all segments */
const char *journal_error(const struct journal *self);

/* An fdatasync has failed. The kernel may have dropped what it was to write, still show it, and call a later sync a
 * success: so no sync of this process counts any more, and its owner must end. Who opens the journal next writes the
 * newest segment over itself and syncs that before it relies on it. */
bool journal_doubtful(const struct journal *self);

struct journal_segment {
    uint64_t first_pos, last_pos;
    uint64_t last_epoch; /* of the last record; UINT64_MAX = not known */
    uint64_t bytes;
    int64_t changed_ns; /* when it was last written to, UTC; -1 = not known */
};

uint64_t
journal_newest(const struct journal *self); /* first position of the newest segment; 0 = there is none */

/* The i-th oldest segment; false: there is none, or it is the newest, which always stays. */
bool journal_oldest(const struct journal *self, size_t i, struct journal_segment *out);

/* Removes whole segments that end at or below pos. The newest segment always stays. */
int journal_free_below(struct journal *self, uint64_t pos);

/* ---- reading: by the owner while it writes, or by anybody else (dir only, no lock) ------------------------- */

struct journal_reader;

/* from_pos below the oldest record, such as 0, starts at the oldest. E_IO: no such directory. */
int journal_reader_open(const char *dir, uint64_t from_pos, struct journal_reader **out,
                        char error[JOURNAL_ERROR_MAX]);
void journal_reader_close(struct journal_reader **self);

/* 1 = got a record; 0 = no more for now (a torn tail counts as no more); E_ABSENT: what comes next was
 * freed meanwhile; E_CORRUPT, E_IO; with words. */
int journal_reader_next(struct journal_reader *self, struct journal_record *out);

/* Passes over at most n records below from_pos, so that the next journal_reader_next has nothing to pass over. 1 = done;
 * 0 = there are more; errors as of journal_reader_next. */
int journal_reader_approach(struct journal_reader *self, uint32_t n);
const char *journal_reader_error(const struct journal_reader *self);

#endif
