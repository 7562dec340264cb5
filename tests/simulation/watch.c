/* What the journals hold, read from their bytes as they are written: each record once, in order. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/table.h"
#include "lib/runtime/journal_record.h"
#include "tests/simulation/simulation.h"

enum { SEGMENTS_WATCHED_MAX = 4096 };

struct ledger_watch ledgers[STREAMS] = {[STREAM_RISK] = {.name = "risk"}, [STREAM_EXEC] = {.name = "exec"}};

/* How far a segment is read. */
static struct reading {
    struct disk_file *file;
    int64_t end;
} readings[STREAMS][SEGMENTS_WATCHED_MAX];
static int n_readings[STREAMS];

/* Everything that was ever said, lost since or not. */
static struct said {
    uint64_t epoch, hash;
} * said[STREAMS];
static uint64_t said_capacity[STREAMS];

static struct decoder *decoder;
static struct drops drops;

int stream_of(const char *name)
{
    for (int i = 0; i < STREAMS; i++)
        if (strcmp(ledgers[i].name, name) == 0)
            return i;
    return -1;
}

const struct record *record_at(int stream, uint64_t pos)
{
    const struct ledger_watch *l = &ledgers[stream];
    return l->n > 0 && pos >= l->first && pos < l->first + l->n ? &l->records[pos - l->first] : NULL;
}

uint64_t ledger_head(int stream)
{
    const struct ledger_watch *l = &ledgers[stream];
    return l->n ? l->first + l->n - 1 : 0;
}

/* ---- reading bytes --------------------------------------------------------------------------------------------- */

void watch_decode(const void *bytes, size_t len, struct message *m)
{
    if (!decoder && !(decoder = decoder_new()))
        violated("out of memory");
    if (!codec_decode(decoder, bytes, len, m, &drops))
        violated("a message cannot be read: %s", drops.last);
}

static struct reading *reading_of(int stream, struct disk_file *file)
{
    for (int i = n_readings[stream] - 1; i >= 0; i--)
        if (readings[stream][i].file == file)
            return &readings[stream][i];
    if (n_readings[stream] == SEGMENTS_WATCHED_MAX)
        violated("more segments than the simulation has room for");
    readings[stream][n_readings[stream]] = (struct reading){.file = file};
    return &readings[stream][n_readings[stream]++];
}

static struct record *append(struct ledger_watch *l)
{
    if (l->n == l->capacity) {
        l->capacity = l->capacity ? 2 * l->capacity : 1024;
        l->records = realloc(l->records, l->capacity * sizeof *l->records);
        if (!l->records)
            violated("out of memory");
    }
    memset(&l->records[l->n], 0, sizeof *l->records);
    return &l->records[l->n++];
}

static void take_record(int stream, struct disk_file *file, int64_t end, const unsigned char *at,
                        uint32_t len)
{
    struct ledger_watch *l = &ledgers[stream];
    struct message m;
    uint64_t epoch, pos;
    const struct record *before = l->n ? &l->records[l->n - 1] : NULL;
    memcpy(&epoch, at + 8, sizeof epoch);
    memcpy(&pos, at + 16, sizeof pos);
    if (before && pos != before->pos + 1)
        violated("%s's journal goes on at position %" PRIu64 " after %" PRIu64, l->name, pos, before->pos);
    if (before && epoch < before->epoch)
        violated("%s's journal goes back to epoch %" PRIu64 " at position %" PRIu64, l->name, epoch, pos);
    watch_decode(at + RECORD_HEADER, len, &m);
    if (m.env.epoch != epoch || m.env.pos != pos)
        violated("%s's record at %" PRIu64 "/%" PRIu64 " says it is %" PRIu64 "/%" PRIu64, l->name, epoch,
                 pos, m.env.epoch, m.env.pos);
    if ((!before || epoch > before->epoch) && m.env.type != MSG_EPOCH)
        violated("%s's epoch %" PRIu64 " begins with a %s", l->name, epoch,
                 message_kind(m.env.type)->body->name);
    struct record *r = append(l);
    if (l->n == 1)
        l->first = pos;
    *r = (struct record){.epoch = epoch,
                         .pos = pos,
                         .hash = fnv1a(FNV_OFFSET, at + RECORD_HEADER, len),
                         .type = m.env.type,
                         .length = len,
                         .file = file,
                         .end = end};
    r->message = malloc(sizeof m);
    if (!r->message)
        violated("out of memory");
    message_copy(r->message, &m);
    TRACE("%s writes %" PRIu64 "/%" PRIu64 " %s", l->name, epoch, pos, message_kind(m.env.type)->body->name);
    invariants_record(stream, r->message, false);
}

