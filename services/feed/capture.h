/* The capture: what the feed receives and sends, raw, in files that `sluice books`, replay and backtest read.
 *
 * It never holds the feed up: lines are laid into a bounded buffer, and a thread compresses and writes them. What finds
 * no room, or cannot be written, is lost to the capture, and counted; the next line of each connection is then preceded
 * by a "connect", so that who reads the capture takes nothing up behind the hole without a snapshot.
 *
 * Files are DIR/<start of the feed>-<number>.jsonl.gz, in order of their names. They end a gzip member about every
 * second: a feed that is killed leaves what it had written until then.
 */
#ifndef SLUICE_SERVICES_FEED_CAPTURE_H
#define SLUICE_SERVICES_FEED_CAPTURE_H

#include "lib/base/clock.h"
#include "lib/runtime/metric.h"
#include "venues/recording_line.h"

struct capture;

struct capture_options {
    const char *dir;
    int64_t rotate_bytes; /* compressed */
    int64_t rotate_ns;
    int64_t keep_bytes;  /* of all files: the oldest go */
    size_t buffer_bytes; /* of lines that wait; twice this is held */
};

/* E_IO with words: the directory cannot be made. E_FULL. */
int capture_open(const struct capture_options *options, int64_t utc_ns, struct capture **out, char *error,
                 size_t error_cap);
void capture_frame(struct capture *self, const struct frame *frame, struct line_form form);
void capture_watch(struct capture *self); /* says in the log what went wrong since; from the loop, now and then */
void capture_status(struct capture *self, struct reply *reply);
void capture_close(struct capture **self); /* what waits is written first */

#endif
