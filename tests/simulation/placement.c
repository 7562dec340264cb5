/* Nothing is placed: all processes are one thread. */
#include "lib/runtime/placement.h"

void placement_apply(const struct config *config, const char *service, const char *run, struct loop *loop,
                     void *zmq)
{
    (void)config;
    (void)service;
    (void)run;
    (void)loop;
    (void)zmq;
}
