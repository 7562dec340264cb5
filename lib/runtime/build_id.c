#include <elf.h>
#include <link.h>
#include <string.h>

#include "lib/base/table.h"
#include "lib/runtime/service.h"

/* Looks for the note that the linker leaves in every program (NT_GNU_BUILD_ID). */
static int find_note(struct dl_phdr_info *info, size_t size, void *out)
{
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_NOTE)
            continue;
        const char *at =
            (const char *)(info->dlpi_addr + segment->p_vaddr); /* NOLINT: an address from the loader */
        const char *end = at + segment->p_memsz;
        while (at + sizeof(ElfW(Nhdr)) <= end) {
            ElfW(Nhdr) note;
            memcpy(&note, at, sizeof note);
            const char *name = at + sizeof note;
            const char *id = name + ((note.n_namesz + 3U) & ~3U);
            if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(name, "GNU", 4) == 0) {
                *(uint64_t *)out = fnv1a(FNV_OFFSET, id, note.n_descsz);
                return 1;
            }
            at = id + ((note.n_descsz + 3U) & ~3U);
        }
    }
    return 1; /* the program itself comes first; its libraries do not count */
}

uint64_t build_id(void)
{
    uint64_t hash = 0;
    (void)dl_iterate_phdr(find_note, &hash);
    return hash;
}
