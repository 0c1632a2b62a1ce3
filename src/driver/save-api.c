/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save-api.c: the public functions that save a domain
 */

#include "config.h"

#include "driver/domain-private.h"
#include "driver/driver-private.h"
#include "driver/save.h"
#include "util/fault.h"

/**
 * stasis_domain_save_as:
 * @self: a running domain
 * @request: where to, and how
 * @progress: (nullable) (scope call): told how it goes
 * @user_data: for @progress
 * @cancellable: (nullable): cancels the job; the domain then runs on
 * @error: return location
 *
 * Saves the state of the domain to an image of any kind and ends it.  Blocks; may be called on any
 * thread.  On failure the domain goes on as before and a file is as it was; of a pipe the reader
 * has got an image that is cut.  Only where the very end of it was sent and its reader never took
 * it, and the job is cancelled then, nobody knows which of both holds: the domain stays paused, and
 * the error (%STASIS_ERROR_FAILED) says so.
 *
 * Returns: %TRUE if the image is complete: on disk, or taken by the reader of the pipe
 */
gboolean
stasis_domain_save_as (StasisDomain *self, const StasisSaveRequest *request,
                       StasisProgressFunc progress, gpointer user_data, GCancellable *cancellable,
                       GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->save_as (self, request, progress, user_data, cancellable, error);

  return stasis_save_run (self, /* is_managed= */ FALSE, request, NULL, progress, user_data,
                          cancellable, error);
}

/**
 * stasis_domain_save:
 * @self: a running domain
 * @path: (type filename): where the save image goes; an image that is there already is replaced
 *   once the new one is complete
 * @xml: (nullable): a definition of the same guest ABI that goes into the image
 * @flags: how the image is to be resumed
 * @progress: (nullable) (scope call): told how it goes
 * @user_data: for @progress
 * @cancellable: (nullable): cancels the job; the domain then runs on
 * @error: return location
 *
 * Saves the state of the domain to an image and ends it.  Blocks; may be called on any thread.
 * On failure the domain goes on as before and @path is as it was.  Fails with
 * %STASIS_ERROR_BUSY while another job holds the domain.
 *
 * Returns: %TRUE if the image is complete and on disk
 */
gboolean
stasis_domain_save (StasisDomain *self, const char *path, const char *xml, StasisSaveFlags flags,
                    StasisProgressFunc progress, gpointer user_data, GCancellable *cancellable,
                    GError **error)
{
  const StasisSaveRequest request
      = { .path = path, .fd = -1, .format = "stasis", .xml = xml, .flags = flags };
  return stasis_domain_save_as (self, &request, progress, user_data, cancellable, error);
}

/**
 * stasis_domain_managed_save:
 * @self: a running, persistent domain
 * @flags: how it is to be resumed
 * @progress: (nullable) (scope call): told how it goes
 * @user_data: for @progress
 * @cancellable: (nullable): cancels the job; the domain then runs on
 * @error: return location
 *
 * Saves the domain to its managed image, from which stasis_domain_start() brings it back.
 *
 * Returns: %TRUE if the image is complete and on disk
 */
gboolean
stasis_domain_managed_save (StasisDomain *self, StasisSaveFlags flags, StasisProgressFunc progress,
                            gpointer user_data, GCancellable *cancellable, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->managed_save (self, flags, progress, user_data, cancellable, error);

  g_autofree char *path = stasis_paths_managed_save (stasis_domain_get_driver (self)->paths,
                                                     stasis_domain_get_name (self));
  g_autofree char *folder = g_path_get_dirname (path);
  const StasisSaveRequest request = { .path = path, .fd = -1, .format = "stasis", .flags = flags };
  return stasis_paths_make (folder, error) && stasis_fault ("managed-save", error)
         && stasis_save_run (self, /* is_managed= */ TRUE, &request, NULL, progress, user_data,
                             cancellable, error);
}
