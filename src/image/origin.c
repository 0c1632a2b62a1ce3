/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * origin.c: the ORIGIN record: from what an image was converted
 */

#include "config.h"

#include "image/origin.h"

#include <glib/gi18n-lib.h>

#include "image/error.h"
#include "image/types.h"

/* TRUE where the mandatory members are there. */
gboolean
stasis_image_origin_check (const StasisJson *origin, GError **error)
{
  static const char *const strings[] = { STASIS_IMAGE_ORIGIN_KIND, STASIS_IMAGE_ORIGIN_PROGRAM };
  for (gsize i = 0; i < G_N_ELEMENTS (strings); i++)
    {
      if (stasis_json_string (stasis_json_get (origin, strings[i]), NULL) != NULL)
        continue;
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID,
                   _ ("origin: member '%1$s' is missing or of another type"), strings[i]);
      return FALSE;
    }
  return TRUE;
}

/* One level of what was before; else a file that is converted again and again would grow without
 * end. */
static StasisJson *
without_before (const StasisJson *origin)
{
  StasisJson *copy = stasis_json_new_object ();
  for (guint i = 0; i < stasis_json_object_size (origin); i++)
    if (!g_str_equal (stasis_json_object_key (origin, i), STASIS_IMAGE_ORIGIN_BEFORE))
      stasis_json_set (copy, stasis_json_object_key (origin, i),
                       stasis_json_ref ((StasisJson *) stasis_json_object_value (origin, i)));
  return copy;
}

/* For an image that this program makes now. */
StasisJson *
stasis_image_origin_new (const char *kind, const char *writer, const StasisJson *before)
{
  StasisJson *origin = stasis_json_new_object ();
  stasis_json_set_string (origin, STASIS_IMAGE_ORIGIN_KIND, kind);
  stasis_json_set_string (origin, STASIS_IMAGE_ORIGIN_PROGRAM, STASIS_IMAGE_WRITER_NAME);
  stasis_json_set_int (origin, STASIS_IMAGE_ORIGIN_TIME, g_get_real_time () * 1000);
  if (writer != NULL)
    stasis_json_set_string (origin, STASIS_IMAGE_ORIGIN_WRITER, writer);
  if (before != NULL)
    stasis_json_set (origin, STASIS_IMAGE_ORIGIN_BEFORE, without_before (before));
  return origin;
}
