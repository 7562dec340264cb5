#include "lib/runtime/ledger_retention.h"

/* A reader that speaks of an older life than the segment's last record may have had another history there. */
static bool has(const struct stored_place *reader, const struct journal_segment *s)
{
    return reader->pos >= s->last_pos && reader->epoch >= s->last_epoch;
}

/* All readers have it; or all but those who may do without. */
static bool stored(const struct retention *r, const struct journal_segment *s, bool by_all)
{
    for (int i = 0; i < r->n_readers; i++)
        if (!has(&r->readers[i], s) && (by_all || !r->readers[i].may_lack))
            return false;
    return true;
}

/* The first position of a segment that not every reader has. */
static uint64_t first_unstored(const struct retention *r, const struct journal_segment *s)
{
    uint64_t least = s->last_pos;
    for (int i = 0; i < r->n_readers; i++)
        if (r->readers[i].pos < least)
            least = r->readers[i].pos;
    return least < s->first_pos ? s->first_pos : least + 1 < s->last_pos ? least + 1 : s->last_pos;
}

struct retention_verdict retention_look(const struct retention *r, const struct journal_segment *segments,
                                        size_t n, uint64_t newest_bytes, int64_t utc_ns)
{
    struct retention_verdict v = {0};
    uint64_t bytes = newest_bytes;
    for (size_t i = 0; i < n; i++)
        bytes += segments[i].bytes;
    for (size_t i = 0; i < n && segments[i].last_pos <= r->snapshot_pos; i++) {
        const struct journal_segment *s = &segments[i];
        const bool old = r->keep_ns > 0 && s->changed_ns >= 0 && utc_ns - s->changed_ns > r->keep_ns;
        const bool kept = bytes <= r->keep_bytes && !old;
        if (kept || !stored(r, s, bytes <= r->hold_bytes))
            break;
        if (v.unstored_from == 0 && !stored(r, s, true))
            v.unstored_from = first_unstored(r, s);
        v.free_pos = s->last_pos;
        bytes -= s->bytes;
    }
    return v;
}
