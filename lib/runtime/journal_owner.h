/* A journal from within, as its owner has it. Internal to journal.c and journal_open.c.
 *
 * Two threads: the owner's, which appends and writes, and one that syncs on a rhythm. They meet in three
 * things: `written` (atomic: last position whose bytes are in the file), `synced` (atomic: last position on
 * disk), and the file itself under `file_lock`, which is held while it is synced, or exchanged for the next
 * segment. So a write never waits for a sync, but a new segment does: the old one is on disk before the next
 * exists, which is why only the last segment can have a torn tail.
 */
#ifndef SLUICE_RUNTIME_JOURNAL_OWNER_H
#define SLUICE_RUNTIME_JOURNAL_OWNER_H

#include <pthread.h>
#include <stdatomic.h>

#include "lib/runtime/journal_record.h"

struct rhythm;

struct journal {
    char dir[JOURNAL_PATH_MAX];
    struct journal_options options;
    int dir_fd, lock_fd;
    int fd;            /* the newest segment; -1 = none yet */
    off_t end;         /* where its whole records end */
    uint64_t full_pos; /* last written when it had its size; 0 = it has not */
    bool overhang;     /* bytes of a failed write may stand behind `end` */

    struct segment {
        uint64_t first_pos;
        uint64_t epoch_before; /* of the last record before it; UINT64_MAX = not known */
        uint64_t bytes;        /* but the newest's: that is `end` */
    } segments[SEGMENTS_MAX];
    size_t n_segments;
    uint64_t older_bytes; /* of all but the newest */

    uint64_t head_epoch, head_pos; /* last written */
    uint64_t tail_epoch, tail_pos; /* last appended */
    uint64_t buffer_pos;           /* first position in the buffer */
    size_t buffered;
    size_t sealed; /* bytes of it whose records have their sums */

    _Atomic uint64_t written, synced;
    _Atomic bool sync_failed;
    _Atomic int sync_errno;
    pthread_mutex_t file_lock;
    struct rhythm *syncing; /* NULL = no thread */

    char error[JOURNAL_ERROR_MAX];
    unsigned char buffer[JOURNAL_BUFFER_BYTES];
};

/* Keeps the words and returns the status. */
int journal_fail(struct journal *self, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int journal_fail_segment(struct journal *self, uint64_t first_pos,
                         const char *what); /* errno's words; E_IO */

/* While this file is there, a sync has failed, and nobody has written anew what it was to put on disk: the kernel may
 * show bytes, and call them clean, that the device does not have. It needs no sync itself: what makes it go, a
 * new start of the machine, makes those bytes go too. */
#define JOURNAL_DOUBT "sync-failed"
/* It waits as an empty file that is renamed: a disk that is full has no room for a new one. */
#define JOURNAL_MARK "sync-mark"
void journal_mark_doubt(struct journal *self);

void journal_sync_beat(void *journal);                                            /* on the sync thread */
bool journal_write_all(int fd, const unsigned char *bytes, size_t len, off_t at); /* all of it; errno */

#endif
