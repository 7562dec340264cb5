#include "lib/runtime/journal_record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <isa-l/crc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/runtime/disk.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the journal's integers are copied as they stand");

/* What a device writes whole or not at all. */
enum { BLOCK_BYTES = 512 };

/* A whole record in a file: where it begins, where the next does. */
struct found {
    off_t at, behind;
    uint64_t epoch;
};

static const unsigned char magic[8] = {'S', 'L', 'U', 'I', 'C', 'E', 'J', '1'};

uint32_t crc32c(const void *bytes, size_t len)
{
    /* ISA-L leaves the inversions of the standard to its caller, and takes no const. */
    return ~crc32_iscsi((unsigned char *)(uintptr_t)bytes, (int)len, ~0u);
}

size_t record_bytes(size_t len)
{
    return (RECORD_HEADER + len + 7) & ~(size_t)7;
}

static uint32_t get_u32(const unsigned char *at)
{
    uint32_t v;
    memcpy(&v, at, sizeof v);
    return v;
}

static uint64_t get_u64(const unsigned char *at)
{
    uint64_t v;
    memcpy(&v, at, sizeof v);
    return v;
}

void record_lay_out(void *out, uint64_t epoch, uint64_t pos, int64_t time_ns, const void *payload, size_t len)
{
    unsigned char *to = out;
    const uint32_t length = (uint32_t)len;
    memset(to + record_bytes(len) - 8, 0, 8); /* the padding; what else stands there follows */
    memcpy(to + 4, &length, 4);
    memcpy(to + 8, &epoch, 8);
    memcpy(to + 16, &pos, 8);
    memcpy(to + 24, &time_ns, 8);
    if (len > 0)
        memcpy(to + RECORD_HEADER, payload, len);
}

void records_seal(void *records, size_t len)
{
    unsigned char *at = records;
    for (size_t done = 0, total; done < len; done += total, at += total) {
        total = record_bytes(get_u32(at + 4));
        const uint32_t crc = crc32c(at + 4, total - 4);
        memcpy(at, &crc, 4);
    }
}

void record_encode(void *out, uint64_t epoch, uint64_t pos, int64_t time_ns, const void *payload, size_t len)
{
    record_lay_out(out, epoch, pos, time_ns, payload, len);
    records_seal(out, record_bytes(len));
}

void segment_header_encode(unsigned char out[SEGMENT_HEADER], uint64_t first_pos, uint64_t epoch_before)
{
    memcpy(out, magic, 8);
    memcpy(out + 8, &first_pos, 8);
    memcpy(out + 16, &epoch_before, 8);
    memset(out + 24, 0, 4);
    const uint32_t crc = crc32c(out, 28);
    memcpy(out + 28, &crc, 4);
}

bool segment_header_decode(const unsigned char header[SEGMENT_HEADER], uint64_t first_pos,
                           uint64_t *epoch_before)
{
    const bool holds = memcmp(header, magic, sizeof magic) == 0 && get_u64(header + 8) == first_pos &&
                       crc32c(header, 28) == get_u32(header + 28);
    if (holds)
        *epoch_before = get_u64(header + 16);
    return holds;
}

void segment_name(uint64_t first_pos, char out[SEGMENT_NAME])
{
    snprintf(out, SEGMENT_NAME, "%020" PRIu64 ".log", first_pos);
}

static bool segment_of_name(const char *name, uint64_t *first_pos)
{
    if (strlen(name) != 24 || strcmp(name + 20, ".log") != 0 || strspn(name, "0123456789") != 20)
        return false;
    errno = 0;
    *first_pos = strtoull(name, NULL, 10);
    return errno == 0 && *first_pos > 0;
}

