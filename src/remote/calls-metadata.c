/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-metadata.c: what is noted in a definition, and its name
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "driver/metadata.h"
#include "remote/calls.h"

static const StasisFlagPair affect_flags[] = {
  { 0x1, STASIS_METADATA_LIVE },
  { 0x2, STASIS_METADATA_CONFIG },
};

static gboolean
read_kind (gint32 type, StasisMetadataKind *out_kind, GError **error)
{
  if (type >= STASIS_METADATA_DESCRIPTION && type <= STASIS_METADATA_ELEMENT)
    {
      *out_kind = (StasisMetadataKind) type;
      return TRUE;
    }
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT, _ ("unknown metadata type %d"),
               type);
  return FALSE;
}

/* Note it, or forget it. */
gboolean
stasis_call_domain_set_metadata (StasisCall *call, GError **error)
{
  StasisMetadata metadata
      = { .text = call->args[2].s, .key = call->args[3].s, .uri = call->args[4].s };
  guint32 flags;
  if (!read_kind (call->args[1].i, &metadata.kind, error)
      || !stasis_call_translate_flags (call->args[5].u, affect_flags, G_N_ELEMENTS (affect_flags),
                                       &flags, error))
    return FALSE;
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  return domain != NULL && stasis_domain_set_metadata (domain, &metadata, flags, error);
}

/* Title, description, or an element. */
gboolean
stasis_call_domain_get_metadata (StasisCall *call, GError **error)
{
  StasisMetadata metadata = { .uri = call->args[2].s };
  guint32 flags;
  if (!read_kind (call->args[1].i, &metadata.kind, error)
      || !stasis_call_translate_flags (call->args[3].u, affect_flags, G_N_ELEMENTS (affect_flags),
                                       &flags, error))
    return FALSE;
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  if (domain == NULL
      || !stasis_domain_get_metadata (domain, &metadata, flags, &call->rets[0].s, error))
    return FALSE;
  if (call->rets[0].s != NULL)
    return TRUE;
  g_set_error_literal (error, STASIS_REMOTE_ERROR, STASIS_REMOTE_ERROR_NO_METADATA,
                       _ ("metadata not found: Requested metadata element is not present"));
  return FALSE;
}

/* Another name. */
gboolean
stasis_call_domain_rename (StasisCall *call, GError **error)
{
  static const StasisFlagPair none = { 0, 0 };
  guint32 flags;
  if (!stasis_call_translate_flags (call->args[2].u, &none, 0, &flags, error))
    return FALSE;
  if (call->args[1].s == NULL)
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                           _ ("no new name was given"));
      return FALSE;
    }
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  return domain != NULL && stasis_domain_rename (domain, call->args[1].s, error);
}
