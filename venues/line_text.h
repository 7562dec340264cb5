/* The text of a request as it is put together, within the room there is. */
#ifndef SLUICE_VENUES_LINE_TEXT_H
#define SLUICE_VENUES_LINE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct line_text {
    char *at;
    size_t cap, len;
    bool full; /* it did not fit: nothing more is added */
};

void line_add(struct line_text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Its length, or E_RANGE. */
int line_finished(const struct line_text *t);

#endif
