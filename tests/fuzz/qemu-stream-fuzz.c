/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu-stream-fuzz.c: the scanner of QEMU's plain stream
 */

#include "config.h"

#include "image/qemu-stream.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = g_bytes_new_static (data, size);
  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_bytes (bytes);
  g_autoptr (StasisQemuStreamInfo) info = stasis_qemu_stream_scan (in, NULL, &error);
  g_assert_true ((info == NULL) == (error != NULL));
  if (info == NULL)
    return 0;

  /* Devices follow each other and lie in the stream. */
  g_assert_cmpuint (info->length, ==, size);
  guint64 at = 0;
  for (guint i = 0; i < info->devices->len; i++)
    {
      const StasisQemuDevice *device = g_ptr_array_index (info->devices, i);
      g_assert_cmpuint (device->offset, >=, at);
      at = device->offset + device->size;
      g_assert_cmpuint (at, <, size);
    }
  return 0;
}
