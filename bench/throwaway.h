/* What a benchmark puts up for itself and leaves nothing of: a directory, a Postgres, a Redis. All of it goes when the
 * process ends, by exit, by SIGINT or SIGTERM; the servers also if it is killed.
 */
#ifndef SLUICE_BENCH_THROWAWAY_H
#define SLUICE_BENCH_THROWAWAY_H

#include <stdbool.h>

/* Makes a directory of its own in `parent`; ends the process with words when it cannot. Once. */
void throwaway_open(const char *parent);

/* "name" in it; valid until the fourth call after this one. */
const char *throwaway_path(const char *name);

/* Removes a file or a whole directory in it. */
void throwaway_remove(const char *name);

/* A server whose only door is a socket in the directory. Words why there is none, or NULL. */
const char *throwaway_postgres(char target[256]); /* a libpq connection string */
const char *throwaway_redis(char path[256]);      /* of its unix socket */

#endif