static int ascending(const void *a, const void *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

struct listing {
    uint64_t *first;
    size_t n, max;
};

static int list_one(void *listing, const char *name)
{
    struct listing *l = listing;
    uint64_t pos;
    if (!segment_of_name(name, &pos))
        return 0;
    if (l->n == l->max)
        return E_FULL;
    l->first[l->n++] = pos;
    return 0;
}

int segments_list(const char *dir, uint64_t *first, size_t max)
{
    struct listing all = {.first = first, .max = max};
    const int fd = disk_dir(dir, false);
    if (fd < 0)
        return E_IO;
    const int status = disk_list(fd, list_one, &all);
    const int number = errno;
    disk_close(fd);
    errno = number;
    if (status != 0)
        return status == E_FULL ? E_FULL : E_IO;
    qsort(first, all.n, sizeof *first, ascending);
    return (int)all.n;
}

/* ---- cursor ------------------------------------------------------------------------------------------ */

/* Makes `want` bytes from file offset `from` stand in the buffer, if the file has them. Returns how many of
 * them there are, and where; E_IO. */
static ssize_t fill(struct cursor *c, off_t from, size_t want, const unsigned char **out)
{
    if (from < c->at || from + (off_t)want > c->at + (off_t)c->have) {
        c->at = from;
        c->have = 0;
        while (c->have < CURSOR_BYTES) {
            const ssize_t got =
                disk_read(c->fd, c->bytes + c->have, CURSOR_BYTES - c->have, from + (off_t)c->have);
            if (got < 0 && errno == EINTR)
                continue;
            if (got < 0)
                return E_IO;
            if (got == 0)
                break;
            c->have += (size_t)got;
        }
    }
    const size_t skip = (size_t)(from - c->at);
    *out = c->bytes + skip;
    const size_t there = c->have - skip;
    return (ssize_t)(there < want ? there : want);
}

/* Finds the first whole record with a later position that begins at or behind `from`: 1 and where it stands, how long
 * it is, its epoch; 0, E_IO. Positions and lengths are looked at before the sum, so that the search costs a sum only
 * where a record may be. */
static int whole_behind(struct cursor *c, off_t from, struct found *out)
{
    for (off_t at = from;; at += 8) {
        const unsigned char *b;
        const ssize_t head = fill(c, at, RECORD_HEADER, &b);
        if (head < 0)
            return E_IO;
        if (head < RECORD_HEADER)
            return 0;
        const uint64_t ahead = get_u64(b + 16) - c->pos, epoch = get_u64(b + 8);
        const uint32_t len = get_u32(b + 4);
        if (len > JOURNAL_PAYLOAD_MAX || ahead == 0 ||
            ahead > (uint64_t)(at - c->offset) / RECORD_HEADER + 1 || epoch < c->epoch)
            continue;
        const size_t total = record_bytes(len);
        const ssize_t got = fill(c, at, total, &b);
        if (got < 0)
            return E_IO;
        if ((size_t)got == total && crc32c(b + 4, total - 4) == get_u32(b)) {
            *out = (struct found){.at = at, .behind = at + (off_t)total, .epoch = epoch};
            return 1;
        }
    }
}

/* Whether the file has zeros from `from` to the end of that block. 1, 0, E_IO. */
static int is_unwritten(struct cursor *c, off_t from)
{
    static const unsigned char zeros[BLOCK_BYTES];
    const unsigned char *b;
    const ssize_t got = fill(c, from, BLOCK_BYTES - (size_t)(from % BLOCK_BYTES), &b);
    return got < 0 ? E_IO : got > 0 && memcmp(b, zeros, (size_t)got) == 0;
}

/* Whether the record at hand is not whole because a block of it was never written: its first, which ends in zeros from
 * the record on, or a later one. A length that reaches past the end, or over a whole record, is not believed. */
static int begins_a_hole(struct cursor *c, off_t first_whole)
{
    const unsigned char *b;
    const ssize_t got = fill(c, c->offset, 8, &b);
    if (got < 8)
        return got < 0 ? E_IO : 0;
    const uint32_t len = get_u32(b + 4);
    const off_t end = c->offset + (off_t)(len <= JOURNAL_PAYLOAD_MAX ? record_bytes(len) : RECORD_HEADER);
    int unwritten = is_unwritten(c, c->offset);
    for (off_t at = c->offset - c->offset % BLOCK_BYTES + BLOCK_BYTES;
         unwritten == 0 && end <= first_whole && at < end; at += BLOCK_BYTES)
        unwritten = is_unwritten(c, at);
    return unwritten;
}

/* Whole records behind a hole, into c->behind. TORN; CORRUPT when they are of more than one epoch: each owner has put
 * on disk what it found before it began its own, so the hole is no loss of what was not synced. E_IO. */
static int count_behind(struct cursor *c, struct found whole)
{
    const uint64_t epoch = whole.epoch;
    int got = 1;
    for (c->behind = 0; got == 1 && whole.epoch == epoch; c->behind++)
        got = whole_behind(c, whole.behind, &whole);
    return got < 0 ? E_IO : got == 1 ? CURSOR_CORRUPT : CURSOR_TORN;
}

/* Says what a record that does not hold is: the torn tail, or damage. */
static int judge(struct cursor *c, const char *why)
{
    struct found whole;
    c->why = why;
    c->behind = 0;
    int got = whole_behind(c, c->offset + 8, &whole);
    if (got == 1) {
        const int hole = c->offset < SEGMENT_HEADER ? 0 : begins_a_hole(c, whole.at);
        got = hole < 0 ? E_IO : hole ? count_behind(c, whole) : CURSOR_CORRUPT;
        if (got == CURSOR_TORN)
            c->why = "a block was never written";
    } else if (got == 0) {
        got = CURSOR_TORN;
    }
    c->have = 0;
    return got;
}

int cursor_open(struct cursor *c, const char *dir, uint64_t first_pos)
{
    char name[SEGMENT_NAME];
    segment_name(first_pos, name);
    c->first_pos = first_pos;
    c->pos = first_pos - 1;
    c->epoch = 0;
    c->offset = SEGMENT_HEADER;
    c->at = 0;
    c->have = 0;
    c->why = "";
    c->behind = 0;
    const int dir_fd = disk_dir(dir, false);
    c->fd = dir_fd < 0 ? -1 : disk_open(dir_fd, name, O_RDONLY);
    const int number = errno;
    disk_close(dir_fd);
    errno = number;
    if (c->fd < 0)
        return errno == ENOENT ? E_ABSENT : E_IO;
    const unsigned char *b;
    const ssize_t got = fill(c, 0, SEGMENT_HEADER, &b);
    if (got < 0)
        return E_IO;
    if (got == SEGMENT_HEADER && segment_header_decode(b, first_pos, &c->epoch)) {
        c->have = 0;
        return CURSOR_END;
    }
    c->offset = 0;
    return judge(c, got < SEGMENT_HEADER ? "the segment's header is not whole"
                                         : "the segment's header does not hold");
}

void cursor_close(struct cursor *c)
{
    disk_close(c->fd);
    c->fd = -1;
}

int cursor_next(struct cursor *c, struct journal_record *out)
{
    const unsigned char *b;
    ssize_t got = fill(c, c->offset, RECORD_HEADER, &b);
    if (got < RECORD_HEADER && got >= 0) {
        c->have = 0; /* what was read of a tail may be cut and written anew */
        got = fill(c, c->offset, RECORD_HEADER, &b);
    }
    if (got < 0)
        return E_IO;
    if (got == 0) {
        c->have = 0;
        return CURSOR_END;
    }
    if (got < RECORD_HEADER)
        return judge(c, "the record is not whole");
    const uint32_t len = get_u32(b + 4);
    if (len > JOURNAL_PAYLOAD_MAX)
        return judge(c, "the record's length is out of bounds");
    const size_t total = record_bytes(len);
    got = fill(c, c->offset, total, &b);
    if (got < 0)
        return E_IO;
    if ((size_t)got < total)
        return judge(c, "the record is not whole");
    if (crc32c(b + 4, total - 4) != get_u32(b))
        return judge(c, "the record's checksum does not hold");
    if (get_u64(b + 16) != c->pos + 1) {
        c->why = "the record has another position";
        return CURSOR_CORRUPT;
    }
    if (get_u64(b + 8) < c->epoch) {
        c->why = "the record's epoch is below the one before";
        return CURSOR_CORRUPT;
    }
    out->epoch = c->epoch = get_u64(b + 8);
    out->pos = c->pos = get_u64(b + 16);
    out->time_ns = (int64_t)get_u64(b + 24);
    out->payload = b + RECORD_HEADER;
    out->len = len;
    c->offset += (off_t)total;
    return CURSOR_RECORD;
}
