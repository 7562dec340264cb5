/* The messages of sluice as C structs, made from dictionary.def, and the tables that describe them.
 *
 * A struct message is one message of any type: the envelope, and a body selected by env.type. Structs
 * are plain values without pointers: copy them, compare them, keep them in pools.
 *
 * The descriptor tables (message_kind, field) are what the codec, the JSON form, the recorder and the
 * protocol's documentation walk; nothing else knows a message's fields twice.
 */
#ifndef SLUICE_PROTO_MESSAGE_H
#define SLUICE_PROTO_MESSAGE_H

#include "proto/number.h"

enum { PROTO_VERSION = 1, MESSAGE_BYTES_MAX = 16 * 1024 };

/* ---- C types of the field kinds ------------------------------------------------------------------ */

enum field_kind {
    FIELD_U64, FIELD_I64, FIELD_U32, FIELD_I32, FIELD_BOOL, FIELD_TIME, FIELD_MONO, FIELD_EXP,
    FIELD_PRICE, FIELD_QTY, FIELD_DEC, FIELD_MONEY, FIELD_STR, FIELD_ENUM, FIELD_LIST
};

#define CTYPE_U64   uint64_t
#define CTYPE_I64   int64_t
#define CTYPE_U32   uint32_t
#define CTYPE_I32   int32_t
#define CTYPE_BOOL  bool
#define CTYPE_TIME  int64_t
#define CTYPE_MONO  int64_t
#define CTYPE_EXP   int8_t
#define CTYPE_PRICE int64_t
#define CTYPE_QTY   int64_t
#define CTYPE_DEC   struct dec
#define CTYPE_MONEY money

/* ---- enums ---------------------------------------------------------------------------------------- */

#include "proto/dictionary_none.h"
#undef ENUM
#undef VALUE
#undef END_ENUM
#define ENUM(name)                          enum name {
#define VALUE(enum_name, constant, n, text) constant = n,
#define END_ENUM(name)                      };
#include "proto/dictionary.def"

/* ---- records and bodies ---------------------------------------------------------------------------- */

#include "proto/dictionary_none.h"
#undef RECORD
#undef END_RECORD
#undef MESSAGE
#undef END_MESSAGE
#undef FIELD
#undef FIELD_STR
#undef FIELD_ENUM
#undef FIELD_LIST
#define RECORD(name, doc)                        struct name {
#define END_RECORD(name)                         };
#define MESSAGE(name, constant, n, class, doc)   struct name {
#define END_MESSAGE(name)                        };
#define FIELD(kind, name, doc)                   CTYPE_##kind name;
#define FIELD_STR(name, bytes, doc)              char name[bytes];
#define FIELD_ENUM(name, enum_name, doc)         enum enum_name name;
#define FIELD_LIST(name, record, max, doc)       uint32_t n_##name; struct record name[max];
#include "proto/dictionary.def"

enum message_type {
#include "proto/dictionary_none.h"
#undef MESSAGE
#define MESSAGE(name, constant, n, class, doc) constant = n,
#include "proto/dictionary.def"
};

enum { MESSAGE_TYPE_MAX = 127 };

/* ---- envelope -------------------------------------------------------------------------------------- */

/* Where in the pipeline a stamp was taken, in the order of a trade's life (lib/runtime/trace.h). A hop in is the time at
 * which the process woke to read, once for all it then took; of what was sent after that, the time of taking it. */
enum hop {
    HOP_FEED_OUT,     /* the feed published the tick */
    HOP_STRATEGY_IN,  /* the worker woke for the tick, or for its timer */
    HOP_STRATEGY_OUT, /* the worker sent its intent */
    HOP_RISK_IN,      /* the gate took the intent from its socket */
    HOP_RISK_OUT,     /* the gate handed its decision to its journal; what writes and publishes it is behind this */
    HOP_EXEC_IN,      /* exec woke for the decision */
    HOP_EXEC_OUT,     /* exec handed this order to the venue: in what is told of it after that */
    HOP_EXEC_FILL,    /* the venue's report of this fill was taken */
    HOP_COUNT
};

/* "feed_out", "strategy_in", ...; "?" for a number that is none. */
const char *hop_text(enum hop hop);

