/* Settings as YAML that reads back to the same, and as the tables of docs/configuration.md. */
#include <inttypes.h>
#include <string.h>

#include "lib/runtime/config_table.h"

/* One code point of valid UTF-8; returns how many bytes it takes. */
static size_t code_point(const char *text, uint32_t *out)
{
    const unsigned char *b = (const unsigned char *)text;
    if (b[0] < 0x80) {
        *out = b[0];
        return 1;
    }
    const size_t n = b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : 4;
    uint32_t c = b[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (b[i] & 0x3fu);
    *out = c;
    return n;
}

/* What YAML does not take as it stands between double quotes, or folds. */
static bool needs_escape(uint32_t c)
{
    return c < 0x20 || c == '"' || c == '\\' || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 ||
           c == 0xfeff || c == 0xfffe || c == 0xffff;
}

static void write_quoted(const char *text, FILE *out)
{
    fputc('"', out);
    while (*text != '\0') {
        uint32_t c;
        const size_t n = code_point(text, &c);
        if (!needs_escape(c))
            fwrite(text, 1, n, out);
        else if (c <= 0xff)
            fprintf(out, "\\x%02" PRIX32, c);
        else
            fprintf(out, "\\u%04" PRIX32, c);
        text += n;
    }
    fputc('"', out);
}

static void write_value(const struct setting *s, const void *field, FILE *out)
{
    char text[DEC_TEXT_MAX > MONEY_TEXT_MAX ? DEC_TEXT_MAX : MONEY_TEXT_MAX];
    money amount;
    switch (s->kind) {
    case SETTING_TEXT:
        write_quoted(field, out);
        break;
    case SETTING_CHOICE:
        fputs(field, out);
        break;
    case SETTING_INT:
        fprintf(out, "%" PRId64, *(const int64_t *)field);
        break;
    case SETTING_BOOL:
        fputs(*(const bool *)field ? "true" : "false", out);
        break;
    case SETTING_DEC:
        dec_format(*(const struct dec *)field, text);
        fputs(text, out);
        break;
    case SETTING_MONEY:
        memcpy(&amount, field, sizeof amount);
        money_format(amount, text);
        fputs(text, out);
        break;
    }
}

/* "1 to 50", "paper, live", "at most 15 bytes": what a value may be. */
static void bounds_text(const struct setting *s, char *out, size_t cap)
{
    size_t n = 0;
    switch (s->kind) {
    case SETTING_TEXT:
        snprintf(out, cap, "at most %zu bytes", s->size - 1);
        break;
    case SETTING_CHOICE:
        for (const char *c = s->choices; *c != '\0' && n + 2 < cap; c++) {
            if (*c == '|')
                out[n++] = ',';
            out[n++] = *c == '|' ? ' ' : *c;
        }
        out[n] = '\0';
        break;
    case SETTING_INT:
        if (s->max == INT64_MAX)
            snprintf(out, cap, "%" PRId64 " or more", s->min);
        else
            snprintf(out, cap, "%" PRId64 " to %" PRId64, s->min, s->max);
        break;
    case SETTING_BOOL:
        snprintf(out, cap, "true, false");
        break;
    case SETTING_DEC:
        snprintf(out, cap, "decimal");
        break;
    case SETTING_MONEY:
        snprintf(out, cap, "amount, 0 or more");
        break;
    }
}

/* The settings of one section or item; a list's item has a dash at its first. */
static void write_settings(struct config *c, const struct part *part, uint32_t item, FILE *out,
                           bool with_docs)
{
    const bool list = part->item_size != 0;
    const char *margin = list ? "    " : "  ";
    for (const struct setting *s = part->settings(); s->name != NULL; s++) {
        char bounds[128];
        bounds_text(s, bounds, sizeof bounds);
        if (with_docs && item == 0)
            fprintf(out, "%s# %s (%s)\n", list && s == part->settings() ? "  " : margin, s->doc, bounds);
        fprintf(out, "%s%s: ", list && s == part->settings() ? "  - " : margin, s->name);
        write_value(s, setting_field(c, part, item, s), out);
        fputc('\n', out);
    }
}

void config_write(const struct config *config, FILE *out, bool with_docs)
{
    /* The walkers give out writable fields; this one only reads them. */
    struct config *c = (struct config *)(uintptr_t)config;
    for (const struct part *p = config_parts(); p->name != NULL; p++) {
        if (with_docs)
            fprintf(out, "%s# %s\n", p == config_parts() ? "" : "\n", p->doc);
        const uint32_t n = p->item_size != 0 ? *part_count(c, p) : 1;
        fprintf(out, "%s:%s\n", p->name, n == 0 ? " []" : "");
        for (uint32_t i = 0; i < n; i++)
            write_settings(c, p, i, out, with_docs);
    }
}

static void document_part(const struct part *part, FILE *out)
{
    static const char *const kinds[] = {
        [SETTING_TEXT] = "text",          [SETTING_CHOICE] = "choice", [SETTING_INT] = "whole number",
        [SETTING_BOOL] = "true or false", [SETTING_DEC] = "decimal",   [SETTING_MONEY] = "amount"};
    fprintf(out, "\n## %s\n\n%s%s", part->name, part->item_size != 0 ? "A list: " : "", part->doc);
    if (part->item_size != 0)
        fprintf(out, " (at most %u items)", part->max);
    fputs(".\n\n| key | kind | default | may be | meaning |\n| --- | --- | --- | --- | --- |\n", out);
    for (const struct setting *s = part->settings(); s->name != NULL; s++) {
        char bounds[128];
        bounds_text(s, bounds, sizeof bounds);
        const char *quote = s->fallback[0] == '\0' ? "" : "`";
        const char *fallback = s->fallback[0] != '\0'      ? s->fallback
                               : setting_required(part, s) ? "must be given"
                                                           : "empty";
        fprintf(out, "| `%s.%s%s` | %s | %s%s%s | %s | %s |\n", part->name, part->item_size != 0 ? "N." : "",
                s->name, kinds[s->kind], quote, fallback, quote, bounds, s->doc);
    }
}

void config_document(FILE *out)
{
    fputs(
        "<!-- Made from lib/runtime/config.def by the config_doc program; do not edit. -->\n"
        "# Configuration\n\n"
        "Settings come from four places, each overriding the one before:\n\n"
        "1. the defaults below;\n"
        "2. the YAML file given by `--config FILE`;\n"
        "3. the environment: `SLUICE__SECTION__KEY`, such as `SLUICE__RISK__MAX_GROSS=5000`, and for lists\n"
        "   `SLUICE__FEES__0__TAKER_BPS=10`;\n"
        "4. the command line: `--set section.key=value`, such as `--set feed.depth=10`, and for lists\n"
        "   `--set fees.0.taker_bps=10` (an index equal to the list's length appends).\n\n"
        "Reading is strict: an unknown key or section, a key given twice, a value of another kind or out of\n"
        "bounds stops the start, with the file, the line, the key, the value and what was expected. A list "
        "in a\n"
        "file replaces the whole list. Decimals and amounts are exact; nothing passes through binary "
        "floating\n"
        "point. `sluice show-config` prints the settings in force.\n",
        out);
    for (const struct part *p = config_parts(); p->name != NULL; p++)
        document_part(p, out);
}
