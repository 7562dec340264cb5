/* Messages to msgpack and back, by the dictionary.
 *
 * The wire form of a message is one array:
 *   [version, type, stream, epoch, seq, pos, time_out, trace, body]
 * trace is nil, or [venue_time, recv_utc, recv_mono, boot_id, [hop, ...]] with trailing zero hops left out;
 * body is the array of the message's fields in the dictionary's order; a record is an array likewise.
 * msgpack-c packs and reads; before it reads, the codec walks the bytes once so that a length that lies
 * cannot make it allocate.
 */
#ifndef SLUICE_PROTO_CODEC_H
#define SLUICE_PROTO_CODEC_H

#include "proto/message.h"

/* Why a frame was dropped. Each drop is counted under exactly one of these. */
enum drop {
    DROP_NONE,
    DROP_EMPTY,        /* no bytes */
    DROP_OVERSIZED,    /* more than MESSAGE_BYTES_MAX */
    DROP_TRUNCATED,    /* ends in the middle of a value */
    DROP_MALFORMED,    /* not msgpack, nested too deep, or bytes left over */
    DROP_ENVELOPE,     /* msgpack, but not our envelope */
    DROP_VERSION,      /* a version this build does not read */
    DROP_UNKNOWN_TYPE, /* a type number this build does not know */
    DROP_FIELDS,       /* fewer fields than the type has; or, on a COMMAND, more */
    DROP_FIELD_TYPE,   /* a field of another msgpack type than the dictionary says */
    DROP_FIELD_RANGE,  /* a number, text or list outside the field's bounds, an enum without such a value */
    DROP_COUNT
};

const char *drop_text(enum drop why); /* "truncated", ... */

struct drops {
    uint64_t count[DROP_COUNT];
    char last[96]; /* of the last drop: message and field, the value, what was expected */
};

/* Packs a message. What it packs, codec_decode accepts. Returns its length, or 0 when the message does not fit
 * into cap, or holds what the dictionary does not allow: an unknown type, a list count, an exponent or an enum
 * out of bounds, a text without its NUL. A text is cut at the first byte that is not UTF-8 (a sentence cut to a
 * field's size in mid-character loses that character only). MESSAGE_BYTES_MAX is enough for every message. */
size_t codec_encode(const struct message *m, void *out, size_t cap);

struct decoder; /* reusable memory for reading, enough for every frame: decoding never allocates */
struct decoder *decoder_new(void); /* NULL when out of memory */
void decoder_destroy(struct decoder **self);

/* Reads one message. Its struct is all zero where nothing was sent. On anything but a well-formed message of a known type it returns false and counts the
 * reason in `drops` (never NULL); `out` is then unspecified. Unknown trailing fields of data messages are
 * ignored. No input crashes it, and none makes it allocate. */
bool codec_decode(struct decoder *self, const void *bytes, size_t len, struct message *out,
                  struct drops *drops);

#endif
