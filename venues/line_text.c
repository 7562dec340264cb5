#include "venues/line_text.h"

#include <stdarg.h>
#include <stdio.h>

#include "lib/base/status.h"

void line_add(struct line_text *t, const char *format, ...)
{
    va_list args;
    if (t->full)
        return;
    va_start(args, format);
    int n = vsnprintf(t->at + t->len, t->cap - t->len, format, args);
    va_end(args);
    t->full = n < 0 || (size_t)n >= t->cap - t->len;
    if (!t->full)
        t->len += (size_t)n;
}

int line_finished(const struct line_text *t)
{
    return t->full ? E_RANGE : (int)t->len;
}
