/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * page-run.h: pages that follow each other, written with one call
 */

#pragma once

#include <gio/gio.h>
#include <sys/uio.h>

G_BEGIN_DECLS

#define STASIS_PAGE_RUN_MAX 256u /* as many as the buffer of a StasisQemuInput has */

/* { .fd = FD } is a good start. */
typedef struct
{
  int fd;                                  /* (borrowed) */
  struct iovec pages[STASIS_PAGE_RUN_MAX]; /* borrowed from the input until the run is settled */
  guint n_pages;
  guint64 offset; /* in the file */
} StasisPageRun;

/* The octets of the page at @offset of the file; they stay until the run is settled. */
gboolean stasis_page_run_add (StasisPageRun *self, guint64 offset, const guint8 *octets,
                              GError **error);

/* A page that is not zero but made of one octet; QEMU sends none any more. */
gboolean stasis_page_run_fill (StasisPageRun *self, guint64 offset, guint8 fill, GError **error);

/* Write what was added.  Its octets may go. */
gboolean stasis_page_run_settle (StasisPageRun *self, GError **error);

G_END_DECLS
