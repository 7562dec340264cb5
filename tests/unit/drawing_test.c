/* What is drawn is well-formed XML, whatever it is drawn from, and shows what can be shown. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/status.h"
#include "tools/drawing.h"

static char text[1 << 20];

static int count(const char *what)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
        n++;
    return n;
}

/* Tags nest and close, no bare '<' or '&' stands in words, attributes are quoted, no number is nan or inf. */
static const char *tag(const char *s, char names[][16], int *depth)
{
    bool closes = s[1] == '/';
    size_t n = strcspn(s + 1 + closes, " />\n");
    ck_assert_int_lt(n, 16);
    char name[16];
    memcpy(name, s + 1 + closes, n);
    name[n] = '\0';
    const char *end = s + 1;
    for (bool quoted = false; *end && (quoted || *end != '>'); end++) {
        quoted ^= *end == '"';
        ck_assert_msg(*end != '<', "'<' inside of a tag: %.60s", s);
    }
    ck_assert_msg(*end == '>', "no end: %.60s", s);
    if (closes) {
        ck_assert_msg(*depth > 0 && strcmp(names[*depth - 1], name) == 0, "closes what is not open: %.60s",
                      s);
        --*depth;
    } else if (end[-1] != '/') {
        ck_assert_int_lt(*depth, 8);
        strcpy(names[(*depth)++], name);
    }
    return end + 1;
}

static void check_well_formed(void)
{
    char names[8][16];
    int depth = 0, roots = 0;
    const char *s = text;
    while (*s) {
        if (*s == '<') {
            roots += depth == 0;
            s = tag(s, names, &depth);
            continue;
        }
        if (*s == '&')
            ck_assert_msg(strncmp(s, "&amp;", 5) == 0 || strncmp(s, "&lt;", 4) == 0 ||
                              strncmp(s, "&gt;", 4) == 0 || strncmp(s, "&quot;", 6) == 0,
                          "a bare '&': %.30s", s);
        ck_assert_msg((unsigned char)*s >= 0x20 || *s == '\n', "byte %d", *s);
        s++;
    }
    ck_assert_int_eq(depth, 0);
    ck_assert_int_eq(roots, 1);
    ck_assert_int_eq(count("\"nan") + count(",nan") + count("\"-nan") + count("inf,") + count("\"inf"), 0);
}

static FILE *begun(void)
{
    return fmemopen(text, sizeof text, "w");
}

static void draw(const struct chart *chart)
{
    char path[] = "/tmp/drawing_test_XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(chart_write(path, chart), OK);
    FILE *in = fdopen(fd, "r");
    text[fread(text, 1, sizeof text - 1, in)] = '\0';
    fclose(in);
    remove(path);
    check_well_formed();
}

START_TEST(words_of_any_bytes_are_escaped_and_what_is_no_character_is_a_question_mark)
{
    FILE *out = begun();
    svg_begin(out, 100, 50, "a<b & \"c\"");
    svg_text(out, 1, 2, 12, "start", "x > y\x01\xff \xc3\xa9 \xed\xa0\x80 \xe2\x82");
    svg_rect(out, 0, 0, 5, 5, svg_color(0), "</title>");
    svg_rect(out, 0, 0, 5, 5, "\"red", NULL);
    svg_end(out);
    fclose(out);
    check_well_formed();
    ck_assert_ptr_nonnull(strstr(text, "<title>a&lt;b &amp; &quot;c&quot;</title>"));
    ck_assert_ptr_nonnull(strstr(text, "x &gt; y?? \xc3\xa9 ??? ??"));
    ck_assert_ptr_nonnull(strstr(text, "&lt;/title&gt;"));
}
END_TEST

START_TEST(a_shape_without_a_place_is_not_drawn)
{
    FILE *out = begun();
    svg_begin(out, 100, 50, "t");
    svg_rect(out, NAN, 0, 5, 5, "red", NULL);
    svg_rect(out, 0, 0, -5, 5, "red", NULL);
    svg_line(out, 0, INFINITY, 1, 1, NULL);
    svg_text(out, 0, NAN, 12, "end", "words");
    svg_line(out, 0, 3, 1, 1, NULL);
    svg_end(out);
    fclose(out);
    check_well_formed();
    ck_assert_int_eq(count("<rect"), 1); /* the ground */
    ck_assert_int_eq(count("<line"), 1);
    ck_assert_int_eq(count("<text"), 0);
}
END_TEST

START_TEST(colors_below_eight_differ)
{
    for (int i = 0; i < 8; i++)
        for (int k = 0; k < i; k++)
            ck_assert_str_ne(svg_color(i), svg_color(k));
    ck_assert_str_eq(svg_color(8), svg_color(0));
    ck_assert_int_eq((int)strlen(svg_color(-1)), 7);
}
END_TEST

