/* No bytes in a snapshot's file may crash its readers; who loads it gets all of it, or nothing, and nothing of a file that
 * holds in part. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/runtime/journal_record.h"
#include "lib/runtime/snapshot.h"

enum { POS = 7, FILE_MAX = 1 << 20 };

static char dir[64], path[128];
static uint64_t given;

static void clean(void)
{
    unlink(path);
    rmdir(dir);
}

static void put(const void *bytes, size_t len)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0 || write(fd, bytes, len) != (ssize_t)len)
        abort();
    close(fd);
}

static void restore(void *ctx, const struct message *m)
{
    (void)ctx;
    if ((given == 0 && (m->env.type != MSG_SNAPSHOT || m->env.pos != POS)) || m->env.type == MSG_SNAPSHOT_END)
        abort();
    given++;
}

/* How many messages its readers find in the file, the end included; 0 = it does not hold. All of them agree. */
static uint64_t look(void)
{
    char words[SNAPSHOT_ERROR_MAX];
    struct snapshot_place places[SNAPSHOTS_KEPT];
    uint64_t epoch, pos, messages;
    given = 0;
    const int loaded = snapshot_load(dir, UINT64_MAX, restore, NULL, &epoch, &pos, words);
    const uint64_t got = given;
    if (loaded != (got > 0 ? OK : E_ABSENT) || (loaded == OK && pos != POS) || (loaded != OK && !*words))
        abort();
    given = 0;
    if ((snapshot_read(dir, POS, restore, NULL, &messages, words) == OK) != (loaded == OK) || given != got ||
        (loaded == OK && messages != got + 1) || snapshot_places(dir, places) != (loaded == OK))
        abort();
    return got > 0 ? got + 1 : 0;
}

/* Bytes of which no CRC holds get no further than their first record, so they are also laid out as records: each piece's
 * first two bytes are its length. */
static size_t as_records(const uint8_t *bytes, size_t len, uint8_t out[FILE_MAX])
{
    size_t used = 0;
    uint64_t n = 0;
    while (len >= 2) {
        const size_t wanted = (size_t)bytes[0] << 8 | bytes[1];
        const size_t piece = wanted < len - 2 ? wanted : len - 2;
        if (used + record_bytes(piece) > FILE_MAX)
            break;
        record_encode(out + used, 1, ++n, 0, bytes + 2, piece);
        used += record_bytes(piece);
        bytes += 2 + piece;
        len -= 2 + piece;
    }
    return used;
}

static void add(struct snapshot_writer *w, enum message_type type)
{
    struct message m;
    message_init(&m, type);
    m.env.epoch = 1;
    m.env.pos = POS;
    strcpy(m.env.stream, "risk");
    snapshot_add(w, &m);
}

/* A whole one, in which the input says what is changed, or where it is cut. */
static void damage_whole(const uint8_t *bytes, size_t len)
{
    static uint8_t whole[FILE_MAX];
    char words[SNAPSHOT_ERROR_MAX];
    struct snapshot_writer *w = snapshot_writer_new();
    if (!w)
        abort();
    snapshot_begin(w);
    add(w, MSG_SNAPSHOT);
    for (int i = 0; i < 3; i++)
        add(w, MSG_GAP);
    if (snapshot_end(w, words) != OK || snapshot_write(w, dir, words) != OK || look() != 5)
        abort();
    snapshot_writer_destroy(&w);
    const int fd = open(path, O_RDONLY);
    const ssize_t size = read(fd, whole, sizeof whole);
    close(fd);
    if (size <= 0 || len < 3)
        return;
    const size_t at = ((size_t)bytes[0] << 8 | bytes[1]) % (size_t)size;
    if (bytes[2] == 0) {
        put(whole, at);
    } else {
        whole[at] ^= bytes[2];
        put(whole, (size_t)size);
    }
    if (look() != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static uint8_t laid_out[FILE_MAX];
    char name[SNAPSHOT_NAME];
    if (dir[0] == '\0') {
        snprintf(dir, sizeof dir, "/tmp/snapshot_fuzz_%ld", (long)getpid());
        snapshot_name(POS, name);
        snprintf(path, sizeof path, "%s/%s", dir, name);
        mkdir(dir, 0777);
        atexit(clean);
    }
    put(bytes, len);
    (void)look();
    put(laid_out, as_records(bytes, len, laid_out));
    (void)look();
    damage_whole(bytes, len);
    return 0;
}
