/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save-base.c: the image that an incremental save is made on top of
 */

#include "config.h"

#include "driver/save-base.h"

#include <string.h>
#include <sys/stat.h>

#include <glib/gi18n-lib.h>

#include "driver/error.h"
#include "driver/tracked.h"
#include "image/parent.h"
#include "util/uuid.h"

/* NULL is fine. */
void
stasis_save_base_free (StasisSaveBase *base)
{
  if (base == NULL)
    return;
  stasis_image_chain_free (base->chain);
  stasis_image_free (base->image);
  stasis_json_unref (base->parent);
  g_free (base->note);
  g_free (base);
}

static gboolean
is_memory_image (const StasisStatus *status, const StasisImage *image)
{
  struct stat st;
  return status->memory_image != NULL && fstat (stasis_image_fd (image), &st) == 0
         && st.st_dev == status->memory_image_id.device
         && st.st_ino == status->memory_image_id.inode;
}

/* A rename over a base would take it away from its own child. */
static gboolean
check_target (const StasisSaveBase *base, const char *target, GError **error)
{
  struct stat st, its;
  if (target == NULL || stat (target, &st) < 0)
    return TRUE;
  for (guint i = 0; i < stasis_image_chain_n (base->chain); i++)
    {
      const StasisImage *image = stasis_image_chain_get (base->chain, i);
      if (fstat (stasis_image_fd (image), &its) == 0 && its.st_dev == st.st_dev
          && its.st_ino == st.st_ino)
        return stasis_throw_refused (
            error, _ ("'%s' is what the new image would stand on: save to another file"), target);
    }
  return TRUE;
}

static gboolean
check_domain (const StasisSaveBase *base, const StasisStatus *status, GError **error)
{
  g_autofree char *uuid = stasis_uuid_format (stasis_image_domain_uuid (base->image));
  return g_str_equal (uuid, status->uuid)
         || stasis_throw_refused (error, _ ("'%1$s' is an image of another domain (%2$s)"),
                                  stasis_image_name (base->image), uuid);
}

/* The new image says where it lies, in JSON. */
static gboolean
check_path (const StasisSaveBase *base, GError **error)
{
  const char *path = stasis_image_name (base->image);
  return g_utf8_validate (path, -1, NULL)
         || stasis_throw_refused (error,
                                  _ ("'%s' cannot be the base, for its path is not UTF-8: rename "
                                     "it, and name it (--base)"),
                                  path);
}

/* It is the very one that the guest's writes are, or were, tracked since. */
static gboolean
is_tracked_image (const StasisTracked *tracked, const StasisImage *image, GError **error)
{
  g_autoptr (StasisJson) since = stasis_json_new_object ();
  stasis_json_set_string (since, STASIS_IMAGE_PARENT_IMAGE, tracked->image);
  stasis_json_set_string (since, STASIS_IMAGE_PARENT_HASHES, tracked->hashes);
  return stasis_image_parent_match (since, image, error);
}

static StasisImage *
open_tracked (const StasisTracked *tracked, GError **error)
{
  g_autoptr (StasisImage) image = stasis_image_open (tracked->file, error);
  return image != NULL && is_tracked_image (tracked, image, error) ? g_steal_pointer (&image)
                                                                   : NULL;
}

static StasisImage *
open_mapped (const StasisStatus *status, GError **error)
{
  g_autoptr (StasisImage) image = stasis_image_open (status->memory_image, error);
  if (image == NULL || is_memory_image (status, image))
    return g_steal_pointer (&image);
  stasis_throw_refused (
      error,
      _ ("'%1$s', which the memory of domain '%2$s' is mapped from, was replaced since: name the "
         "base (--base)"),
      status->memory_image, status->name);
  return NULL;
}

