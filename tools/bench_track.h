/* Figures over time: named columns, a row for each moment, kept in memory and in a CSV file.
 *
 * The file: lines "# key: value" that say what was measured, a line of column names, then rows; a figure that a row does
 * not have is empty. The first column is the time in seconds. */
#ifndef SLUICE_TOOLS_BENCH_TRACK_H
#define SLUICE_TOOLS_BENCH_TRACK_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { TRACK_COLUMNS_MAX = 512, TRACK_NAME_MAX = 48, TRACK_NOTES_MAX = 32, TRACK_NOTE_MAX = 160, TRACK_ERROR_MAX = 256 };

struct track {
    char name[TRACK_COLUMNS_MAX][TRACK_NAME_MAX];
    uint32_t n_columns;
    double *values; /* row * n_columns + column; NAN = not known */
    size_t n_rows, capacity;
    char note[TRACK_NOTES_MAX][TRACK_NOTE_MAX]; /* "key: value" */
    uint32_t n_notes;
    FILE *file; /* rows go there as they come; NULL = nowhere */
};

/* The column of a name; it is added where there is no row yet. UINT32_MAX: it is not there, or there is no room. */
uint32_t track_column(struct track *self, const char *name);
uint32_t track_find(const struct track *self, const char *name);

/* Notes with equal keys replace one another; what is noted once the file was begun stands behind its rows. */
void track_note(struct track *self, const char *key, const char *format, ...) __attribute__((format(printf, 3, 4)));
const char *track_noted(const struct track *self, const char *key); /* NULL: there is none */

/* Begins the file: notes and names. Columns are fixed from here on. E_IO. */
int track_begin(struct track *self, const char *path);

/* Adds a row of n_columns values. E_IO, E_FULL. */
int track_row(struct track *self, const double *row);

/* Reads a file. E_IO, E_SYNTAX, E_FULL with words in error. */
int track_read(struct track *self, const char *path, char error[TRACK_ERROR_MAX]);

void track_close(struct track *self);

double track_at(const struct track *self, size_t row, uint32_t column);

#endif