void watch_written(int stream, struct disk_file *file, const unsigned char *bytes, int64_t len)
{
    struct reading *r = reading_of(stream, file);
    if (r->end == 0)
        r->end = SEGMENT_HEADER;
    while (r->end + RECORD_HEADER <= len) {
        const unsigned char *at = bytes + r->end;
        uint32_t crc, length;
        memcpy(&crc, at, sizeof crc);
        memcpy(&length, at + 4, sizeof length);
        if (length > JOURNAL_PAYLOAD_MAX || r->end + (int64_t)record_bytes(length) > len ||
            crc32c(at + 4, record_bytes(length) - 4) != crc)
            return;
        r->end += (int64_t)record_bytes(length);
        take_record(stream, file, r->end, at, length);
    }
}

static void forget_last(struct ledger_watch *l)
{
    free(l->records[--l->n].message);
}

static void feed_again(int stream)
{
    struct ledger_watch *l = &ledgers[stream];
    invariants_reset(stream);
    for (uint64_t i = 0; i < l->n; i++)
        invariants_record(stream, l->records[i].message, true);
}

void watch_cut(int stream, struct disk_file *file, int64_t size)
{
    struct ledger_watch *l = &ledgers[stream];
    struct reading *r = reading_of(stream, file);
    bool gone = false;
    r->end = r->end < size ? r->end : size;
    while (l->n && l->records[l->n - 1].file == file && l->records[l->n - 1].end > size) {
        const struct record *last = &l->records[l->n - 1];
        if (last->published)
            violated("%s cuts position %" PRIu64 "/%" PRIu64 " off, which it has published", l->name,
                     last->epoch, last->pos);
        forget_last(l);
        gone = true;
    }
    if (gone)
        feed_again(stream);
}

void watch_synced(int stream, struct disk_file *file, int64_t size)
{
    struct ledger_watch *l = &ledgers[stream];
    for (uint64_t i = l->n; i > 0 && l->records[i - 1].pos > l->synced_pos; i--) {
        const struct record *r = &l->records[i - 1];
        if (r->file == file && r->end <= size) {
            l->synced_pos = r->pos;
            return;
        }
    }
}

/* What has been read from it stays known. */
void watch_removed(int stream, struct disk_file *file)
{
    const struct ledger_watch *l = &ledgers[stream];
    for (uint64_t i = 0; i < l->n; i++) {
        struct record *r = &l->records[i];
        if (r->file != file)
            continue;
        if (r->pos > invariants_committed(stream))
            violated("%s removes position %" PRIu64 "/%" PRIu64 "; the database has it up to %" PRIu64,
                     l->name, r->epoch, r->pos, invariants_committed(stream));
        r->freed = true;
    }
}

static int rereading;

static void reread_segment(struct disk_file *file, const unsigned char *bytes, int64_t len)
{
    watch_written(rereading, file, bytes, len);
}

/* The owner has died: what a write left behind without an answer may be whole, and then counts. */
void watch_reread(int stream)
{
    rereading = stream;
    disk_read_segments(stream, reread_segment);
}

static uint64_t surviving;

