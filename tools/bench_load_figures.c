/* What can be asked of a pipeline from outside: its queues, and what it drops. */
#include "tools/bench_load.h"

static const struct queue {
    const char *name, *service, *figure, *of, *less;
} queues[LOAD_QUEUES] = {
    {"queue.risk_not_stored", "risk", "ledger_head_pos", "risk", "ledger_stored_pos"},
    {"queue.exec_not_stored", "exec", "ledger_head_pos", "exec", "ledger_stored_pos"},
    {"queue.risk_not_synced", "risk", "ledger_head_pos", "risk", "ledger_synced_pos"},
    {"queue.exec_not_synced", "exec", "ledger_head_pos", "exec", "ledger_synced_pos"},
    {"queue.exec_behind_risk", "risk", "ledger_head_pos", "exec", "risk_pos"},
    {"queue.risk_behind_exec", "exec", "ledger_head_pos", "risk", "exec_pos"},
    {"queue.intents_waiting", "strategy", "waiting", NULL, NULL},
    {"queue.baskets_open", "exec", "baskets_open", NULL, NULL},
    {"queue.orders_open", "exec", "orders_open", NULL, NULL},
    {"queue.venue_waiting", "exec", "venue_waiting", NULL, NULL},
    {"queue.blocked", "", "blocked", NULL, NULL},
};

static const struct drop_count {
    const char *name, *service, *figure;
} drops[LOAD_DROPS] = {
    {"drop.market_lost", "", "market_lost"},
    {"drop.market_unsent", "feed", "unsent"},
    {"drop.market_not_recorded", "recorder", "market_dropped"},
    {"drop.messages_malformed", "", "messages_dropped"},
    {"drop.outbox", "", "outbox_overflows"},
    {"drop.intents", "strategy", "intents_unsent"},
    {"drop.intents_unanswered", "strategy", "unanswered"},
    {"drop.rows_refused", "recorder", "refused_rows"},
    {"drop.freed_before_stored", "", "freed_unstored"},
};

const char *load_queue_name(int i)
{
    return queues[i].name;
}

/* Figures of two services are not of one moment: what seems less than nothing is nothing. */
int64_t load_queue(const struct load *self, int i)
{
    int64_t n = load_figure(self, queues[i].service, queues[i].figure);
    if (queues[i].of)
        n -= load_figure(self, queues[i].of, queues[i].less);
    return n > 0 ? n : 0;
}

const char *load_drop_name(int i)
{
    return drops[i].name;
}

int64_t load_drop(const struct load *self, int i)
{
    return load_figure(self, drops[i].service, drops[i].figure);
}
