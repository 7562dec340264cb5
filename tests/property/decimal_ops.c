/* Runs decimal operations given as lines on standard input, one result a line, so that another language's
 * decimals can be asked the same questions.
 *
 *   parse TEXT                                  -> dec          (and its plain text: dec "text")
 *   tight A                                     -> dec
 *   cmp A B                                     -> -1 0 1
 *   add|sub|mul A B                             -> dec
 *   rescale A EXP ROUNDING                      -> dec
 *   mul_at|div_at A B EXP ROUNDING              -> dec
 *   to_step A STEP ROUNDING                     -> dec
 *   money_of A, money_product A B               -> amount
 *   money_add|money_sub X Y                     -> amount
 *   money_scale X A ROUNDING                    -> amount
 *   money_dec X EXP ROUNDING                    -> dec
 *   money_parse TEXT                            -> amount
 *
 * A, B, STEP, dec: MANTISSA:EXP. X, Y, amount: plain decimals. A failure prints the status' name.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/decimal.h"

enum { WORDS_MAX = 6, LINE_MAX_BYTES = 4096 };

struct question {
    char *word[WORDS_MAX];
    int words;
};

static void refuse(const char *what, const char *value)
{
    fprintf(stderr, "decimal_ops: %s \"%s\" is not understood\n", what, value);
    exit(2);
}

static const char *word_at(const struct question *q, int i)
{
    if (i >= q->words) {
        refuse("too short a line for", q->word[0]);
    }
    return q->word[i];
}

static struct dec dec_at(const struct question *q, int i)
{
    const char *word = word_at(q, i);
    int64_t m;
    int exp;
    if (sscanf(word, "%" SCNd64 ":%d", &m, &exp) != 2) {
        refuse("decimal", word);
    }
    return (struct dec){.m = m, .exp = (int8_t)exp};
}

static money money_at(const struct question *q, int i)
{
    const char *word = word_at(q, i);
    money v = 0;
    if (!money_parse(word, strlen(word), &v)) {
        refuse("amount", word);
    }
    return v;
}

static enum rounding rounding_at(const struct question *q, int i)
{
    static const char *const names[] = {"exact", "down", "up", "floor", "ceiling", "half-even"};
    const char *word = word_at(q, i);
    for (size_t r = 0; r < sizeof names / sizeof *names; r++) {
        if (strcmp(word, names[r]) == 0) {
            return (enum rounding)r;
        }
    }
    refuse("rounding", word);
    return ROUND_EXACT;
}

static int exp_at(const struct question *q, int i)
{
    return atoi(word_at(q, i));
}

static void answer_dec(int status, struct dec v)
{
    char text[DEC_TEXT_MAX];
    if (status != OK) {
        puts(status_text(status));
        return;
    }
    dec_format(v, text);
    printf("%" PRId64 ":%d %s\n", v.m, v.exp, text);
}

static void answer_money(int status, money v)
{
    char text[MONEY_TEXT_MAX];
    if (status != OK) {
        puts(status_text(status));
        return;
    }
    money_format(v, text);
    puts(text);
}

static bool ask_dec(const char *op, const struct question *q)
{
    struct dec out = {0};
    int status;
    if (strcmp(op, "parse") == 0) {
        status = dec_parse(word_at(q, 1), strlen(q->word[1]), &out);
    } else if (strcmp(op, "tight") == 0) {
        status = OK;
        out = dec_tight(dec_at(q, 1));
    } else if (strcmp(op, "add") == 0) {
        status = dec_add(dec_at(q, 1), dec_at(q, 2), &out);
    } else if (strcmp(op, "sub") == 0) {
        status = dec_sub(dec_at(q, 1), dec_at(q, 2), &out);
    } else if (strcmp(op, "mul") == 0) {
        status = dec_mul(dec_at(q, 1), dec_at(q, 2), &out);
    } else if (strcmp(op, "rescale") == 0) {
        status = dec_rescale(dec_at(q, 1), exp_at(q, 2), rounding_at(q, 3), &out);
    } else if (strcmp(op, "mul_at") == 0) {
        status = dec_mul_at(dec_at(q, 1), dec_at(q, 2), exp_at(q, 3), rounding_at(q, 4), &out);
    } else if (strcmp(op, "div_at") == 0) {
        status = dec_div_at(dec_at(q, 1), dec_at(q, 2), exp_at(q, 3), rounding_at(q, 4), &out);
    } else if (strcmp(op, "to_step") == 0) {
        status = dec_to_step(dec_at(q, 1), dec_at(q, 2), rounding_at(q, 3), &out);
    } else if (strcmp(op, "money_dec") == 0) {
        status = money_dec(money_at(q, 1), exp_at(q, 2), rounding_at(q, 3), &out);
    } else {
        return false;
    }
    answer_dec(status, out);
    return true;
}

static bool ask_money(const char *op, const struct question *q)
{
    money out = 0;
    int status;
    if (strcmp(op, "money_of") == 0) {
        status = money_of(dec_at(q, 1), &out);
    } else if (strcmp(op, "money_product") == 0) {
        status = money_product(dec_at(q, 1), dec_at(q, 2), &out);
    } else if (strcmp(op, "money_add") == 0) {
        status = money_add(money_at(q, 1), money_at(q, 2), &out);
    } else if (strcmp(op, "money_sub") == 0) {
        status = money_sub(money_at(q, 1), money_at(q, 2), &out);
    } else if (strcmp(op, "money_scale") == 0) {
        status = money_scale(money_at(q, 1), dec_at(q, 2), rounding_at(q, 3), &out);
    } else if (strcmp(op, "money_parse") == 0) {
        status = money_parse(word_at(q, 1), strlen(q->word[1]), &out) ? OK : E_SYNTAX;
    } else {
        return false;
    }
    answer_money(status, out);
    return true;
}

int main(void)
{
    static char line[LINE_MAX_BYTES];
    while (fgets(line, sizeof line, stdin) != NULL) {
        struct question q = {0};
        char *rest = NULL;
        for (char *w = strtok_r(line, " \n", &rest); w != NULL && q.words < WORDS_MAX;
             w = strtok_r(NULL, " \n", &rest)) {
            q.word[q.words++] = w;
        }
        if (q.words == 0) {
            continue;
        }
        if (strcmp(q.word[0], "cmp") == 0) {
            printf("%d\n", dec_cmp(dec_at(&q, 1), dec_at(&q, 2)));
        } else if (!ask_dec(q.word[0], &q) && !ask_money(q.word[0], &q)) {
            refuse("operation", q.word[0]);
        }
    }
    return 0;
}