START_TEST(values_that_an_axis_cannot_show_are_left_out_and_interrupt_the_line)
{
    const double x[] = {1, 10, 100, 1000, 10000, 100000, 1000000}, y[] = {1, 2, 0, 3, 4, NAN, 5};
    struct series s = {.name = "one", .x = x, .y = y, .n = 7};
    struct chart chart = {.title = "t",
                          .x_label = "x",
                          .y_label = "y",
                          .log_x = true,
                          .log_y = true,
                          .series = &s,
                          .n_series = 1};
    draw(&chart);
    ck_assert_int_eq(count("<polyline"), 2);
    ck_assert_int_eq(count("<circle"), 5);
    chart.log_y = false;
    draw(&chart);
    ck_assert_int_eq(count("<polyline"), 1); /* zero is a value of a linear axis */
    ck_assert_int_eq(count("<circle"), 6);
}
END_TEST

START_TEST(an_axis_has_round_ticks_that_enclose_the_values)
{
    const double x[] = {0, 3600}, y[] = {130, 970};
    struct series s = {.name = "one", .x = x, .y = y, .n = 2};
    struct chart chart = {.title = "t", .x_label = "x", .y_label = "y", .series = &s, .n_series = 1};
    draw(&chart);
    ck_assert_ptr_nonnull(strstr(text, ">1000<"));
    ck_assert_ptr_nonnull(strstr(text, ">200<"));
    ck_assert_ptr_nonnull(strstr(text, ">3500<"));
    ck_assert_ptr_nonnull(strstr(text, "78.0,339.8 ")); /* 130 of 1000: 44.2 of 340 px above the foot */
    ck_assert_ptr_null(strstr(text, ">1200<"));
    const double more[] = {130e3, 97e6};
    s.y = more;
    chart.log_y = true;
    draw(&chart);
    ck_assert_ptr_nonnull(strstr(text, ">100k<"));
    ck_assert_ptr_nonnull(strstr(text, ">500k<"));
    ck_assert_ptr_nonnull(strstr(text, ">100M<"));
}
END_TEST

START_TEST(several_series_have_a_legend_and_bands_where_given)
{
    const double x[] = {1, 2, 3}, y[] = {2, 3, 4}, low[] = {1, 2, NAN}, high[] = {3, 40, 5};
    struct series s[9];
    for (int i = 0; i < 9; i++)
        s[i] = (struct series){.name = i ? "of & others" : "banded", .x = x, .y = y, .n = 3};
    s[0].low = low;
    s[0].high = high;
    struct chart chart = {.title = "t", .x_label = "x", .y_label = "y", .series = s, .n_series = 9};
    draw(&chart);
    ck_assert_int_eq(count("<polygon"), 1);
    ck_assert_int_eq(count("<polyline"), 8);
    ck_assert_int_eq(count(">of &amp; others<"), 7);
    ck_assert_ptr_nonnull(strstr(text, ">40<")); /* the axis has room for the band */
}
END_TEST

START_TEST(any_values_make_a_chart)
{
    const double far[] = {-1e308, 1e308, 1e300, 1e15,     1e15 + 0.125, 1e-308,
                          0,      -0.0,  1e-9,  INFINITY, -INFINITY,    NAN};
    enum { FAR = sizeof far / sizeof *far };
    for (size_t i = 0; i < FAR; i++) {
        for (size_t k = 0; k < FAR; k++) {
            const double x[] = {far[i], far[k]}, y[] = {far[k], far[i]};
            for (int log = 0; log < 4; log++) {
                struct series s = {.x = x, .y = y, .low = x, .high = y, .n = 2};
                struct chart chart = {
                    .title = "t", .log_x = log & 1, .log_y = log & 2, .series = &s, .n_series = 1};
                draw(&chart);
            }
        }
    }
    struct chart chart = {.title = "nothing"};
    draw(&chart);
    ck_assert_ptr_nonnull(strstr(text, "nothing was measured"));
}
END_TEST

START_TEST(a_file_that_cannot_be_written_is_said)
{
    struct chart chart = {.title = "t"};
    ck_assert_int_eq(chart_write("/nonexistent/x.svg", &chart), E_IO);
    ck_assert_int_eq(chart_write("/dev/full", &chart), E_IO);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("drawing");
    TCase *promises = tcase_create("promises");
    tcase_set_timeout(promises, 60); /* some thousand charts, and a sanitizer watches */
    tcase_add_test(promises, words_of_any_bytes_are_escaped_and_what_is_no_character_is_a_question_mark);
    tcase_add_test(promises, a_shape_without_a_place_is_not_drawn);
    tcase_add_test(promises, colors_below_eight_differ);
    tcase_add_test(promises, values_that_an_axis_cannot_show_are_left_out_and_interrupt_the_line);
    tcase_add_test(promises, an_axis_has_round_ticks_that_enclose_the_values);
    tcase_add_test(promises, several_series_have_a_legend_and_bands_where_given);
    tcase_add_test(promises, any_values_make_a_chart);
    tcase_add_test(promises, a_file_that_cannot_be_written_is_said);
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
