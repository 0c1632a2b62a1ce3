/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * page-run.c: pages that follow each other, written with one call
 *
 * They come one by one out of QEMU's stream, and are written straight from the input's buffer.
 */

#include "config.h"

#include "image/page-run.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include <glib/gi18n-lib.h>

#include "image/types.h"
#include "util/fd.h"

#define PAGE STASIS_IMAGE_PAGE_SIZE

G_STATIC_ASSERT (STASIS_PAGE_RUN_MAX <= IOV_MAX);

static gboolean
write_run (const StasisPageRun *self, GError **error)
{
  gssize wrote;
  do
    wrote = pwritev (self->fd, self->pages, (int) self->n_pages, (off_t) self->offset);
  while (wrote < 0 && errno == EINTR);
  if (wrote < 0)
    return stasis_throw_errno (error, _ ("cannot write at offset %1$" G_GUINT64_FORMAT),
                               self->offset);

  /* What was not written in one go, page by page. */
  for (guint i = (guint) wrote / PAGE; i < self->n_pages; i++)
    if (!stasis_fd_pwrite_exact (self->fd, self->pages[i].iov_base, PAGE,
                                 self->offset + (guint64) i * PAGE, error))
      return FALSE;
  return TRUE;
}

/* Write what was added. */
gboolean
stasis_page_run_settle (StasisPageRun *self, GError **error)
{
  if (self->n_pages > 0 && !write_run (self, error))
    return FALSE;
  self->n_pages = 0;
  return TRUE;
}

/* One more page. */
gboolean
stasis_page_run_add (StasisPageRun *self, guint64 offset, const guint8 *octets, GError **error)
{
  if (self->n_pages == STASIS_PAGE_RUN_MAX
      || offset != self->offset + (guint64) self->n_pages * PAGE)
    if (!stasis_page_run_settle (self, error))
      return FALSE;
  if (self->n_pages == 0)
    self->offset = offset;
  self->pages[self->n_pages].iov_base = (gpointer) octets;
  self->pages[self->n_pages].iov_len = PAGE;
  self->n_pages++;
  return TRUE;
}

/* A page made of one octet. */
gboolean
stasis_page_run_fill (StasisPageRun *self, guint64 offset, guint8 fill, GError **error)
{
  guint8 octets[PAGE];
  memset (octets, fill, sizeof octets);
  return stasis_page_run_settle (self, error)
         && stasis_fd_pwrite_exact (self->fd, octets, sizeof octets, offset, error);
}
