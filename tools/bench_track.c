#include "tools/bench_track.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/status.h"
#include "lib/base/text.h"

enum { ROWS_FIRST = 1024 };

uint32_t track_find(const struct track *self, const char *name)
{
    for (uint32_t i = 0; i < self->n_columns; i++)
        if (strcmp(self->name[i], name) == 0)
            return i;
    return UINT32_MAX;
}

uint32_t track_column(struct track *self, const char *name)
{
    uint32_t at = track_find(self, name);
    if (at != UINT32_MAX || self->n_rows > 0 || self->file || self->n_columns == TRACK_COLUMNS_MAX ||
        !text_set(self->name[self->n_columns], TRACK_NAME_MAX, name))
        return at;
    return self->n_columns++;
}

static uint32_t note_of(const struct track *self, const char *key)
{
    size_t len = strlen(key);
    for (uint32_t i = 0; i < self->n_notes; i++)
        if (strncmp(self->note[i], key, len) == 0 && strncmp(self->note[i] + len, ": ", 2) == 0)
            return i;
    return UINT32_MAX;
}

void track_note(struct track *self, const char *key, const char *format, ...)
{
    char value[TRACK_NOTE_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(value, sizeof value, format, arguments);
    va_end(arguments);
    uint32_t at = note_of(self, key);
    if (at == UINT32_MAX && self->n_notes == TRACK_NOTES_MAX)
        return;
    if (at == UINT32_MAX)
        at = self->n_notes++;
    (void)snprintf(self->note[at], TRACK_NOTE_MAX, "%.40s: %.110s", key, value);
    if (self->file)
        (void)fprintf(self->file, "# %s\n", self->note[at]);
}

const char *track_noted(const struct track *self, const char *key)
{
    uint32_t at = note_of(self, key);
    return at == UINT32_MAX ? NULL : self->note[at] + strlen(key) + 2;
}

int track_begin(struct track *self, const char *path)
{
    self->file = fopen(path, "we");
    if (!self->file)
        return E_IO;
    for (uint32_t i = 0; i < self->n_notes; i++)
        (void)fprintf(self->file, "# %s\n", self->note[i]);
    for (uint32_t i = 0; i < self->n_columns; i++)
        (void)fprintf(self->file, "%s%s", i ? "," : "", self->name[i]);
    return fputc('\n', self->file) == '\n' && fflush(self->file) == 0 ? OK : E_IO;
}

static int keep(struct track *self, const double *row)
{
    if (self->n_rows == self->capacity) {
        size_t capacity = self->capacity ? 2 * self->capacity : ROWS_FIRST;
        double *values = realloc(self->values, capacity * self->n_columns * sizeof *values);
        if (!values)
            return E_FULL;
        self->values = values;
        self->capacity = capacity;
    }
    memcpy(self->values + self->n_rows * self->n_columns, row, self->n_columns * sizeof *row);
    self->n_rows++;
    return OK;
}

int track_row(struct track *self, const double *row)
{
    int status = keep(self, row);
    double *kept = self->values + (self->n_rows - 1) * self->n_columns;
    for (uint32_t i = 0; status == OK && self->file && i < self->n_columns; i++) {
        char text[32] = "";
        if (isfinite(row[i])) {
            (void)snprintf(text, sizeof text, "%.10g", row[i]);
            kept[i] = strtod(text, NULL); /* as who reads the file will have it */
        }
        (void)fprintf(self->file, "%s%s", i ? "," : "", text);
    }
    if (status == OK && self->file && (fputc('\n', self->file) != '\n' || fflush(self->file) != 0))
        status = E_IO;
    return status;
}

/* ---- reading ---------------------------------------------------------------------------------------- */

static bool read_names(struct track *self, char *line)
{
    char *at = line, *name;
    while ((name = strsep(&at, ",")) != NULL)
        if (track_find(self, name) != UINT32_MAX || track_column(self, name) == UINT32_MAX)
            return false;
    return self->n_columns > 1;
}

static bool read_row(struct track *self, char *line, double *row)
{
    uint32_t n = 0;
    char *at = line, *text, *end;
    while ((text = strsep(&at, ",")) != NULL) {
        if (n == self->n_columns)
            return false;
        row[n] = *text ? strtod(text, &end) : (double)NAN;
        if (*text && (*end || !isfinite(row[n])))
            return false;
        n++;
    }
    return n == self->n_columns && isfinite(row[0]);
}

static int read_line(struct track *self, char *line, double *row)
{
    char *colon = strstr(line, ": ");
    if (strncmp(line, "# ", 2) == 0 && colon) {
        *colon = '\0';
        track_note(self, line + 2, "%s", colon + 2);
        return OK;
    }
    if (*line == '#')
        return OK;
    if (self->n_columns == 0)
        return read_names(self, line) ? OK : E_SYNTAX;
    return read_row(self, line, row) ? keep(self, row) : E_SYNTAX;
}

int track_read(struct track *self, const char *path, char error[TRACK_ERROR_MAX])
{
    double row[TRACK_COLUMNS_MAX];
    char *line = NULL;
    size_t cap = 0, number = 0;
    int status = OK;
    FILE *file = fopen(path, "re");
    if (!file) {
        (void)snprintf(error, TRACK_ERROR_MAX, "%.180s: %s", path, strerror(errno));
        return E_IO;
    }
    while (status == OK && getline(&line, &cap, file) >= 0) {
        number++;
        line[strcspn(line, "\r\n")] = '\0';
        status = read_line(self, line, row);
    }
    if (status == OK && self->n_rows == 0)
        status = E_SYNTAX;
    if (status != OK)
        (void)snprintf(error, TRACK_ERROR_MAX, "%.180s: line %zu: expected %s", path, number,
                       status == E_FULL       ? "less: out of memory"
                       : self->n_columns == 0 ? "a line of two or more column names, all different"
                                              : "rows with a number, or nothing, for each column");
    free(line);
    (void)fclose(file);
    return status;
}

void track_close(struct track *self)
{
    if (self->file)
        (void)fclose(self->file);
    self->file = NULL;
    free(self->values);
    self->values = NULL;
    self->n_rows = self->capacity = 0;
}

double track_at(const struct track *self, size_t row, uint32_t column)
{
    return column < self->n_columns && row < self->n_rows ? self->values[row * self->n_columns + column]
                                                          : (double)NAN;
}
