#include "proto/topic.h"

#include <string.h>

/* Appends a part and its dot. A dot within a part would end it early, and make its topic match the
 * subscription of another name: it becomes '_'. Parts are cut so that the topic keeps within TOPIC_MAX. */
static size_t append_part(char *out, size_t len, const char *part)
{
    while (*part && len < TOPIC_MAX - 2) {
        out[len++] = *part == '.' ? '_' : *part;
        part++;
    }
    if (len < TOPIC_MAX - 1)
        out[len++] = '.';
    out[len] = '\0';
    return len;
}

size_t topic_make(const char *kind, const char *symbol, const char *venue, char out[TOPIC_MAX])
{
    size_t len = append_part(out, 0, kind);
    if (symbol)
        len = append_part(out, len, symbol);
    if (symbol && venue)
        len = append_part(out, len, venue);
    return len;
}

/* The name under which others follow the message; NULL for those that concern everyone. */
static const char *subject_of(const struct message *m)
{
    switch ((enum message_type)m->env.type) {
    case MSG_INST:
        return m->inst.symbol;
    case MSG_BBO:
        return m->bbo.symbol;
    case MSG_BOOK:
        return m->book.symbol;
    case MSG_TRADE:
        return m->trade.symbol;
    case MSG_VENUE:
        return m->venue.venue;
    case MSG_BEAT:
        return m->beat.source;
    case MSG_INTENT:
        return m->intent.route;
    case MSG_HELLO:
        return m->hello.worker;
    case MSG_DECISION:
        return m->decision.route;
    case MSG_ASSIGN:
        return m->assign.route;
    case MSG_ROUTE:
        return m->route.route;
    case MSG_ORDER:
        return m->order.route;
    case MSG_FILL:
        return m->fill.route;
    case MSG_BASKET:
        return m->basket.route;
    case MSG_BALANCE:
        return m->balance.venue;
    case MSG_ADJUST:
        return m->adjust.venue;
    case MSG_POSITION:
        return m->position.symbol;
    case MSG_GAP:
        return m->gap.stream_lost;
    case MSG_SESSION:
        return m->session.who;
    case MSG_STORED:
        return m->stored.reader;
    case MSG_REPLY:
        return m->reply.service;
    case MSG_WORKER_STATE:
        return m->worker_state.worker;
    case MSG_ROUTE_FILLS:
        return m->route_fills.route;
    case MSG_PACE:
    case MSG_LIMITS:
    case MSG_STATE:
    case MSG_EPOCH:
    case MSG_REPLAY:
    case MSG_REPLAYED:
    case MSG_REQUEST:
    case MSG_UPSTREAM:
    case MSG_SNAPSHOT:
    case MSG_SNAPSHOT_END:
    case MSG_TALLY:
    case MSG_TRADES:
        break;
    }
    return NULL;
}

static const char *venue_of(const struct message *m)
{
    switch ((enum message_type)m->env.type) {
    case MSG_INST:
        return m->inst.venue;
    case MSG_BBO:
        return m->bbo.venue;
    case MSG_BOOK:
        return m->book.venue;
    case MSG_TRADE:
        return m->trade.venue;
    case MSG_POSITION:
        return m->position.venue;
    default:
        return NULL;
    }
}

size_t topic_of(const struct message *m, char out[TOPIC_MAX])
{
    const struct message_kind *kind = message_kind(m->env.type);
    if (!kind) {
        out[0] = '\0';
        return 0;
    }
    return topic_make(kind->body->name, subject_of(m), venue_of(m), out);
}
