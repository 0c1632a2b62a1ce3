/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshot-body.c: what a mapped body lacks that QEMU has written as a background snapshot
 *
 * Theory of operation
 *
 * An ordinary migration completes its RAM when all of the memory is sent: the section "ram" gets
 * its END, and with mapped-ram the bitmaps are written.  A background snapshot comes to its end
 * another way (bg_migration_completion in migration/migration.c, ram_save_complete in ram.c, read
 * at 9.0 and tried with 10.0): it goes over to the devices after the last PART, and the bitmaps
 * stay empty, which says that all of the memory is zero.  A PART and the END of a mapped body
 * differ in their first octet only, so the last PART becomes the END.
 */

#include "config.h"

#include "image/snapshot-body.h"

#include "image/mapped-bitmaps.h"
#include "image/mapped-ram.h"
#include "image/qemu-sections.h"
#include "image/qemu-wire.h"
#include "util/fd.h"

/* The body's blocks, and where the last part of its RAM begins. */
static StasisImageRamMap *
read_body (int fd, guint64 body_offset, guint64 body_end, guint64 *out_last,
           GCancellable *cancellable, GError **error)
{
  g_auto (StasisQemuHead) head = { .ram_id = 0 };
  g_auto (StasisQemuInput) input;
  StasisQemuPages no_pages = { .page = NULL };
  stasis_qemu_input_init_file (&input, fd, body_offset, body_end, cancellable);
  g_autoptr (StasisImageRamMap) map = stasis_mapped_ram_take (&input, &head, error);
  if (map == NULL || !stasis_qemu_sections_take_list_end (&input, head.ram_id, &no_pages, error)
      || !stasis_qemu_sections_find_last (&input, head.ram_id, &no_pages, out_last, error))
    return NULL;
  return g_steal_pointer (&map);
}

/* Make it like that of any other save. */
gboolean
stasis_snapshot_body_complete (int fd, guint64 body_offset, guint64 body_end,
                               GCancellable *cancellable, GError **error)
{
  const guint8 end = STASIS_QEMU_SECTION_END;
  guint64 last = 0;
  g_autoptr (StasisImageRamMap) map
      = read_body (fd, body_offset, body_end, &last, cancellable, error);
  return map != NULL && stasis_fd_pwrite_exact (fd, &end, sizeof end, last, error)
         && stasis_mapped_bitmaps_write (fd, map, cancellable, error);
}
