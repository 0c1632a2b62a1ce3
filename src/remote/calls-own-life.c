/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-own-life.c: our own program: starts, saves, restores and clones with all that they can do
 *
 * The calls return when it is done.  Meanwhile the client hears how far it is, and may cancel it.
 * One that goes away does not end it.
 */

#include "config.h"

#include "remote/calls-own.h"
#include "remote/calls.h"
#include "util/json.h"

#define START_FLAGS (STASIS_START_PAUSED | STASIS_START_FORCE_BOOT)

/* With the name of the file that the definition is from, for messages. */
gboolean
stasis_call_own_define (StasisCall *call, GError **error)
{
  return stasis_call_give (
      call, stasis_driver_define (call->driver, call->args[0].s, call->args[1].s, error));
}

/* The same. */
gboolean
stasis_call_own_create (StasisCall *call, GError **error)
{
  const guint32 flags = call->args[2].u;
  g_auto (StasisOwnJob) job = { 0 };
  if (!stasis_own_check_flags (flags, START_FLAGS, error))
    return FALSE;
  stasis_own_job_begin (&job, call);
  return stasis_call_give (call,
                           stasis_driver_create (call->driver, call->args[0].s, call->args[1].s,
                                                 flags, job.cancellable, error));
}

/* With all its ways. */
gboolean
stasis_call_own_restore (StasisCall *call, GError **error)
{
  const guint32 flags = call->args[2].u;
  g_auto (StasisOwnJob) job = { 0 };
  if (!stasis_call_check_file (call->args[0].s, error)
      || !stasis_own_check_flags (flags, STASIS_OWN_RESTORE_FLAGS, error))
    return FALSE;
  stasis_own_job_begin (&job, call);
  return stasis_call_give (call, stasis_driver_restore (call->driver, call->args[0].s,
                                                        call->args[1].s, flags, stasis_own_job_tell,
                                                        &job, job.cancellable, error));
}

/* Several from one image. */
gboolean
stasis_call_own_clone (StasisCall *call, GError **error)
{
  const StasisCloneRequest request = {
    .path = call->args[0].s,
    .name = call->args[1].s,
    .count = call->args[2].u,
    .xml = call->args[3].s,
    .flags = call->args[4].u,
  };
  g_auto (StasisOwnJob) job = { 0 };
  if (!stasis_call_check_file (request.path, error)
      || !stasis_own_check_flags (request.flags, STASIS_OWN_RESTORE_FLAGS, error))
    return FALSE;
  stasis_own_job_begin (&job, call);
  g_autoptr (StasisClones) clones = stasis_driver_clone (
      call->driver, &request, stasis_own_job_tell, &job, job.cancellable, error);
  if (clones == NULL)
    return FALSE;
  call->rets[0].items = stasis_wire_domains_new ();
  call->rets[1].items = stasis_wire_strings_new ();
  for (guint i = 0; i < clones->domains->len; i++)
    g_ptr_array_add (call->rets[0].items, stasis_call_describe (clones->domains->pdata[i]));
  for (guint i = 0; clones->warnings[i] != NULL; i++)
    g_ptr_array_add (call->rets[1].items, g_strdup (clones->warnings[i]));
  return TRUE;
}

static void
set_text (StasisJson *object, const char *key, const char *text)
{
  if (text != NULL)
    stasis_json_set_string (object, key, text);
}

/* As JSON: an object for each. */
gboolean
stasis_call_own_list_saved_clones (StasisCall *call, GError **error)
{
  g_autoptr (GPtrArray) all = stasis_driver_list_saved_clones (call->driver, error);
  if (all == NULL)
    return FALSE;
  g_autoptr (StasisJson) array = stasis_json_new_array ();
  for (guint i = 0; i < all->len; i++)
    {
      const StasisClonesSaved *saved = g_ptr_array_index (all, i);
      StasisJson *object = stasis_json_new_object ();
      set_text (object, "uuid", saved->uuid);
      set_text (object, "name", saved->name);
      set_text (object, "folder", saved->folder);
      set_text (object, "path", saved->path);
      stasis_json_set_string (object, "image", stasis_clones_image_to_string (saved->image));
      stasis_json_set_uint (object, "octets", saved->octets);
      stasis_json_array_append (array, object);
    }
  call->rets[0].s = stasis_json_to_string (array);
  return TRUE;
}

/* Its disks go. */
gboolean
stasis_call_own_drop_saved_clone (StasisCall *call, GError **error)
{
  return stasis_driver_drop_saved_clone (call->driver, call->args[0].s, call->args[1].i != 0,
                                         error);
}

/* From its managed save image, which may take a while. */
gboolean
stasis_call_own_domain_start (StasisCall *call, GError **error)
{
  const guint32 flags = call->args[1].u;
  g_auto (StasisOwnJob) job = { 0 };
  g_autoptr (StasisDomain) domain = stasis_own_job_begin_of_domain (&job, call, error);
  return domain != NULL && stasis_own_check_flags (flags, START_FLAGS, error)
         && stasis_domain_start (domain, flags, stasis_own_job_tell, &job, job.cancellable, error);
}

/* Of every kind, checkpoints among them. */
gboolean
stasis_call_own_domain_save (StasisCall *call, GError **error)
{
  const StasisSaveRequest request = {
    .path = call->args[1].s,
    .fd = -1,
    .format = call->args[2].s,
    .compress = call->args[3].s,
    .xml = call->args[4].s,
    .flags = call->args[5].u,
    .base = call->args[6].s,
  };
  g_auto (StasisOwnJob) job = { 0 };
  if (!stasis_call_check_file (request.path, error)
      || (request.base != NULL && !stasis_call_check_file (request.base, error))
      || !stasis_own_check_flags (request.flags, STASIS_OWN_SAVE_FLAGS, error))
    return FALSE;
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  if (domain == NULL)
    return FALSE;
  stasis_own_job_begin (&job, call);
  return stasis_domain_save_as (domain, &request, stasis_own_job_tell, &job, job.cancellable,
                                error);
}

/* To the place that start looks at. */
gboolean
stasis_call_own_domain_managed_save (StasisCall *call, GError **error)
{
  const guint32 flags = call->args[1].u;
  g_auto (StasisOwnJob) job = { 0 };
  g_autoptr (StasisDomain) domain = stasis_own_job_begin_of_domain (&job, call, error);
  return domain != NULL && stasis_own_check_flags (flags, STASIS_OWN_SAVE_FLAGS, error)
         && stasis_domain_managed_save (domain, flags, stasis_own_job_tell, &job, job.cancellable,
                                        error);
}

/* It gets memory of its own. */
gboolean
stasis_call_own_domain_detach_image (StasisCall *call, GError **error)
{
  const guint32 flags = call->args[1].u;
  g_auto (StasisOwnJob) job = { 0 };
  g_autoptr (StasisDomain) domain = stasis_own_job_begin_of_domain (&job, call, error);
  return domain != NULL && stasis_own_check_flags (flags, STASIS_DETACH_FORCE, error)
         && stasis_domain_detach_image (domain, flags, stasis_own_job_tell, &job, job.cancellable,
                                        error);
}

/* Its writes are known no more. */
gboolean
stasis_call_own_domain_untrack (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  return domain != NULL && stasis_domain_untrack (domain, error);
}