static void find_surviving(struct disk_file *file, const unsigned char *bytes, int64_t len)
{
    struct ledger_watch *l = &ledgers[rereading];
    struct reading *reading = reading_of(rereading, file);
    reading->end = SEGMENT_HEADER < len ? SEGMENT_HEADER : 0;
    for (uint64_t i = 0; i < l->n; i++) {
        if (l->records[i].file == file && l->records[i].end <= len) {
            const struct record *r = &l->records[i];
            const int64_t at = r->end - (int64_t)record_bytes((size_t)r->length);
            uint32_t crc;
            memcpy(&crc, bytes + at, sizeof crc);
            if (crc32c(bytes + at + 4, record_bytes((size_t)r->length) - 4) != crc)
                return;
            surviving = r->pos;
            reading->end = r->end;
        }
    }
}

void watch_power_lost(int stream)
{
    struct ledger_watch *l = &ledgers[stream];
    rereading = stream;
    surviving = 0;
    disk_read_segments(stream, find_surviving);
    if (surviving < l->synced_pos)
        violated("the simulation's own disk has lost %s's synced position %" PRIu64, l->name, l->synced_pos);
    const uint64_t before = ledger_head(stream);
    for (; l->n && l->records[l->n - 1].pos > surviving; forget_last(l))
        if (l->records[l->n - 1].published && l->records[l->n - 1].type == MSG_FILL)
            holdings_lost(&l->records[l->n - 1].message->fill);
    l->synced_pos = ledger_head(stream);
    if (before != ledger_head(stream))
        TRACE("%s loses positions %" PRIu64 " to %" PRIu64, l->name, surviving + 1, before);
    feed_again(stream);
}

/* ---- what is said ---------------------------------------------------------------------------------------------- */

static void note_said(int stream, const struct record *r)
{
    if (r->pos >= said_capacity[stream]) {
        const uint64_t capacity = 2 * r->pos + 1024;
        said[stream] = realloc(said[stream], capacity * sizeof *said[stream]);
        if (!said[stream])
            violated("out of memory");
        memset(said[stream] + said_capacity[stream], 0,
               (capacity - said_capacity[stream]) * sizeof *said[stream]);
        said_capacity[stream] = capacity;
    }
    struct said *s = &said[stream][r->pos];
    if (s->epoch == r->epoch && s->hash != r->hash)
        violated("%s says two different things at %" PRIu64 "/%" PRIu64, ledgers[stream].name, r->epoch,
                 r->pos);
    if (s->epoch > r->epoch)
        violated("%s says position %" PRIu64 " in epoch %" PRIu64 " after it said it in %" PRIu64,
                 ledgers[stream].name, r->pos, r->epoch, s->epoch);
    *s = (struct said){r->epoch, r->hash};
}

static void check_beat(int stream, const struct message *m)
{
    const struct ledger_watch *l = &ledgers[stream];
    if (m->beat.synced_pos > l->synced_pos)
        violated("%s says that position %" PRIu64 " is synced; %" PRIu64 " is", l->name, m->beat.synced_pos,
                 l->synced_pos);
    if (m->beat.head_pos > ledger_head(stream))
        violated("%s says that position %" PRIu64 " is written; %" PRIu64 " is", l->name, m->beat.head_pos,
                 ledger_head(stream));
}

/* Written before it is sent, on whichever way, and sent as it is written. */
static void check_sent(int stream, const struct message *m, const void *bytes, size_t len)
{
    struct ledger_watch *l = &ledgers[stream];
    const struct record *found = record_at(stream, m->env.pos);
    if (!found || found->epoch != m->env.epoch)
        violated("%s sends %" PRIu64 "/%" PRIu64 ", which is not written", l->name, m->env.epoch, m->env.pos);
    if (found->hash != fnv1a(FNV_OFFSET, bytes, len))
        violated("%s sends %" PRIu64 "/%" PRIu64 " %u (%zu for %u) otherwise than it is written", l->name,
                 m->env.epoch, m->env.pos, m->env.type, len, found->length);
    l->records[m->env.pos - l->first].published = true;
    note_said(stream, found);
}

