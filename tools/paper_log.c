#include "tools/paper_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 12 };

static int split(char *line, char *words[WORDS_MAX])
{
    int n = 0;
    char *rest = line;
    for (char *word = strtok_r(line, " \n", &rest); word && n < WORDS_MAX;
         word = strtok_r(NULL, " \n", &rest))
        words[n++] = word;
    return n;
}

static bool number(const char *word, struct dec *out)
{
    return dec_parse(word, strlen(word), out) == OK;
}

static bool read_trade(char *words[], const struct paper_log_reader *reader)
{
    struct paper_trade t = {.trade_id = words[2],
                            .client_id = words[3],
                            .venue = words[4],
                            .symbol = words[5],
                            .side = words[6],
                            .fee_currency = words[10]};
    if (strcmp(t.side, "buy") != 0 && strcmp(t.side, "sell") != 0)
        return false;
    if (!number(words[7], &t.price) || !number(words[8], &t.qty) || !number(words[9], &t.fee))
        return false;
    reader->on_trade(reader->ctx, &t);
    return true;
}

/* B a start balance, O an order taken, F a fill, D and R how an order ended. */
static bool read_line(char *line, const struct paper_log_reader *reader)
{
    char *words[WORDS_MAX];
    int n = split(line, words);
    if (n == 0 || words[0][1] != '\0')
        return false;
    switch (words[0][0]) {
    case 'B':
    case 'R':
        return n == 4;
    case 'D':
        return n == 5;
    case 'O':
        if (n == 9)
            reader->on_order(reader->ctx, words[2], words[3], words[4]);
        return n == 9;
    case 'F':
        return n == 11 && read_trade(words, reader);
    default:
        return false;
    }
}

int paper_log_read(const char *path, const struct paper_log_reader *reader, char *error, size_t error_cap)
{
    FILE *f = fopen(path, "re");
    char *line = NULL, shown[64];
    size_t cap = 0;
    ssize_t len;
    int status = OK;
    *error = '\0';
    if (!f) {
        (void)snprintf(error, error_cap, "%s: not there", path);
        return E_ABSENT;
    }
    for (long at = 1; status == OK && (len = getline(&line, &cap, f)) > 0 && line[len - 1] == '\n'; at++) {
        (void)snprintf(shown, sizeof shown, "%.*s", (int)strcspn(line, "\n"), line);
        if (!read_line(line, reader)) {
            (void)snprintf(error, error_cap, "%s: line %ld cannot be read: '%s'", path, at, shown);
            status = E_SYNTAX;
        }
    }
    free(line);
    (void)fclose(f);
    return status;
}
