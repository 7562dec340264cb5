/* What the shell does with ledgers. Internal to service*.c. */
#ifndef SLUICE_RUNTIME_SERVICE_LEDGER_H
#define SLUICE_RUNTIME_SERVICE_LEDGER_H

#include "lib/runtime/service.h"

/* Makes the own ledger's readers the last source of the loop: live traffic goes first. */
void service_serve(struct service *s);

/* Once a wake-up, when its effects are done: a new epoch or a snapshot where one is due, and what others may free. */
void service_keep(struct service *s, struct now now);
void service_keep_last(struct service *s, struct now now); /* at a stop in order */

#endif
