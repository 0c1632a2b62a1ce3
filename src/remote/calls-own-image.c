/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-own-image.c: our own program: save images on this host
 */

#include "config.h"

#include "remote/calls-own.h"
#include "remote/calls.h"
#include "util/json.h"

/* As JSON. */
gboolean
stasis_call_own_image_get_info (StasisCall *call, GError **error)
{
  if (stasis_call_check_file (call->args[0].s, error))
    call->rets[0].s = stasis_image_get_info_json (call->args[0].s, error);
  return call->rets[0].s != NULL;
}

/* With the name of the file that the definition is from, for messages. */
gboolean
stasis_call_own_image_define_xml (StasisCall *call, GError **error)
{
  const guint32 flags = call->args[3].u;
  return stasis_call_check_file (call->args[0].s, error)
         && stasis_own_check_flags (flags, STASIS_SAVE_RUNNING | STASIS_SAVE_PAUSED, error)
         && stasis_image_define_xml (call->driver, call->args[0].s, call->args[1].s,
                                     call->args[2].s, flags, error);
}

/* (transfer full): an object for each. */
static char *
damages_to_json (const GPtrArray *damages)
{
  g_autoptr (StasisJson) array = stasis_json_new_array ();
  for (guint i = 0; damages != NULL && i < damages->len; i++)
    {
      const StasisImageDamage *damage = g_ptr_array_index (damages, i);
      StasisJson *object = stasis_json_new_object ();
      stasis_json_set_uint (object, "offset", damage->offset);
      stasis_json_set_uint (object, "length", damage->length);
      stasis_json_set_string (object, "what", damage->what);
      stasis_json_array_append (array, object);
    }
  return stasis_json_to_string (array);
}

/* One that is damaged is a result: whether it is good, what is wrong with it, and where ("null"
 * where nobody can say). */
gboolean
stasis_call_own_image_check (StasisCall *call, GError **error)
{
  g_autoptr (GPtrArray) damages = NULL;
  g_autoptr (GError) local = NULL;
  g_auto (StasisOwnJob) job = { 0 };
  if (!stasis_call_check_file (call->args[0].s, error))
    return FALSE;
  stasis_own_job_begin (&job, call);
  const gboolean is_good = stasis_image_check (call->driver, call->args[0].s, &damages,
                                               stasis_own_job_tell, &job, job.cancellable, &local);
  if (!is_good && !g_error_matches (local, STASIS_ERROR, STASIS_ERROR_IMAGE))
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  call->rets[0].i = is_good ? 1 : 0;
  call->rets[1].s = is_good ? NULL : g_strdup (local->message);
  call->rets[2].s = damages != NULL ? damages_to_json (damages) : g_strdup ("null");
  return TRUE;
}

/* A whole one. */
gboolean
stasis_call_own_image_flatten (StasisCall *call, GError **error)
{
  g_auto (StasisOwnJob) job = { 0 };
  if (!stasis_call_check_file (call->args[0].s, error)
      || !stasis_call_check_file (call->args[1].s, error))
    return FALSE;
  stasis_own_job_begin (&job, call);
  return stasis_image_flatten (call->driver, call->args[0].s, call->args[1].s, stasis_own_job_tell,
                               &job, job.cancellable, error);
}

/* A picture of its memory. */
gboolean
stasis_call_own_image_draw_map (StasisCall *call, GError **error)
{
  g_auto (StasisOwnJob) job = { 0 };
  if (!stasis_call_check_file (call->args[0].s, error))
    return FALSE;
  stasis_own_job_begin (&job, call);
  call->rets[0].bytes
      = stasis_image_draw_map (call->args[0].s, call->args[1].s, job.cancellable, error);
  return call->rets[0].bytes != NULL;
}
