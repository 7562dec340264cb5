/* The bytes of a journal, as its owner writes them and its readers take them. Internal to journal*.c, the journal
 * verb and the tests.
 *
 * A segment is a file named by the position of its first record, 20 digits and ".log". It begins with a header:
 *   0  magic     8 bytes "SLUICEJ1"
 *   8  first_pos u64     as in the name
 *  16  epoch     u64     of the record before the first; 0 = none
 *  24  zero      u32
 *  28  crc       u32     CRC32C of the 28 bytes before
 * then records, each of a length divisible by 8:
 *   0  crc     u32     CRC32C of everything after it, padding too
 *   4  length  u32     of the payload
 *   8  epoch   u64
 *  16  pos     u64
 *  24  time    i64     ns
 *  32  payload, then zeros to a multiple of 8
 * All little-endian.
 *
 * A record that does not hold is the torn tail when, in the last segment, nothing whole comes after it, or when it does
 * not hold because of a hole: zeros to the end of a block of 512 bytes, from the record's begin or from the begin of a
 * block of it on. Blocks reach the disk in any order, so a loss of power leaves such holes in what was not synced, with
 * whole records behind them. A sync covers all that comes before, so nothing behind a hole was ever synced; and an owner
 * syncs what it finds before it begins a new epoch, so behind a hole there is one epoch only. Anything else is
 * corruption. (A record that holds a whole block of zeros itself, and then a flipped bit, is taken for a hole.)
 */
#ifndef SLUICE_RUNTIME_JOURNAL_RECORD_H
#define SLUICE_RUNTIME_JOURNAL_RECORD_H

#include <sys/types.h>

#include "lib/runtime/journal.h"

enum {
    SEGMENT_HEADER = 32,
    RECORD_HEADER = 32,
    RECORD_MAX = RECORD_HEADER + JOURNAL_PAYLOAD_MAX,
    SEGMENTS_MAX = 16384,
    SEGMENT_NAME = 32, /* bytes for a name with its NUL */
    JOURNAL_PATH_MAX = 512
};

/* CRC-32C (Castagnoli), as iSCSI: of "123456789" it is 0xE3069283. */
uint32_t crc32c(const void *bytes, size_t len);

/* Bytes a record of this payload takes. */
size_t record_bytes(size_t len);

/* Lays out a record; out has record_bytes(len). */
void record_encode(void *out, uint64_t epoch, uint64_t pos, int64_t time_ns, const void *payload, size_t len);

/* The same in two steps: without its sum, then the sums of all records that stand in `len` bytes. The sum reads what was
 * just written in wider pieces than it was written in, for which a processor waits: so it comes later. */
void record_lay_out(void *out, uint64_t epoch, uint64_t pos, int64_t time_ns, const void *payload,
                    size_t len);
void records_seal(void *records, size_t len);

void segment_header_encode(unsigned char out[SEGMENT_HEADER], uint64_t first_pos, uint64_t epoch_before);

/* Whether a header holds and is of this position; then the epoch in it. */
bool segment_header_decode(const unsigned char header[SEGMENT_HEADER], uint64_t first_pos,
                           uint64_t *epoch_before);

void segment_name(uint64_t first_pos, char out[SEGMENT_NAME]);

/* First positions of all segments in a directory, ascending. Returns how many; E_IO; E_FULL above max. */
int segments_list(const char *dir, uint64_t *first, size_t max);

/* ---- one segment, record by record ------------------------------------------------------------------ */

enum cursor_result {
    CURSOR_RECORD,
    CURSOR_END,    /* ends after a whole record */
    CURSOR_TORN,   /* ends within a record, with nothing whole behind, or at a hole */
    CURSOR_CORRUPT /* a record does not hold, without a hole, and whole ones follow */
};

enum { CURSOR_BYTES = 2 * RECORD_MAX };

struct cursor {
    int fd;               /* -1 = none */
    uint64_t first_pos;   /* of the segment */
    uint64_t epoch;       /* of the record before */
    uint64_t pos;         /* of the record before */
    off_t offset;         /* of the next record */
    off_t at;             /* where in the file the buffer begins */
    size_t have;          /* bytes in it */
    unsigned char *bytes; /* CURSOR_BYTES, the caller's */
    const char *why;      /* TORN and CORRUPT: what is wrong, in words */
    uint64_t behind;      /* TORN: whole records behind the hole */
};

/* Opens a segment and reads its header: CURSOR_END when that holds, CURSOR_TORN, CURSOR_CORRUPT, or E_IO, E_ABSENT.
 * The cursor needs its fd closed also when the header does not hold. */
int cursor_open(struct cursor *c, const char *dir, uint64_t first_pos);
void cursor_close(struct cursor *c);

/* Reads the next record; E_IO. On anything but RECORD the cursor stays, and reads the file afresh next time. */
int cursor_next(struct cursor *c, struct journal_record *out);

#endif
