#include "venues/sim/profile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/text.h"

enum { COLUMNS = 12, LINE_MAX_BYTES = 256 };

static int refuse(char error[PROFILE_ERROR_MAX], const char *name, int line, int column, const char *value,
                  const char *expected)
{
    (void)snprintf(error, PROFILE_ERROR_MAX, "%.100s:%d: column %d: \"%.40s\"; expected %s", name, line,
                   column, value, expected);
    return E_SYNTAX;
}

/* Bounds that no market comes near, and within which prices in ticks stay whole numbers of 64 bits. */
#define NUMBER_MAX    1e9
#define LOGARITHM_MAX 100.0
#define MID_TICKS_MAX 1e12

static bool number_within(const char *text, double above, double below, double *out)
{
    char *end;
    errno = 0;
    *out = strtod(text, &end);
    return errno == 0 && *end == '\0' && end != text && *out > above && *out < below;
}

static int read_line(const char *name, int line, char *text, struct profile *p, char error[PROFILE_ERROR_MAX])
{
    double *const numbers[COLUMNS] = {NULL,
                                      &p->mid,
                                      NULL,
                                      &p->spread_ticks[0],
                                      &p->spread_ticks[1],
                                      &p->spread_ticks[2],
                                      &p->spread_ticks[3],
                                      &p->rate_hz,
                                      &p->volatility_bps,
                                      &p->gap_bps,
                                      &p->best_mu,
                                      &p->best_sigma};
    char *save = NULL;
    char *word = strtok_r(text, " \t\r", &save);
    for (int column = 0; column <= COLUMNS; column++, word = strtok_r(NULL, " \t\r", &save)) {
        if (!word)
            return refuse(error, name, line, column + 1, "", "thirteen columns");
        double *number = column == COLUMNS ? &p->depth : numbers[column];
        if (column == 0 && !text_set(p->name, sizeof p->name, word))
            return refuse(error, name, line, 1, word, "a name of at most 23 characters");
        if (column == 2 && (dec_parse(word, strlen(word), &p->tick) != OK || p->tick.m <= 0))
            return refuse(error, name, line, 3, word, "a price step above 0");
        double above = number == &p->best_mu ? -LOGARITHM_MAX : 0;
        if (number && !number_within(word, above, above < 0 ? LOGARITHM_MAX : NUMBER_MAX, number))
            return refuse(error, name, line, column + 1, word,
                          above < 0 ? "a logarithm from -100 to 100" : "a number above 0 and below 1e9");
    }
    if (p->mid / dec_double(p->tick) > MID_TICKS_MAX)
        return refuse(error, name, line, 3, "", "a price step of at least a 1e12th of the price");
    return word ? refuse(error, name, line, COLUMNS + 2, word, "thirteen columns") : OK;
}

int profiles_read(const char *name, const char *text, size_t len, struct profile out[PROFILES_MAX],
                  uint32_t *n, char error[PROFILE_ERROR_MAX])
{
    char line[LINE_MAX_BYTES];
    int number = 0;
    *n = 0;
    for (size_t at = 0; at < len; number++) {
        const char *newline = memchr(text + at, '\n', len - at);
        size_t line_len = newline ? (size_t)(newline - (text + at)) : len - at;
        if (line_len >= sizeof line)
            return refuse(error, name, number + 1, 1, "", "a line of at most 255 characters");
        memcpy(line, text + at, line_len);
        line[line_len] = '\0';
        at += line_len + 1;
        if (line[0] == '#' || line[strspn(line, " \t\r")] == '\0')
            continue;
        if (*n == PROFILES_MAX)
            return refuse(error, name, number + 1, 1, line, "at most 64 profiles");
        int status = read_line(name, number + 1, line, &out[*n], error);
        if (status)
            return status;
        ++*n;
    }
    return *n > 0 ? OK : refuse(error, name, number, 1, "", "at least one profile");
}
