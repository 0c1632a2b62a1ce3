/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verify.c: checking every octet of a save image
 *
 * See docs/save-image.md, "What a verifier checks".  The small and fast things come first.
 */

#include "config.h"

#include "image/verify.h"

#include <inttypes.h>

#include <glib/gi18n-lib.h>

#include "image/error.h"
#include "image/verify-private.h"

/* All stages; the next only while there is reason to look on. */
static gboolean
run (StasisVerification *self, GCancellable *cancellable, GError **error)
{
  const gboolean is_packed = self->image->packed != NULL;
  const gboolean deep
      = (self->flags & STASIS_IMAGE_VERIFY_DEEP) != 0 && self->image->map != NULL && !is_packed;
  if (!stasis_verify_header (self, error) || !stasis_verify_records (self, error)
      || !stasis_verify_gaps (self, error))
    return FALSE;
  if ((self->flags & STASIS_IMAGE_VERIFY_AROUND) != 0)
    return TRUE;
  if (is_packed && !stasis_damage_list_is_done (&self->damages)
      && !stasis_verify_packed_ram (self, cancellable, error))
    return FALSE;
  if (deep && !stasis_damage_list_is_done (&self->damages)
      && !stasis_verify_mapped_ram (self, cancellable, error))
    return FALSE;
  if (stasis_damage_list_is_done (&self->damages))
    return TRUE;
  return self->image->chunks != NULL ? stasis_verify_chunks (self, cancellable, error)
                                     : stasis_verify_body (self, cancellable, error);
}

static GPtrArray *
verify (const StasisImage *image, StasisImageVerifyFlags flags, guint n_threads,
        gboolean first_only, StasisImageProgress progress, gpointer progress_data,
        GCancellable *cancellable, GError **error)
{
  StasisVerification self = { .image = image,
                              .flags = flags,
                              .n_threads = n_threads,
                              .progress = progress,
                              .progress_data = progress_data };
  stasis_damage_list_init (&self.damages, first_only);
  GPtrArray *damages
      = run (&self, cancellable, error) ? stasis_damage_list_steal (&self.damages) : NULL;
  stasis_damage_list_clear (&self.damages);
  stasis_packed_index_free (self.packed);
  if (damages == NULL)
    g_prefix_error (error, "'%s': ", image->name);
  return damages;
}

/* Check the whole image, up to the first damage. */
gboolean
stasis_image_verify (const StasisImage *image, StasisImageVerifyFlags flags, guint n_threads,
                     StasisImageProgress progress, gpointer progress_data,
                     GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) damages = verify (image, flags, n_threads, /* first_only= */ TRUE, progress,
                                          progress_data, cancellable, error);
  if (damages == NULL)
    return FALSE;
  if (damages->len == 0)
    return TRUE;

  const StasisImageFault *first = g_ptr_array_index (damages, 0);
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
               _ ("'%1$s' is damaged at offset %2$" PRIu64 " (%3$" PRIu64 " octets): %4$s"),
               image->name, first->offset, first->length, first->what);
  return FALSE;
}

/* Check the whole image and report all damages. */
GPtrArray *
stasis_image_verify_report (const StasisImage *image, StasisImageVerifyFlags flags, guint n_threads,
                            StasisImageProgress progress, gpointer progress_data,
                            GCancellable *cancellable, GError **error)
{
  return verify (image, flags, n_threads, /* first_only= */ FALSE, progress, progress_data,
                 cancellable, error);
}
