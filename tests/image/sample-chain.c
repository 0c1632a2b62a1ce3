/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sample-chain.c: small incremental images for tests
 */

#include "config.h"

#include "sample-chain.h"

#include <fcntl.h>
#include <string.h>

#include "image/body-head.h"
#include "image/mapped-writer.h"
#include "image/packed-writer.h"
#include "image/parent.h"
#include "sample.h"
#include "util/fd.h"

#define PAGE STASIS_IMAGE_PAGE_SIZE
#define MAIN 0u /* pc.ram */

static void
fill_page (guint8 page[PAGE], guint8 octet)
{
  memset (page, octet == 1 ? 0 : octet, PAGE);
}

static void
write_mapped (int fd, guint64 offset, const StasisQemuHead *head, StasisImageRamMap *map,
              const guint8 *pages, gboolean is_whole, const GByteArray *rest)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisMappedWriter) writer
      = stasis_mapped_writer_begin (fd, offset, head, map, &error);
  g_assert_no_error (error);
  guint64 written = 0, end;
  for (guint page = 0; pages[page] != SAMPLE_CHAIN_END; page++)
    {
      guint8 octets[PAGE];
      fill_page (octets, pages[page]);
      if (pages[page] == 0)
        continue;
      (is_whole ? stasis_mapped_writer_put : stasis_mapped_writer_put_all) (
          writer, fd, MAIN, page * PAGE, octets, PAGE, &written, &error);
      g_assert_no_error (error);
    }
  g_assert_true (stasis_mapped_writer_finish (writer, NULL, rest, &end, &error));
}

static void
write_packed (int fd, guint64 offset, const StasisQemuHead *head, const StasisImageRamMap *map,
              const guint8 *pages, const GByteArray *rest, StasisBodyNotes *notes)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisPackedWriter) writer
      = stasis_packed_writer_begin (fd, fd, offset, head, map, &error);
  g_assert_no_error (error);
  guint64 written = 0;
  guint n;
  for (n = 0; pages[n] != SAMPLE_CHAIN_END;)
    n++;
  while (n-- > 0) /* in an order that is not that of the memory */
    {
      guint8 octets[PAGE];
      fill_page (octets, pages[n]);
      if (pages[n] == 0)
        continue;
      stasis_packed_writer_put (writer, MAIN, n * PAGE, octets, PAGE, &written, &error);
      g_assert_no_error (error);
    }
  g_assert_true (stasis_packed_writer_finish (writer, rest, notes, &error));
}

/* A body as an incremental save writes it: the base's head, of pc.ram the pages that are given,
 * each filled with its octet. */
static void
write_body (const StasisImage *model, int fd, guint64 offset, StasisImageBodyKind kind,
            const guint8 *pages, gboolean is_whole, StasisBodyNotes *notes)
{
  g_autoptr (GError) error = NULL;
  g_auto (StasisQemuHead) head = { .ram_id = 0 };
  g_autoptr (StasisImageRamMap) map = stasis_image_take_head (model, &head, NULL, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (GByteArray) rest = g_byte_array_new ();
  g_byte_array_append (rest, (const guint8 *) "\0", 1); /* the end of the stream */
  if (kind == STASIS_IMAGE_BODY_PACKED_RAM)
    write_packed (fd, offset, &head, map, pages, rest, notes);
  else
    write_mapped (fd, offset, &head, map, pages, is_whole, rest);
}

/* An image at @path. */
void
sample_chain_make (const char *path, const char *parent, StasisImageBodyKind kind,
                   const guint8 *pages)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int sample = sample_image (STASIS_IMAGE_BODY_MAPPED_RAM);
  g_autoptr (StasisImage) model = sample_open (sample, &error);
  g_assert_no_error (error);
  g_autoptr (StasisImage) base = parent != NULL ? stasis_image_open (parent, &error) : NULL;
  g_assert_no_error (error);
  g_autoptr (StasisJson) record
      = base != NULL ? stasis_image_parent_new (base, parent, &error) : NULL;
  g_assert_no_error (error);
  g_autoptr (StasisJson) qemu_facts = sample_facts ();
  g_autoptr (GBytes) xml = g_bytes_new_static (SAMPLE_XML, strlen (SAMPLE_XML));
  const StasisImageFacts facts
      = { .xml = xml, .qemu_facts = qemu_facts, .body_kind = kind, .parent = record };
  stasis_autofd int fd = stasis_fd_open (path, O_RDWR | O_CREAT | O_TRUNC, 0600, &error);
  g_assert_no_error (error);
  g_autoptr (StasisImageWriter) writer = stasis_image_writer_begin (fd, &facts, &error);
  g_assert_no_error (error);
  g_auto (StasisBodyNotes) notes = { .hashes = NULL };
  write_body (model, fd, stasis_image_writer_body_offset (writer), kind, pages, parent == NULL,
              &notes);
  const StasisImageTail tail = { .n_threads = 1, .notes = &notes };
  stasis_image_writer_finish (writer, 0, &tail, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
}
