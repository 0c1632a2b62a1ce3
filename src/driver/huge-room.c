/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * huge-room.c: how much memory of huge pages can still be had
 *
 * The kernel has a pool of each size.  Of the pages that are free some are promised to those who
 * have mapped them and not touched them yet; and beyond the pool it makes so many more as somebody
 * has allowed, if it finds memory for them.  Nodes of NUMA and limits of control groups are not
 * looked at.
 */

#include "config.h"

#include "driver/huge-room.h"

#include <stdlib.h>
#include <string.h>

#define POOLS        "/sys/kernel/mm/hugepages"
#define DEFAULT_SIZE "Hugepagesize:"

/* Of the pages that nobody asks for by their size; 0: there are none. */
static guint64
default_kib (const char *root)
{
  g_autofree char *path = g_strconcat (root, "/proc/meminfo", NULL);
  g_autofree char *text = NULL;
  const char *line
      = g_file_get_contents (path, &text, NULL, NULL) ? strstr (text, DEFAULT_SIZE) : NULL;
  return line != NULL ? strtoull (line + strlen (DEFAULT_SIZE), NULL, 10) : 0;
}

static gboolean
read_pages (const char *pool, const char *file, guint64 *out_pages)
{
  g_autofree char *path = g_build_filename (pool, file, NULL);
  g_autofree char *text = NULL;
  if (!g_file_get_contents (path, &text, NULL, NULL))
    return FALSE;
  g_strchomp (text);
  return g_ascii_string_to_unsigned (text, 10, 0, G_MAXINT64, out_pages, NULL);
}

static guint64
less (guint64 one, guint64 other)
{
  return one - MIN (one, other);
}

/* How much can still be had? */
gboolean
stasis_huge_room (const char *root, guint64 *page_kib, guint64 *out_octets)
{
  guint64 free_pages;
  guint64 promised = 0;
  guint64 allowed = 0;
  guint64 surplus = 0;
  if (*page_kib == 0)
    *page_kib = default_kib (root);
  g_autofree char *pool
      = g_strdup_printf ("%s" POOLS "/hugepages-%" G_GUINT64_FORMAT "kB", root, *page_kib);
  if (*page_kib == 0 || *page_kib > G_MAXINT64 / 1024
      || !read_pages (pool, "free_hugepages", &free_pages))
    return FALSE;
  read_pages (pool, "resv_hugepages", &promised);
  read_pages (pool, "nr_overcommit_hugepages", &allowed);
  read_pages (pool, "surplus_hugepages", &surplus);
  const guint64 pages = less (free_pages + less (allowed, surplus), promised);
  const guint64 octets = *page_kib * 1024;
  *out_octets = pages > G_MAXUINT64 / octets ? G_MAXUINT64 : pages * octets;
  return TRUE;
}
