/* Texts that grow. */
#include "venues/emulator/words.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool room(struct words *self, size_t more)
{
    if (self->failed)
        return false;
    if (self->len + more < self->cap)
        return true;
    size_t cap = self->cap ? self->cap : 512;
    while (cap <= self->len + more)
        cap *= 2;
    char *at = realloc(self->at, cap);
    if (!at) {
        self->failed = true;
        return false;
    }
    self->at = at;
    self->cap = cap;
    return true;
}

void words_free(struct words *self)
{
    free(self->at);
    *self = (struct words){0};
}

void words_clear(struct words *self)
{
    self->len = 0;
    self->failed = false;
    if (self->at)
        self->at[0] = '\0';
}

void words_put(struct words *self, const char *text, size_t len)
{
    if (!room(self, len + 1))
        return;
    memcpy(self->at + self->len, text, len);
    self->len += len;
    self->at[self->len] = '\0';
}

void words_add(struct words *self, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int len = vsnprintf(NULL, 0, format, list);
    va_end(list);
    if (len < 0 || !room(self, (size_t)len + 1))
        return;
    va_start(list, format);
    (void)vsnprintf(self->at + self->len, (size_t)len + 1, format, list);
    va_end(list);
    self->len += (size_t)len;
}

void words_quote(struct words *self, const char *text, size_t len)
{
    words_put(self, "\"", 1);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            words_add(self, "\\%c", c);
        else if (c < 0x20)
            words_add(self, "\\u%04x", c);
        else
            words_put(self, &text[i], 1);
    }
    words_put(self, "\"", 1);
}

void words_decimal(struct words *self, int64_t m, int exp, int decimals)
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%" PRIu64, m < 0 ? -(uint64_t)m : (uint64_t)m);
    int behind = exp < 0 ? -exp : 0;
    if (m < 0)
        words_put(self, "-", 1);
    if (n > behind)
        words_put(self, digits, (size_t)(n - behind));
    else
        words_put(self, "0", 1);
    for (int i = 0; m != 0 && i < exp; i++)
        words_put(self, "0", 1);
    if (behind > 0 || decimals > 0)
        words_put(self, ".", 1);
    for (int i = n; i < behind; i++)
        words_put(self, "0", 1);
    if (behind > 0)
        words_put(self, digits + (n > behind ? n - behind : 0), (size_t)(n > behind ? behind : n));
    for (int i = behind; i < decimals; i++)
        words_put(self, "0", 1);
}
