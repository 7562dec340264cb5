/* The report of a run, from its database, its journals and the paper venue's own log. */
#ifndef SLUICE_TOOLS_REPORT_H
#define SLUICE_TOOLS_REPORT_H

#include <stdbool.h>
#include <stdio.h>

/* Prints the report of the run in `dir` as text, or as one JSON object. Returns the exit code: 0; 6 when positions by
 * risk, fills of exec, fills in the database and the paper venue's log do not agree to the last digit; 1 when
 * something could not be read (said on stderr). */
int report_print(const char *dir, bool json, FILE *out);

#endif
