#include "services/feed/publisher.h"

#include "lib/runtime/probed.h"
#include "proto/topic.h"

int publisher_publish(void *publisher, struct message *m)
{
    struct publisher *p = publisher;
    char topic[TOPIC_MAX];
    size_t topic_len = topic_of(m, topic);
    if (m->env.trace.recv_mono)
        m->env.trace.hop[HOP_FEED_OUT] = clock_mono_ns();
    size_t len = probed_encode(m, p->s.bytes, sizeof p->s.bytes);
    p->published++;
    if (len == 0 || socket_send(p->market, topic, topic_len, true) != OK ||
        socket_send(p->market, p->s.bytes, len, false) != OK)
        p->unsent++;
    enum stage before = probe_stage(STAGE_JOURNAL);
    captures_message(p->captures, m, p->s.bytes, len);
    probe_back(before);
    return OK;
}

void publish_touched(struct publisher *p, struct now now)
{
    bool more;
    do {
        (void)service_ready(&p->s);
        enum stage before = probe_stage(STAGE_BOOK);
        more = feed_publish(p->core, now, &p->s.outbox);
        probe_back(before);
        service_flush(&p->s);
    } while (more && !p->s.blocked);
}
