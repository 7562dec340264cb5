/* The codec, with its time told apart. */
#ifndef SLUICE_RUNTIME_PROBED_H
#define SLUICE_RUNTIME_PROBED_H

#include "lib/runtime/probe.h"
#include "proto/codec.h"

static inline size_t probed_encode(const struct message *m, void *bytes, size_t cap)
{
    enum stage before = probe_stage(STAGE_ENCODE);
    size_t len = codec_encode(m, bytes, cap);
    probe_back(before);
    return len;
}

static inline bool probed_decode(struct decoder *d, const void *bytes, size_t len, struct message *m,
                                 struct drops *drops)
{
    enum stage before = probe_stage(STAGE_DECODE);
    bool read = codec_decode(d, bytes, len, m, drops);
    probe_back(before);
    return read;
}

#endif
