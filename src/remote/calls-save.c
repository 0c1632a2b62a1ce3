/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-save.c: saving domains, and bringing them back
 *
 * The calls return when it is done.  Others on the same connection ask meanwhile how far it is, or
 * abort it (calls-job.c).  A client that goes away does not end it.
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "remote/calls.h"

/* Of libvirt's typed parameters for saves and restores. */
#define PARAM_FILE     "file"
#define PARAM_XML      "dxml"
#define PARAM_FORMAT   "image_format"
#define PARAM_CHANNELS "parallel.channels"

static const StasisFlagPair save_flags[] = {
  { 0x1, STASIS_SAVE_BYPASS_CACHE },
  { 0x2, STASIS_SAVE_RUNNING },
  { 0x4, STASIS_SAVE_PAUSED },
};

static const StasisFlagPair restore_flags[] = {
  { 0x1, STASIS_RESTORE_BYPASS_CACHE },
  { 0x2, STASIS_RESTORE_RUNNING },
  { 0x4, STASIS_RESTORE_PAUSED },
};

static gboolean
save (StasisCall *call, const char *path, const char *xml, const char *format, guint32 flags,
      GError **error)
{
  guint32 ours;
  if (!stasis_call_check_file (path, error)
      || !stasis_call_translate_flags (flags, save_flags, G_N_ELEMENTS (save_flags), &ours, error))
    return FALSE;
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  const StasisSaveRequest request = {
    .path = path,
    .fd = -1,
    .format = format,
    .xml = xml,
    .flags = ours,
  };
  return domain != NULL && stasis_domain_save_as (domain, &request, NULL, NULL, NULL, error);
}

/* To a file. */
gboolean
stasis_call_domain_save (StasisCall *call, GError **error)
{
  return save (call, call->args[1].s, NULL, call->save_format, 0, error);
}

/* The same, with another definition. */
gboolean
stasis_call_domain_save_flags (StasisCall *call, GError **error)
{
  return save (call, call->args[1].s, call->args[2].s, call->save_format, call->args[3].u, error);
}

/* An error for the first that has another name than these, or is of another kind. */
static gboolean
check_params (const GPtrArray *params, GError **error)
{
  static const struct
  {
    const char *name;
    StasisWireType type;
  } known[] = {
    { PARAM_FILE, STASIS_WIRE_STRING },
    { PARAM_XML, STASIS_WIRE_STRING },
    { PARAM_FORMAT, STASIS_WIRE_STRING },
    { PARAM_CHANNELS, STASIS_WIRE_INT },
  };
  for (guint i = 0; i < params->len; i++)
    {
      const StasisWireParam *param = g_ptr_array_index (params, i);
      gboolean is_known = FALSE;
      for (guint j = 0; j < G_N_ELEMENTS (known); j++)
        is_known |= param->type == known[j].type && g_str_equal (param->name, known[j].name);
      if (is_known)
        continue;
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("parameter '%s' is not supported"), param->name);
      return FALSE;
    }
  return TRUE;
}

static const char *
find_string (const GPtrArray *params, const char *name)
{
  const StasisWireParam *param = stasis_wire_params_find (params, name, STASIS_WIRE_STRING);
  return param != NULL ? param->value.s : NULL;
}

/* (transfer full): libvirt's names are of compressions; ours are of kinds, and include them. */
static char *
choose_format (const StasisCall *call, const char *format)
{
  static const char *const theirs[] = { "gzip", "bzip2", "xz", "lzop", "zstd", "sparse" };
  if (format == NULL)
    return g_strdup (call->save_format);
  if (g_str_equal (format, "raw"))
    return g_strdup ("libvirt");
  for (guint i = 0; i < G_N_ELEMENTS (theirs); i++)
    if (g_str_equal (format, theirs[i]))
      return g_strconcat ("libvirt-", format, NULL);
  return g_strdup (format);
}

static const char *
need_file (const GPtrArray *params, GError **error)
{
  const char *path = find_string (params, PARAM_FILE);
  if (path == NULL)
    g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                         _ ("parameter 'file' is missing"));
  return path;
}

/* The same; how many channels there are is for us to know. */
gboolean
stasis_call_domain_save_params (StasisCall *call, GError **error)
{
  const GPtrArray *params = call->args[1].items;
  if (!check_params (params, error))
    return FALSE;
  const char *path = need_file (params, error);
  g_autofree char *format = choose_format (call, find_string (params, PARAM_FORMAT));
  return path != NULL
         && save (call, path, find_string (params, PARAM_XML), format, call->args[2].u, error);
}

/* To the place that start looks at. */
gboolean
stasis_call_domain_managed_save (StasisCall *call, GError **error)
{
  guint32 flags;
  if (!stasis_call_translate_flags (call->args[1].u, save_flags, G_N_ELEMENTS (save_flags), &flags,
                                    error))
    return FALSE;
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  return domain != NULL && stasis_domain_managed_save (domain, flags, NULL, NULL, NULL, error);
}

/* Start boots afresh. */
gboolean
stasis_call_domain_managed_save_remove (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  return domain != NULL && stasis_domain_managed_save_remove (domain, error);
}

static gboolean
restore (StasisCall *call, const char *path, const char *xml, guint32 flags, GError **error)
{
  guint32 ours;
  if (!stasis_call_check_file (path, error)
      || !stasis_call_translate_flags (flags, restore_flags, G_N_ELEMENTS (restore_flags), &ours,
                                       error))
    return FALSE;
  g_autoptr (StasisDomain) domain
      = stasis_driver_restore (call->driver, path, xml, ours, NULL, NULL, NULL, error);
  return domain != NULL;
}

/* From a file. */
gboolean
stasis_call_domain_restore (StasisCall *call, GError **error)
{
  return restore (call, call->args[0].s, NULL, 0, error);
}

/* The same, with another definition. */
gboolean
stasis_call_domain_restore_flags (StasisCall *call, GError **error)
{
  return restore (call, call->args[0].s, call->args[1].s, call->args[2].u, error);
}

/* The same. */
gboolean
stasis_call_domain_restore_params (StasisCall *call, GError **error)
{
  const GPtrArray *params = call->args[0].items;
  if (!check_params (params, error))
    return FALSE;
  const char *path = need_file (params, error);
  return path != NULL
         && restore (call, path, find_string (params, PARAM_XML), call->args[1].u, error);
}
