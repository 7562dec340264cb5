/* The one error convention: functions that can fail return an int, 0 (OK) or one of these negative
 * numbers. What failed is said in words by whoever knows the field, the value and what was expected. */
#ifndef SLUICE_BASE_STATUS_H
#define SLUICE_BASE_STATUS_H

enum status {
    OK = 0,
    E_SYNTAX = -1,   /* text is not of the form asked for */
    E_RANGE = -2,    /* a number does not fit, or is outside its bounds */
    E_INEXACT = -3,  /* digits would be lost, and the caller forbade it */
    E_FULL = -4,     /* a fixed capacity is exhausted */
    E_ABSENT = -5,   /* not there */
    E_EXISTS = -6,   /* there already */
    E_IO = -7,       /* the operating system refused; errno says why */
    E_CORRUPT = -8,  /* stored bytes are not what was written */
    E_TYPE = -9,     /* a value of another type was expected */
    E_BUSY = -10,    /* somebody else holds it */
    E_AGAIN = -11,   /* would block */
    E_REFUSED = -12, /* the other side said no */
    E_STATE = -13    /* not allowed in the present state */
};

/* "syntax", "range", ...; "ok" for 0. */
const char *status_text(int status);

#endif