static StasisImage *
refuse_tracked (const StasisTracked *tracked, const char *name, const GError *why, GError **error)
{
  if (stasis_tracked_is_on (tracked))
    stasis_throw_refused (
        error,
        _ ("what domain '%1$s' writes to is tracked since '%2$s', which cannot be the base "
           "(%3$s): name another one (--base)"),
        name, tracked->file, why->message);
  else
    stasis_throw_refused (
        error,
        _ ("what domain '%1$s' writes to was tracked since '%2$s', which cannot be the base "
           "(%3$s): name another one (--base)"),
        name, tracked->file, why->message);
  return NULL;
}

/* The image that the memory is mapped from, and why it is not the one that was tracked. */
static StasisImage *
choose_mapped (const StasisStatus *status, const GError *why_not, char **out_note, GError **error)
{
  const StasisTracked *tracked = status->tracked;
  StasisImage *image = open_mapped (status, error);
  if (image == NULL || tracked == NULL)
    return image;
  *out_note = why_not == NULL ? stasis_tracked_explain (tracked)
                              : g_strdup_printf (_ ("its writes are tracked since '%1$s', which "
                                                    "cannot be the base: %2$s"),
                                                 tracked->file, why_not->message);
  return image;
}

/* Nobody has named one: what is known, then what can be found out. */
static StasisImage *
choose_image (const StasisStatus *status, char **out_note, GError **error)
{
  const StasisTracked *tracked = status->tracked;
  g_autoptr (GError) untracked = NULL;
  g_autoptr (GError) unmapped = NULL;
  StasisImage *image = NULL;
  if (stasis_tracked_is_on (tracked))
    image = open_tracked (tracked, &untracked);
  if (image == NULL && stasis_status_is_on_image (status))
    image = choose_mapped (status, untracked, out_note, &unmapped);
  if (image == NULL && tracked != NULL && untracked == NULL)
    image = open_tracked (tracked, &untracked);
  if (image != NULL)
    return image;
  if (tracked != NULL)
    return refuse_tracked (tracked, status->name, untracked, error);
  if (unmapped != NULL)
    g_propagate_error (error, g_steal_pointer (&unmapped));
  else
    stasis_throw_refused (
        error,
        _ ("the memory of domain '%s' is not mapped from an image, and what it writes to is not "
           "tracked: name the base (--base)"),
        status->name);
  return NULL;
}

/* A chain has to be restored, too. */
static gboolean
check_length (const StasisSaveBase *base, GError **error)
{
  return stasis_image_chain_n (base->chain) < STASIS_IMAGE_CHAIN_MAX
         || stasis_throw_refused (
             error,
             _ ("'%1$s' stands on %2$u images, and not more can be restored: save a whole "
                "one, or make one of them ('image flatten')"),
             stasis_image_name (base->image), STASIS_IMAGE_CHAIN_MAX - 1);
}

/* Open it. */
StasisSaveBase *
stasis_save_base_open (const StasisStatus *status, const char *path, const char *target,
                       GCancellable *cancellable, GError **error)
{
  const StasisTracked *tracked = status->tracked;
  StasisSaveBase *base = g_new0 (StasisSaveBase, 1);
  base->image
      = path != NULL ? stasis_image_open (path, error) : choose_image (status, &base->note, error);
  if (base->image != NULL)
    base->is_mapped = is_memory_image (status, base->image);
  if (base->image != NULL && tracked != NULL && is_tracked_image (tracked, base->image, NULL))
    {
      base->is_tracked = stasis_tracked_is_on (tracked);
      base->note = stasis_tracked_explain (tracked);
    }
  if (base->image != NULL && check_domain (base, status, error) && check_path (base, error))
    base->parent = stasis_image_parent_new (base->image, stasis_image_name (base->image), error);
  if (base->parent != NULL)
    base->chain = stasis_image_chain_open (base->image, cancellable, error);
  if (base->chain != NULL && check_length (base, error) && check_target (base, target, error))
    return base;
  stasis_save_base_free (base);
  return NULL;
}
