/* The lines of one venue out of several recordings, in the order of their receipt. */
#ifndef SLUICE_TOOLS_EMULATE_TIMELINE_H
#define SLUICE_TOOLS_EMULATE_TIMELINE_H

#include "venues/recording.h"

enum { TIMELINE_RECORDINGS_MAX = 64 };

struct timeline {
    const struct venue_ops *venue;
    struct {
        struct recording *file;
        struct recorded_line line; /* the next one, while has_line */
        uint32_t number;           /* as given */
        bool has_line;
    } at[TIMELINE_RECORDINGS_MAX];
    uint32_t n;
};

/* E_IO, with words in error; E_FULL. */
int timeline_add(struct timeline *self, const char *path, uint32_t number, char *error, size_t error_cap);
void timeline_close(struct timeline *self);

/* The next line, or NULL; it stays until timeline_step. */
const struct recorded_line *timeline_next(const struct timeline *self, uint32_t *number);
void timeline_step(struct timeline *self);

/* Calls back for each line of a recording with its venue; NULL: nobody's. E_IO, with words in error. */
int timeline_survey(const char *path,
                    void (*each)(void *ctx, const struct venue_ops *venue, const struct recorded_line *line),
                    void *ctx, char *error, size_t error_cap);

#endif
