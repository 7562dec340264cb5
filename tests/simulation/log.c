/* Log lines of the services are lines of the trace. */
#include "lib/runtime/log.h"

#include <stdarg.h>

#include "tests/simulation/simulation.h"

int log_open(const char *service, const char *path, const char *level, const char *format)
{
    (void)service;
    (void)path;
    (void)level;
    (void)format;
    return OK;
}

void log_flush(void)
{
}

void log_close(void)
{
}

void log_line(enum log_level level, const char *event, const char *format, ...)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    char text[512];
    va_list args;
    if (!world.tracing)
        return;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    trace("%s %s %s", levels[level], event, text);
}
