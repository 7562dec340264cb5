/* Writing recorded traffic: one line, in the form that venues/recording.h reads. */
#ifndef SLUICE_VENUES_RECORDING_LINE_H
#define SLUICE_VENUES_RECORDING_LINE_H

#include "venues/market.h"

struct line_form {
    bool outbound; /* we sent it */
    bool binary;   /* it was a binary frame */
};

/* Writes the frame's line, its newline too, and returns its length; where that is more than cap nothing is written. A
 * text that is no UTF-8 goes as base64: it is read back byte for byte. */
size_t recording_line(const struct frame *frame, struct line_form form, char *out, size_t cap);

#endif
