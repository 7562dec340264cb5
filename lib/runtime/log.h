/* Log lines through a ring that never blocks the caller: key=value text, or JSON. Lines are formatted into a
 * fixed ring and written to the log file by log_flush, which the loop calls when it is idle and
 * at exit. A line equal in format and level to the one before it within a second is counted, not repeated
 * ("repeated=17"). When the ring is full the newest lines are dropped and counted ("dropped=3"). A file that has
 * LOG_FILE_BYTES is kept as NAME.1, in place of the one before, and a new one is begun.
 */
#ifndef SLUICE_RUNTIME_LOG_H
#define SLUICE_RUNTIME_LOG_H

#include "lib/base/status.h"

enum { LOG_FILE_BYTES = 64 * 1024 * 1024 };

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* service: name in each line. path: file to append to, or NULL for stderr. level and format as in the
 * config ("info", "text"). E_IO. */
int log_open(const char *service, const char *path, const char *level, const char *format);
void log_flush(void);
void log_close(void);

/* event: a short constant ("started", "book-stale"); then printf-style key=value pairs:
 *   log_line(LOG_WARN, "book-stale", "symbol=%s reason=%s", symbol, reason); */
void log_line(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
