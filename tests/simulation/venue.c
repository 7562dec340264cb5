/* Between the hand and its venue: a report that is lost, or comes twice, or once more much later. */
#include "services/exec/exec.h"
#include "tests/simulation/simulation.h"

static struct order_report old; /* of any life of the hand: the venue does not know of lives */
static bool any;

void __real_exec_on_report(struct exec *self, const struct order_report *report, struct now now,
                           struct outbox *out);
void __wrap_exec_on_report(struct exec *self, const struct order_report *report, struct now now,
                           struct outbox *out);

void __wrap_exec_on_report(struct exec *self, const struct order_report *report, struct now now,
                           struct outbox *out)
{
    const bool fails = !world.quiet && world.knobs.reports_fail;
    if (fails && chance(30)) {
        TRACE("a report on %s is lost", report->client_id);
        return;
    }
    __real_exec_on_report(self, report, now, out);
    if (fails && any && chance(30) && outbox_has_room(out)) {
        TRACE("an old report on %s comes once more", old.client_id);
        __real_exec_on_report(self, &old, now, out);
    }
    if (!any || chance(200)) {
        old = *report;
        any = true;
    }
    if (fails && chance(30) && outbox_has_room(out)) {
        TRACE("a report on %s comes twice", report->client_id);
        __real_exec_on_report(self, report, now, out);
    }
}
