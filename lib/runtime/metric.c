#include "lib/runtime/metric.h"

#include "lib/base/text.h"

void status_metric(struct reply *reply, const char *name, int64_t value)
{
    if (reply->n_metrics == sizeof reply->metrics / sizeof *reply->metrics)
        return;
    struct metric *m = &reply->metrics[reply->n_metrics++];
    (void)text_set(m->name, sizeof m->name, name);
    m->value = value;
}
