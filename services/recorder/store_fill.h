/* The database of a run made anew from its ledgers' files: what the recorder would have stored. */
#ifndef SLUICE_SERVICES_STORE_FILL_H
#define SLUICE_SERVICES_STORE_FILL_H

#include "services/recorder/store.h"

/* Fills the store of the run in `dir` ("." or a run directory; its config.yaml says which sink, its run_id the run) from
 * journal/risk and journal/exec, and the last prices from the view (NULL: none). What the store holds of this run is
 * replaced. E_ABSENT, E_CORRUPT, E_IO, E_REFUSED with words in error. */
int store_fill(const char *dir, const struct view *view, char error[STORE_ERROR_MAX]);

/* Opens the store of the run in the working directory, as its config says. `made` false: a file that is not there yet
 * is E_ABSENT. */
int store_open_run(bool made, struct store **out, char error[STORE_ERROR_MAX]);

#endif
