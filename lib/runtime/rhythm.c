#include "lib/runtime/rhythm.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "lib/base/clock.h"

struct rhythm {
    int64_t every_ns;
    void (*beat)(void *ctx);
    void *ctx;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop; /* under lock */
    pthread_t thread;
};

static void *run(void *argument)
{
    struct rhythm *self = argument;
    pthread_mutex_lock(&self->lock);
    while (!self->stop) {
        const int64_t due = clock_mono_ns() + self->every_ns;
        const struct timespec until = {.tv_sec = due / NS_PER_SEC, .tv_nsec = due % NS_PER_SEC};
        if (pthread_cond_timedwait(&self->wake, &self->lock, &until) != ETIMEDOUT)
            continue;
        pthread_mutex_unlock(&self->lock);
        self->beat(self->ctx);
        pthread_mutex_lock(&self->lock);
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

struct rhythm *rhythm_start(int64_t every_ns, void (*beat)(void *ctx), void *ctx)
{
    struct rhythm *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->every_ns = every_ns;
    self->beat = beat;
    self->ctx = ctx;
    pthread_condattr_t attributes;
    pthread_mutex_init(&self->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&self->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    if (pthread_create(&self->thread, NULL, run, self) != 0) {
        free(self);
        return NULL;
    }
    return self;
}

void rhythm_stop(struct rhythm **self)
{
    struct rhythm *r = *self;
    *self = NULL;
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    free(r);
}
