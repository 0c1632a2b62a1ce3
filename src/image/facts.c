/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * facts.c: the QEMU_FACTS record: which QEMU wrote the body, and in which state the guest was
 */

#include "config.h"

#include "image/facts.h"

#include <glib/gi18n-lib.h>

#include "image/error.h"

static const char *const strings[] = {
  STASIS_IMAGE_FACTS_EMULATOR,    STASIS_IMAGE_FACTS_VERSION,   STASIS_IMAGE_FACTS_MACHINE,
  STASIS_IMAGE_FACTS_ACCELERATOR, STASIS_IMAGE_FACTS_RUN_STATE,
};

static gboolean
throw_member (GError **error, const char *key)
{
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID,
               _ ("QEMU facts: member '%1$s' is missing or of another type"), key);
  return FALSE;
}

static gboolean
check_capabilities (const StasisJson *list, GError **error)
{
  if (list == NULL || stasis_json_kind (list) != STASIS_JSON_ARRAY)
    return throw_member (error, STASIS_IMAGE_FACTS_CAPABILITIES);

  for (guint i = 0; i < stasis_json_array_length (list); i++)
    if (stasis_json_string (stasis_json_array_get (list, i), NULL) == NULL)
      return throw_member (error, STASIS_IMAGE_FACTS_CAPABILITIES);
  return TRUE;
}

/* TRUE where all mandatory members are there and of their type. */
gboolean
stasis_image_facts_check (const StasisJson *facts, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (strings); i++)
    if (stasis_json_string (stasis_json_get (facts, strings[i]), NULL) == NULL)
      return throw_member (error, strings[i]);

  const char *state
      = stasis_json_string (stasis_json_get (facts, STASIS_IMAGE_FACTS_RUN_STATE), "");
  if (!g_str_equal (state, "running") && !g_str_equal (state, "paused"))
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID,
                   _ ("QEMU facts: unknown run state '%1$s'"), state);
      return FALSE;
    }
  return check_capabilities (stasis_json_get (facts, STASIS_IMAGE_FACTS_CAPABILITIES), error);
}

/* The members are shared. */
StasisJson *
stasis_image_facts_with_run_state (const StasisJson *facts, gboolean running)
{
  StasisJson *copy = stasis_json_new_object ();
  for (guint i = 0; i < stasis_json_object_size (facts); i++)
    stasis_json_set (copy, stasis_json_object_key (facts, i),
                     stasis_json_ref ((StasisJson *) stasis_json_object_value (facts, i)));
  stasis_json_set_string (copy, STASIS_IMAGE_FACTS_RUN_STATE, running ? "running" : "paused");
  return copy;
}
