/* Writes the vectors: sample messages of every type, as the codec's bytes and as their JSON form.
 *   vectors DIRECTORY
 * With --check it writes nothing: it encodes every sample again and compares with the bytes that are there,
 * decodes those and compares with the sample, and compares the JSON. A format change thus shows as a
 * difference. */
#include "proto/codec.h"
#include "proto/json_form.h"
#include "proto/samples.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 512 };

static struct message message, decoded;
static char packed[MESSAGE_BYTES_MAX], json[JSON_FORM_MAX], stored[JSON_FORM_MAX];

static bool write_file(const char *path, const void *bytes, size_t len)
{
    FILE *file = fopen(path, "wb");
    bool ok = file && fwrite(bytes, 1, len, file) == len;
    if (file && fclose(file) != 0)
        ok = false;
    if (!ok)
        fprintf(stderr, "vectors: %s: %s\n", path, strerror(errno));
    return ok;
}

/* Equal, byte for byte, and as long. */
static bool same_file(const char *path, const void *bytes, size_t len)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "vectors: %s: %s\n", path, strerror(errno));
        return false;
    }
    size_t n = fread(stored, 1, sizeof(stored), file);
    fclose(file);
    if (n == len && memcmp(stored, bytes, len) == 0)
        return true;
    fprintf(stderr, "vectors: %s: %zu bytes that differ from the %zu made now\n", path, n, len);
    return false;
}

static bool check_decoding(struct decoder *decoder, const char *path, size_t len)
{
    struct drops drops = {0};
    if (!codec_decode(decoder, stored, len, &decoded, &drops)) {
        fprintf(stderr, "vectors: %s: dropped: %s\n", path, drops.last);
        return false;
    }
    if (message_equal(&message, &decoded))
        return true;
    fprintf(stderr, "vectors: %s: decodes to another message than was encoded\n", path);
    return false;
}

static bool handle_sample(struct decoder *decoder, const char *directory, bool check,
                          const struct message_kind *kind, enum sample sample)
{
    char path[PATH_BYTES];
    sample_message(&message, (enum message_type)kind->type, sample);
    size_t len = codec_encode(&message, packed, sizeof(packed));
    size_t json_len = json_form(&message, json, sizeof(json) - 1);
    if (len == 0 || json_len == 0) {
        fprintf(stderr, "vectors: %s: the %s sample has no encoding\n", kind->body->name,
                sample_text(sample));
        return false;
    }
    json[json_len++] = '\n';
    snprintf(path, sizeof(path), "%s/%s.%s.msgpack", directory, kind->body->name, sample_text(sample));
    bool ok = check ? same_file(path, packed, len) && check_decoding(decoder, path, len)
                    : write_file(path, packed, len);
    snprintf(path, sizeof(path), "%s/%s.%s.json", directory, kind->body->name, sample_text(sample));
    return (check ? same_file(path, json, json_len) : write_file(path, json, json_len)) && ok;
}

int main(int argc, char **argv)
{
    bool check = argc == 3 && strcmp(argv[1], "--check") == 0;
    if (argc != 2 && !check) {
        fprintf(stderr, "usage: vectors [--check] DIRECTORY\n");
        return 2;
    }
    struct decoder *decoder = decoder_new();
    if (!decoder)
        return 1;
    int failed = 0;
    for (const struct message_kind *const *k = message_kinds(); *k; k++)
        for (int sample = 0; sample < SAMPLE_COUNT; sample++)
            failed += !handle_sample(decoder, argv[argc - 1], check, *k, (enum sample)sample);
    decoder_destroy(&decoder);
    return failed == 0 ? 0 : 1;
}