/* The market tick that caused a message. All zero where there was no cause; with a boot id and no receipt it was not a tick
 * but a timer, or a ledger, that woke the worker, and the hops begin with that. What the feed repeats was caused by none. */
struct trace {
    int64_t venue_time;     /* the venue's own time, ns UTC */
    int64_t recv_utc;       /* receipt at the feed, ns UTC of the host's clock */
    int64_t recv_mono;      /* the same on the host's monotonic clock, ns */
    uint64_t boot_id;       /* hash of the host's boot id: monotonic stamps compare only at equal boot_id */
    int64_t hop[HOP_COUNT]; /* monotonic ns at each hop; 0 = not reached, or in another boot than boot_id */
};

struct envelope {
    uint32_t type;    /* enum message_type */
    char stream[16];  /* who publishes: market, risk, exec, or a worker's name for commands */
    uint64_t epoch;   /* incarnation of the publisher */
    uint64_t seq;     /* market data: count per (epoch, topic); else 0 */
    uint64_t pos;     /* ledgers: contiguous position; else 0 */
    int64_t time_out; /* ns UTC when published */
    struct trace trace;
};

struct message {
    struct envelope env;
    union {
#include "proto/dictionary_none.h"
#undef MESSAGE
#define MESSAGE(name, constant, n, class, doc) struct name name;
#include "proto/dictionary.def"
    };
};

/* ---- descriptor tables ----------------------------------------------------------------------------- */

enum message_class { CLASS_MARKET, CLASS_LEDGER, CLASS_COMMAND, CLASS_SERVICE };

struct enum_value {
    int number;
    const char *text;
};

struct enum_kind {
    const char *name;
    const struct enum_value *values; /* ends with text NULL */
};

struct record_kind;

struct field {
    const char *name;
    enum field_kind kind;
    uint16_t offset;       /* in the body or the record */
    uint16_t size;         /* FIELD_STR: bytes with NUL; FIELD_LIST: bytes of one record */
    uint16_t max;          /* FIELD_LIST: how many records at the most */
    uint16_t count_offset; /* FIELD_LIST: where the uint32_t count is */
    const struct enum_kind *values;     /* FIELD_ENUM */
    const struct record_kind *record;   /* FIELD_LIST */
    const char *doc;
};

struct record_kind {
    const char *name;
    const char *doc;
    const struct field *(*fields)(void); /* ends with name NULL */
    size_t size;
};

struct message_kind {
    uint32_t type;
    enum message_class class;
    const struct record_kind *body;
};

/* The kind of a type number; NULL where there is none. */
const struct message_kind *message_kind(uint32_t type);

/* The kind of a name ("book"); NULL where there is none. */
const struct message_kind *message_kind_named(const char *name);

/* All kinds in ascending type number; ends with NULL. */
const struct message_kind *const *message_kinds(void);

/* All enums, and all records, for documentation; end with NULL. */
const struct enum_kind *const *enum_kinds(void);
const struct record_kind *const *record_kinds(void);

/* How many fields stand before the closing one. */
uint32_t count_of_fields(const struct field *fields);

/* The field of a name; NULL where the record has none. */
const struct field *record_field(const struct record_kind *record, const char *name);

/* The text of an enum's number; "?" where it has none. */
const char *enum_text(const struct enum_kind *kind, int number);

bool enum_listed(const struct enum_kind *kind, int64_t number);

/* The number of an enum's text; -1 where it has none. */
int enum_number(const struct enum_kind *kind, const char *text);

/* One text function per enum: side_text(SIDE_BUY) is "buy". */
#include "proto/dictionary_none.h"
#undef ENUM
#define ENUM(name) const char *name##_text(enum name number);
#include "proto/dictionary.def"

/* Sets a message to all zero with its type; the body's other bytes are zero up to its size. */
void message_init(struct message *m, enum message_type type);

/* Copies one message: the envelope and as many bytes of the body as its type has. */
void message_copy(struct message *to, const struct message *from);

/* Compares what goes over the wire: padding, list entries behind the count and bytes behind a text's NUL do
 * not matter. */
bool message_equal(const struct message *a, const struct message *b);

#include "proto/dictionary_none.h"
#endif
