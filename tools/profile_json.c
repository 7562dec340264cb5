/* A profile as one JSON object. */
#include <inttypes.h>

#include "tools/profile.h"

static void put_member(FILE *out, const char *name, const char *text)
{
    (void)fprintf(out, ",\"%s\":", name);
    json_put_text(out, text);
}

static void put_spent(const struct spent *s, FILE *out)
{
    for (int i = 0; i < SPENT_FIGURES; i++)
        (void)fprintf(out, ",\"%s\":%" PRId64, spent_figure_name((enum spent_figure)i), s->figure[i]);
    (void)fprintf(
        out, ",\"awake_ns\":%" PRId64 ",\"remainder_ns\":%" PRId64 ",\"probes_ns\":%" PRId64 ",\"stages\":{",
        spent_awake_ns(s), spent_remainder_ns(s), spent_probes_ns(s));
    for (int i = 0; i < STAGES; i++)
        (void)fprintf(out, "%s\"%s\":{\"calls\":%" PRId64 ",\"own_ns\":%" PRId64 ",\"share\":%.6f}",
                      i ? "," : "", stage_name((enum stage)i), s->calls[i], s->ns[i],
                      s->figure[SPENT_WALL] > 0 ? (double)s->ns[i] / (double)s->figure[SPENT_WALL] : 0);
    (void)fputc('}', out);
}

static void put_functions(const struct profile *p, FILE *out)
{
    int top[PROFILE_TOP];
    const int n = p->sampled_s > 0 ? stacks_top(&p->stacks, top, PROFILE_TOP) : 0;
    const int64_t total = stacks_total_ns(&p->stacks);
    (void)fprintf(out, ",\"functions\":{\"sampled_s\":%.3f,\"samples\":%" PRId64 ",\"total_ns\":%" PRId64,
                  p->sampled_s, p->sampled_s > 0 ? p->stacks.samples : 0, p->sampled_s > 0 ? total : 0);
    put_member(out, "words", p->functions);
    (void)fprintf(out, ",\"top\":[");
    for (int i = 0; i < n; i++) {
        const struct frame *f = &p->stacks.frames[top[i]];
        const int64_t calls = profile_calls(p, f->name);
        (void)fprintf(out, "%s{\"name\":", i ? "," : "");
        json_put_text(out, f->name);
        (void)fprintf(out, ",\"cumulative_ns\":%" PRId64 ",\"own_ns\":%" PRId64, f->cumulative_ns, f->own_ns);
        if (calls >= 0)
            (void)fprintf(out, ",\"calls\":%" PRId64 "}", calls);
        else
            (void)fprintf(out, ",\"calls\":null}");
    }
    (void)fprintf(out, "]}");
}

void profile_write_json(const struct profile *p, FILE *out)
{
    (void)fprintf(out, "{\"market\":");
    json_put_text(out, p->market);
    put_member(out, "cpu", p->cpu);
    (void)fprintf(out,
                  ",\"processors\":%d,\"symbols\":%" PRId64 ",\"seconds\":%" PRId64 ",\"iterations\":%" PRId64
                  ",\"warm_up_s\":%" PRId64 ",\"repeat\":%" PRId64
                  ",\"measured_s\":%.6f,\"supervisor_cpu_ns\":%" PRId64,
                  p->processors, p->symbols, p->seconds, p->iterations, p->warm_up_s, p->repeat,
                  p->measured_s, p->supervisor_cpu_ns);
    put_member(out, "ended", p->ended);
    put_member(out, "not_measured", p->lost);
    (void)fprintf(out, ",\"whole\":{\"name\":\"whole\"");
    put_spent(&p->whole, out);
    (void)fprintf(out, "},\"processes\":[");
    const char *separator = "";
    for (int i = 0; i < p->n; i++) {
        const struct profiled *d = &p->process[i];
        if (!d->measured)
            continue;
        (void)fprintf(out, "%s{\"name\":\"%s\",\"rss_from_bytes\":%" PRId64 ",\"rss_to_bytes\":%" PRId64,
                      separator, d->name, d->rss_from, d->rss_to);
        put_spent(&d->total, out);
        (void)fputc('}', out);
        separator = ",";
    }
    (void)fputc(']', out);
    put_functions(p, out);
    if (p->before) {
        (void)fprintf(out, ",\"compare\":");
        (void)profile_compare(p->before, &p->track, NULL, out);
    }
    (void)fprintf(out, "}\n");
}
