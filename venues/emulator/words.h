/* A text that is put together piece by piece and grows with need. */
#ifndef SLUICE_VENUES_EMULATOR_WORDS_H
#define SLUICE_VENUES_EMULATOR_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct words {
    char *at; /* NUL-terminated once something was added */
    size_t len, cap;
    bool failed; /* out of memory: what was added since is lost */
};

void words_free(struct words *self);
void words_clear(struct words *self); /* keeps its room */
void words_put(struct words *self, const char *text, size_t len);
void words_add(struct words *self, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* m * 10^exp with at least this many digits behind the point. */
void words_decimal(struct words *self, int64_t m, int exp, int decimals);

/* The text in quotes, with what JSON wants escaped. */
void words_quote(struct words *self, const char *text, size_t len);

#endif
