/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * source.c: what a restore wants of a saved state, of whatever kind
 */

#include "config.h"

#include "driver/source.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "conf/cookie.h"
#include "driver/image-facts.h"
#include "driver/image-open.h"

/* The form of 2007 says only at its very end whose it is. */
StasisImageInput *
stasis_source_open (int fd_take, const char *name, GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisImageInput) input = stasis_image_input_open (fd_take, name, cancellable, error);
  if (input == NULL || stasis_image_input_is_file (input)
      || stasis_image_input_kind (input) != STASIS_IMAGE_KIND_TRAILER)
    return g_steal_pointer (&input);
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("'%1$s': an image of the kind '%2$s' cannot come through a pipe; store it in a "
                  "file, or send it as 'stasis-stream'"),
               name, stasis_image_kind_to_string (STASIS_IMAGE_KIND_TRAILER));
  return NULL;
}

/* The domain XML, with libvirt's cookie applied. */
char *
stasis_source_xml (const StasisImageInput *input, GError **error)
{
  if (stasis_image_input_kind (input) == STASIS_IMAGE_KIND_TRAILER)
    return NULL;
  g_autofree char *xml = stasis_image_any_text (input, error);
  g_autoptr (GBytes) cookie = stasis_image_find_cookie (input);
  if (xml == NULL || cookie == NULL)
    return g_steal_pointer (&xml);

  gsize size;
  const char *text = g_bytes_get_data (cookie, &size);
  return stasis_cookie_apply (xml, strlen (xml), text, size, stasis_image_input_name (input),
                              error);
}

gboolean
stasis_source_was_running (const StasisImageInput *input)
{
  return stasis_image_input_kind (input) != STASIS_IMAGE_KIND_TRAILER
         && stasis_image_input_was_running (input);
}

/* TRUE where QEMU reads the body, or what is made of a packed one, by mapped-ram. */
gboolean
stasis_source_is_mapped (const StasisImageInput *input)
{
  guint64 offset, end;
  return stasis_image_input_get_mapped (input, &offset, &end)
         || stasis_image_input_get_packed (input, &offset, &end);
}
