/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * call.c: what the functions behind the procedures have in common
 */

#include "config.h"

#include "remote/call.h"

#include <sys/stat.h>

#include <glib/gi18n-lib.h>

/* The domain that an argument names. */
StasisDomain *
stasis_call_domain (const StasisCall *call, guint index, GError **error)
{
  const StasisWireDomain *wire = call->args[index].domain;
  g_autofree char *uuid = stasis_uuid_format (wire->uuid);
  g_autoptr (GError) local = NULL;
  StasisDomain *domain = stasis_driver_lookup_by_uuid (call->driver, uuid, &local);
  if (domain != NULL)
    return domain;
  if (g_error_matches (local, STASIS_ERROR, STASIS_ERROR_NO_DOMAIN))
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_NO_DOMAIN,
                 _ ("Domain not found: no domain with matching uuid '%1$s' (%2$s)"), uuid,
                 wire->name);
  else
    g_propagate_error (error, g_steal_pointer (&local));
  return NULL;
}

/* What a result says of a domain. */
StasisWireDomain *
stasis_call_describe (StasisDomain *domain)
{
  guint8 uuid[STASIS_UUID_SIZE] = { 0 };
  stasis_uuid_parse (stasis_domain_get_uuid (domain), uuid, NULL);
  return stasis_wire_domain_new (stasis_domain_get_name (domain), uuid,
                                 stasis_domain_get_id (domain));
}

/* The first result. */
gboolean
stasis_call_give (StasisCall *call, StasisDomain *domain_take)
{
  g_autoptr (StasisDomain) domain = domain_take;
  if (domain != NULL)
    call->rets[0].domain = stasis_call_describe (domain);
  return domain != NULL;
}

/* One that came with it. */
int
stasis_call_fd (const StasisCall *call, guint index, GError **error)
{
  const int fd
      = call->fds != NULL && index < call->fds->len ? g_array_index (call->fds, int, index) : -1;
  if (fd < 0)
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_QEMU, _ ("No FD available at slot %u"), index);
  return fd;
}

/* A path of this host. */
gboolean
stasis_call_check_path (const char *path, GError **error)
{
  if (g_path_is_absolute (path))
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               _ ("'%s' is not an absolute path"), path);
  return FALSE;
}

/* The same, and a plain file. */
gboolean
stasis_call_check_file (const char *path, GError **error)
{
  struct stat st;
  if (!stasis_call_check_path (path, error))
    return FALSE;
  if (stat (path, &st) < 0 || S_ISREG (st.st_mode) || S_ISDIR (st.st_mode))
    return TRUE; /* what is wrong with it is said by who opens it */
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               _ ("'%s' is no plain file: pipes and devices are for the stasis command"), path);
  return FALSE;
}

/* Flags to ours. */
gboolean
stasis_call_translate_flags (guint32 flags, const StasisFlagPair *pairs, guint n_pairs,
                             guint32 *out, GError **error)
{
  *out = 0;
  for (guint i = 0; i < n_pairs; i++)
    if ((flags & pairs[i].theirs) != 0)
      {
        *out |= pairs[i].ours;
        flags &= ~pairs[i].theirs;
      }
  if (flags == 0)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               _ ("unsupported flags (0x%x) in this call"), flags);
  return FALSE;
}