/* Whose route it is, and a halt: who hears of them acts on them at once. */
static void check_safe(int stream, const struct message *m)
{
    const struct ledger_watch *l = &ledgers[stream];
    const bool relied_on = m->env.type == MSG_EPOCH || m->env.type == MSG_ASSIGN || m->env.type == MSG_STATE;
    if (relied_on && m->env.pos > l->synced_pos)
        violated("%s publishes %s %" PRIu64 "/%" PRIu64 "; %" PRIu64 " is synced", l->name,
                 message_kind(m->env.type)->body->name, m->env.epoch, m->env.pos, l->synced_pos);
}

void watch_published(int stream, const void *bytes, size_t len)
{
    struct message m;
    if (stream < 0)
        return;
    watch_decode(bytes, len, &m);
    if (m.env.type == MSG_BEAT) {
        check_beat(stream, &m);
        return;
    }
    check_sent(stream, &m, bytes, len);
    check_safe(stream, &m);
}

void watch_replayed(int stream, const void *bytes, size_t len)
{
    struct message m;
    if (stream < 0)
        return;
    watch_decode(bytes, len, &m);
    const struct message_kind *kind = message_kind(m.env.type);
    if (!kind || kind->class != CLASS_LEDGER || m.env.pos == 0)
        return;
    /* Where the journal does not reach back so far, a reader is told the state of a snapshot: messages of its place, of
     * places that are gone, or without a time of their own. */
    if (m.env.time_out == 0)
        return;
    const struct record *found = record_at(stream, m.env.pos);
    if (!(found && found->freed) && !disk_snapshot_stands(stream, m.env.pos))
        check_sent(stream, &m, bytes, len);
}

/* What a reader tells as stored is so: the recorder's in the database, the others' in a snapshot. */
void watch_asked(const void *bytes, size_t len)
{
    struct message m;
    watch_decode(bytes, len, &m);
    const int stream = stream_of(m.env.stream);
    if (m.env.type != MSG_STORED || stream < 0)
        return;
    const int reader = stream_of(m.stored.reader);
    if (strcmp(m.stored.reader, "recorder") == 0 && m.stored.pos > invariants_committed(stream))
        violated("the recorder tells %s that %" PRIu64 "/%" PRIu64
                 " is stored; the database has it up to %" PRIu64,
                 m.env.stream, m.stored.epoch, m.stored.pos, invariants_committed(stream));
    if (reader >= 0 && m.stored.pos != 0 && !disk_snapshot_reaches(reader, m.stored.pos))
        violated("%s tells %s that %" PRIu64 "/%" PRIu64 " is stored; no snapshot of it includes that",
                 m.stored.reader, m.env.stream, m.stored.epoch, m.stored.pos);
}

bool watch_snapshot(const unsigned char *bytes, int64_t len, uint64_t *upstream_pos)
{
    struct message m;
    uint32_t length;
    if (len < RECORD_HEADER)
        return false;
    memcpy(&length, bytes + 4, sizeof length);
    if (length > JOURNAL_PAYLOAD_MAX || (int64_t)record_bytes(length) > len)
        return false;
    uint32_t crc;
    memcpy(&crc, bytes, sizeof crc);
    if (crc32c(bytes + 4, record_bytes(length) - 4) != crc) /* it is spoiled */
        return false;
    watch_decode(bytes + RECORD_HEADER, length, &m);
    *upstream_pos = m.snapshot.upstream_pos;
    return m.env.type == MSG_SNAPSHOT;
}

void watch_intent(const void *bytes, size_t len)
{
    struct message m;
    watch_decode(bytes, len, &m);
    if (m.env.type == MSG_INTENT)
        invariants_intent(&m);
}
