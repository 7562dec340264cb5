/* Recordings merged in time. */
#include "tools/emulate_timeline.h"

#include <stdio.h>
#include <string.h>

static void read_on(struct timeline *self, uint32_t i)
{
    do
        self->at[i].has_line = recording_next(self->at[i].file, &self->at[i].line) == 1;
    while (self->at[i].has_line && !self->venue->owns_url(self->at[i].line.frame.url));
}

int timeline_add(struct timeline *self, const char *path, uint32_t number, char *error, size_t error_cap)
{
    if (self->n == TIMELINE_RECORDINGS_MAX) {
        (void)snprintf(error, error_cap, "%s: expected at most %d recordings of a venue", path,
                       TIMELINE_RECORDINGS_MAX);
        return E_FULL;
    }
    int status = recording_open(path, &self->at[self->n].file, error, error_cap);
    if (status != OK)
        return status;
    self->at[self->n].number = number;
    read_on(self, self->n++);
    return OK;
}

void timeline_close(struct timeline *self)
{
    while (self->n > 0)
        recording_close(&self->at[--self->n].file);
}

static uint32_t first(const struct timeline *self)
{
    uint32_t best = self->n;
    for (uint32_t i = 0; i < self->n; i++)
        if (self->at[i].has_line &&
            (best == self->n || self->at[i].line.frame.recv_ns < self->at[best].line.frame.recv_ns))
            best = i;
    return best;
}

const struct recorded_line *timeline_next(const struct timeline *self, uint32_t *number)
{
    uint32_t i = first(self);
    if (i == self->n)
        return NULL;
    *number = self->at[i].number;
    return &self->at[i].line;
}

void timeline_step(struct timeline *self)
{
    uint32_t i = first(self);
    if (i < self->n)
        read_on(self, i);
}

int timeline_survey(const char *path,
                    void (*each)(void *ctx, const struct venue_ops *venue, const struct recorded_line *line),
                    void *ctx, char *error, size_t error_cap)
{
    struct recording *file;
    struct recorded_line line;
    const struct venue_ops *venue = NULL;
    int status = recording_open(path, &file, error, error_cap), got;
    if (status != OK)
        return status;
    while ((got = recording_next(file, &line)) == 1) {
        if (!line.readable)
            continue;
        if (!venue || !venue->owns_url(line.frame.url))
            venue = venue_of_url(line.frame.url);
        each(ctx, venue, &line);
    }
    if (got == E_IO)
        (void)snprintf(error, error_cap, "%s: %s", path, recording_error(file));
    recording_close(&file);
    return got == E_IO ? E_IO : OK;
}
