/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk-chain-fuzz.c: any octets as a qcow2 image: what it rests on, or an error that names it, and
 * whether it is empty
 */

#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "driver/disk-chain.h"
#include "driver/disk-empty.h"
#include "util/fd.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = memfd_create ("image", MFD_CLOEXEC);
  stasis_fd_write_exact (fd, data, size, &error);
  g_assert_no_error (error);
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
  g_assert_true (stasis_disk_check_empty (path, "qcow2", &error) == (error == NULL));
  g_clear_error (&error);
  g_autoptr (GPtrArray) chain = stasis_disk_chain_read (path, "qcow2", &error);
  g_assert_true ((chain == NULL) == (error != NULL));
  if (error != NULL)
    {
      g_assert_nonnull (error->message);
      return 0;
    }
  g_assert_cmpuint (chain->len, <=, STASIS_DISK_CHAIN_MAX);
  for (guint i = 0; i < chain->len; i++)
    {
      const StasisDiskLink *link = g_ptr_array_index (chain, i);
      g_assert_true (g_path_is_absolute (link->path));
      g_assert_cmpstr (link->format, !=, "");
    }
  return 0;
}
