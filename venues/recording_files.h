/* The lines of a recording's files, decompressed: of one file, or of a directory's files one behind the other. zlib reads
 * gzip of one or several members, and what is not gzip as it is. Inside this folder only. */
#ifndef SLUICE_VENUES_RECORDING_FILES_H
#define SLUICE_VENUES_RECORDING_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A text that grows to the longest seen. */
struct text {
    char *at;
    size_t cap;
};

bool text_room(struct text *text, size_t bytes); /* false: out of memory */

struct recording_files;

/* E_IO with words in error. */
int recording_files_open(const char *path, struct recording_files **out, char *error, size_t error_cap);
void recording_files_close(struct recording_files **self);

/* The next line, without its end; valid until the next call. 1, 0 at the end, E_IO. What stands before a damage is still
 * handed out. *new_life: it is the first of a file that another life of the feed began. */
int recording_files_next(struct recording_files *self, const char **line, size_t *len, bool *new_life);

const char *recording_files_damage(const struct recording_files *self);

/* Compressed bytes read, and of all files. */
uint64_t recording_files_consumed(const struct recording_files *self);
uint64_t recording_files_size(const struct recording_files *self);

#endif
