/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sample-chain.c: small incremental images for tests
 */

#include "config.h"

#include "sample-chain.h"

#include <fcntl.h>
#include <string.h>

#include "image/mapped-ram.h"
#include "image/mapped-writer.h"
#include "image/parent.h"
#include "sample.h"
#include "util/fd.h"

#define PAGE STASIS_IMAGE_PAGE_SIZE
#define MAIN 0u /* pc.ram */

/* A body as an incremental save writes it: the base's head, of pc.ram the pages that are given,
 * each filled with its octet. */
static void
write_body (const StasisImage *base, int fd, guint64 offset, const guint8 *pages, gboolean is_whole)
{
  g_autoptr (GError) error = NULL;
  g_auto (StasisQemuHead) head = { .ram_id = 0 };
  g_auto (StasisQemuInput) input;
  const guint64 from = stasis_image_body_offset (base);
  stasis_qemu_input_init_file (&input, stasis_image_fd (base), from,
                               from + stasis_image_body_length (base), NULL);
  g_autoptr (StasisImageRamMap) map = stasis_mapped_ram_take (&input, &head, &error);
  g_assert_no_error (error);
  g_autoptr (StasisMappedWriter) writer
      = stasis_mapped_writer_begin (fd, offset, &head, map, &error);
  g_assert_no_error (error);
  guint64 written = 0, end;
  for (guint page = 0; pages[page] != SAMPLE_CHAIN_END; page++)
    {
      guint8 octets[PAGE];
      memset (octets, pages[page] == 1 ? 0 : pages[page], PAGE);
      if (pages[page] == 0)
        continue;
      (is_whole ? stasis_mapped_writer_put : stasis_mapped_writer_put_all) (
          writer, fd, MAIN, page * PAGE, octets, PAGE, &written, &error);
      g_assert_no_error (error);
    }
  g_autoptr (GByteArray) rest = g_byte_array_new ();
  g_byte_array_append (rest, (const guint8 *) "\0", 1); /* the end of the stream */
  g_assert_true (stasis_mapped_writer_finish (writer, NULL, rest, &end, &error));
}

/* An image at @path. */
void
sample_chain_make (const char *path, const char *parent, const guint8 *pages)
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
  const StasisImageFacts facts = { .xml = xml,
                                   .qemu_facts = qemu_facts,
                                   .body_kind = STASIS_IMAGE_BODY_MAPPED_RAM,
                                   .parent = record };
  stasis_autofd int fd = stasis_fd_open (path, O_RDWR | O_CREAT | O_TRUNC, 0600, &error);
  g_assert_no_error (error);
  g_autoptr (StasisImageWriter) writer = stasis_image_writer_begin (fd, &facts, &error);
  g_assert_no_error (error);
  write_body (model, fd, stasis_image_writer_body_offset (writer), pages, parent == NULL);
  const StasisImageTail tail = { .n_threads = 1 };
  stasis_image_writer_finish (writer, 0, &tail, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
}
