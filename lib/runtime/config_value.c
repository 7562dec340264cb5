/* One value: from its text into its field, or what is wrong with it. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/runtime/config_table.h"
#include "proto/guard.h"

/* Texts with a form of their own. */
struct form {
    const char *part, *setting;
    bool (*fits)(const char *text, size_t len);
    const char *expected;
};

static bool is(const char *text, size_t len, const char *word)
{
    return strlen(word) == len && memcmp(text, word, len) == 0;
}

static bool read_int(const char *text, size_t len, int64_t *out, bool *too_big)
{
    *too_big = false;
    const bool negative = len > 0 && text[0] == '-';
    size_t i = negative ? 1 : 0;
    if (i == len)
        return false;
    int64_t value = 0;
    for (; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        const int64_t digit = text[i] - '0';
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, negative ? -digit : digit, &value)) {
            *too_big = true;
            value = 0;
        }
    }
    *out = value;
    return true;
}

static bool speed_fits(const char *text, size_t len)
{
    const struct dec most = {100000, 0}, none = {0, 0};
    struct dec speed;
    return is(text, len, "max") ||
           (dec_parse(text, len, &speed) == OK && dec_cmp(speed, none) > 0 && dec_cmp(speed, most) <= 0);
}

static bool sync_fits(const char *text, size_t len)
{
    int64_t ms;
    bool too_big;
    return is(text, len, "always") || is(text, len, "never") ||
           (read_int(text, len, &ms, &too_big) && !too_big && ms >= 1 && ms <= 60000);
}

static bool leg_fits(const char *text, size_t len)
{
    const char *at = memchr(text, '@', len);
    if (at == NULL || at == text || at == text + len - 1)
        return false;
    if (memchr(at + 1, '@', (size_t)(text + len - at - 1)) != NULL)
        return false;
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] <= ' ')
            return false;
    }
    return true;
}

static bool not_empty(const char *text, size_t len)
{
    (void)text;
    return len > 0;
}

/* It stands in client order ids, and in files whose words are parted by blanks. */
static bool account_fits(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)text[i]) && text[i] != '_' && text[i] != '-')
            return false;
    }
    return len > 0;
}

static const struct form forms[] = {
    {"run", "account", account_fits, "letters, digits, _ and -"},
    {"feed", "speed", speed_fits, "max, or a positive number up to 100000"},
    {"journal", "sync", sync_fits, "always, never, or 1 to 60000 (ms)"},
    {"routes", "a", leg_fits, "SYMBOL@VENUE, such as BTC-USDT@binance"},
    {"routes", "b", leg_fits, "SYMBOL@VENUE, such as BTC-USDT@binance"},
    {"recordings", "path", not_empty, "the path of a recording"},
};

static int refuse(struct complaint *why, int status, const char *about, const char *expected)
{
    why->about_is_enough = false;
    snprintf(why->about, sizeof why->about, "%s", about);
    snprintf(why->expected, sizeof why->expected, "%s", expected);
    return status;
}

static int assign_text(const struct part *part, const struct setting *s, char *field, const char *text,
                       size_t len, struct complaint *why)
{
    char most[48];
    snprintf(most, sizeof most, "at most %zu bytes", s->size - 1);
    if (len >= s->size)
        return refuse(why, E_RANGE, "is too long", most);
    if (guard_text(text, len) != len)
        return refuse(why, E_SYNTAX, "is not text", "UTF-8 without NUL bytes");
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (strcmp(forms[i].part, part->name) == 0 && strcmp(forms[i].setting, s->name) == 0 &&
            !forms[i].fits(text, len))
            return refuse(why, E_RANGE, "is not valid", forms[i].expected);
    }
    memset(field, 0, s->size);
    memcpy(field, text, len);
    return OK;
}

static int assign_choice(const struct setting *s, char *field, const char *text, size_t len,
                         struct complaint *why)
{
    for (const char *choice = s->choices; *choice != '\0';) {
        const size_t n = strcspn(choice, "|");
        if (n == len && memcmp(choice, text, n) == 0) {
            memset(field, 0, s->size);
            memcpy(field, text, len);
            return OK;
        }
        choice += n + (choice[n] == '|' ? 1 : 0);
    }
    char expected[140], about[150];
    snprintf(expected, sizeof expected, "one of %.120s", s->choices);
    snprintf(about, sizeof about, "is not %s", expected);
    refuse(why, E_RANGE, about, expected);
    why->about_is_enough = true;
    return E_RANGE;
}

static int assign_int(const struct setting *s, int64_t *field, const char *text, size_t len,
                      struct complaint *why)
{
    char bounds[64];
    int64_t value;
    bool too_big;
    if (!read_int(text, len, &value, &too_big)) {
        snprintf(bounds, sizeof bounds, "a whole number, %" PRId64 " to %" PRId64, s->min, s->max);
        return refuse(why, E_SYNTAX, "is not a whole number", bounds);
    }
    if (too_big || value < s->min || value > s->max) {
        snprintf(bounds, sizeof bounds, "%" PRId64 " to %" PRId64, s->min, s->max);
        return refuse(why, E_RANGE, "is out of bounds", bounds);
    }
    *field = value;
    return OK;
}

static int assign_dec(struct dec *field, const char *text, size_t len, struct complaint *why)
{
    const char *expected = "a number such as 1 or 2.5";
    struct dec value;
    const int status = dec_parse(text, len, &value);
    if (status == E_RANGE)
        return refuse(why, E_RANGE, "has too many digits", expected);
    if (status != OK)
        return refuse(why, E_SYNTAX, "is not a number", expected);
    field->m = value.m; /* by member: configs compare by their bytes, padding and all */
    field->exp = value.exp;
    return OK;
}

static int assign_money(money *field, const char *text, size_t len, struct complaint *why)
{
    const char *expected = "an amount such as 1000 or 0.5";
    money value;
    if (!money_parse(text, len, &value))
        return refuse(why, E_SYNTAX, "is not an amount", expected);
    if (value < 0)
        return refuse(why, E_RANGE, "is below 0", expected);
    memcpy(field, &value, sizeof value);
    return OK;
}

int setting_assign(const struct part *part, const struct setting *setting, void *field, const char *text,
                   size_t len, struct complaint *why)
{
    switch (setting->kind) {
    case SETTING_TEXT:
        return assign_text(part, setting, field, text, len, why);
    case SETTING_CHOICE:
        return assign_choice(setting, field, text, len, why);
    case SETTING_INT:
        return assign_int(setting, field, text, len, why);
    case SETTING_BOOL:
        if (!is(text, len, "true") && !is(text, len, "false"))
            return refuse(why, E_SYNTAX, "is neither true nor false", "true or false");
        *(bool *)field = is(text, len, "true");
        return OK;
    case SETTING_DEC:
        return assign_dec(field, text, len, why);
    case SETTING_MONEY:
        return assign_money(field, text, len, why);
    }
    return E_TYPE;
}
