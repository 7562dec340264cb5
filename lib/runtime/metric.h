/* Figures of a service, as its status reply carries them. */
#ifndef SLUICE_RUNTIME_METRIC_H
#define SLUICE_RUNTIME_METRIC_H

#include "proto/message.h"

/* Adds a figure, named with its unit last; more than a reply holds are left out. */
void status_metric(struct reply *reply, const char *name, int64_t value);

#endif
