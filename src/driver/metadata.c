/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * metadata.c: what people and programs note in a definition, and the guest does not see
 */

#include "config.h"

#include "driver/metadata.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "conf/domain-metadata.h"
#include "driver/domain-private.h"
#include "driver/hold.h"
#include "driver/live-def.h"
#include "driver/registry.h"

/* Which of them is meant, and whether it is there. */
static gboolean
choose (StasisDomain *self, gboolean is_running, StasisMetadataFlags *flags, GError **error)
{
  const char *name = stasis_domain_get_name (self);
  if (*flags == STASIS_METADATA_CURRENT)
    *flags = is_running ? STASIS_METADATA_LIVE : STASIS_METADATA_CONFIG;
  if ((*flags & STASIS_METADATA_LIVE) != 0 && !is_running)
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE, _ ("domain '%s' is not running"),
                 name);
  else if ((*flags & STASIS_METADATA_CONFIG) != 0
           && !stasis_registry_has (stasis_domain_get_driver (self), name))
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
                 _ ("domain '%s' is transient: it has no other definition"), name);
  else
    return TRUE;
  return FALSE;
}

static gboolean
check (const StasisMetadata *metadata, GError **error)
{
  if (metadata->kind != STASIS_METADATA_TITLE || metadata->text == NULL
      || strchr (metadata->text, '\n') == NULL)
    return TRUE;
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                       _ ("metadata title can't contain newlines"));
  return FALSE;
}

static gboolean
put (StasisDomainDef *def, const StasisMetadata *metadata, GError **error)
{
  g_autoptr (GError) local = NULL;
  if (metadata->kind == STASIS_METADATA_ELEMENT)
    {
      if (stasis_domain_metadata_set (&def->metadata, metadata->uri, metadata->key, metadata->text,
                                      &local))
        return TRUE;
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_XML, local->message);
      return FALSE;
    }
  char **text = metadata->kind == STASIS_METADATA_TITLE ? &def->title : &def->description;
  g_free (*text);
  *text = metadata->text != NULL && *metadata->text != '\0' ? g_strdup (metadata->text) : NULL;
  return TRUE;
}

/* What comes from elsewhere need not be what a definition may hold; one that nobody can read is a
 * domain that is lost. */
static gboolean
check_readable (StasisDriver *driver, const StasisDomainDef *def, StasisDomainParseFlags flags,
                GError **error)
{
  const StasisDomainFormatFlags format = flags == STASIS_DOMAIN_PARSE_ACTIVE
                                             ? STASIS_DOMAIN_FORMAT_ACTIVE
                                             : STASIS_DOMAIN_FORMAT_INACTIVE;
  g_autofree char *xml = stasis_domain_def_format (def, format | STASIS_DOMAIN_FORMAT_SECURE);
  g_autoptr (StasisDomainDef) again = stasis_driver_parse (driver, xml, def->name, flags, error);
  return again != NULL;
}

/* Both are made before one is written. */
gboolean
stasis_domain_set_metadata (StasisDomain *self, const StasisMetadata *metadata,
                            StasisMetadataFlags flags, GError **error)
{
  StasisDriver *driver = stasis_domain_get_driver (self);
  const char *name = stasis_domain_get_name (self);
  g_autoptr (StasisHold) hold
      = check (metadata, error) ? stasis_hold_take (driver, name, error) : NULL;
  if (hold == NULL || !choose (self, hold->status != NULL, &flags, error))
    return FALSE;
  const gboolean is_live = (flags & STASIS_METADATA_LIVE) != 0;
  const gboolean is_config = (flags & STASIS_METADATA_CONFIG) != 0;
  g_autoptr (StasisDomainDef) live = is_live ? stasis_domain_load_live (self, error) : NULL;
  if (is_live
      && (live == NULL || !put (live, metadata, error)
          || !check_readable (driver, live, STASIS_DOMAIN_PARSE_ACTIVE, error)))
    return FALSE;
  g_autoptr (StasisDomainDef) config
      = is_config ? stasis_registry_load (driver, name, error) : NULL;
  if (is_config
      && (config == NULL || !put (config, metadata, error)
          || !check_readable (driver, config, STASIS_DOMAIN_PARSE_DEFAULT, error)))
    return FALSE;
  return (!is_live
          || stasis_live_def_write (live, hold->status, hold->folder, STASIS_LIVE_XML, error))
         && (!is_config || stasis_registry_store (driver, config, error));
}

/* Of one definition. */
gboolean
stasis_domain_get_metadata (StasisDomain *self, const StasisMetadata *metadata,
                            StasisMetadataFlags flags, char **out_text, GError **error)
{
  g_autoptr (StasisStatus) status = NULL;
  if (!stasis_domain_look (self, &status, error) || !choose (self, status != NULL, &flags, error))
    return FALSE;
  g_autoptr (StasisDomainDef) def
      = (flags & STASIS_METADATA_LIVE) != 0
            ? stasis_domain_load_live (self, error)
            : stasis_registry_load (stasis_domain_get_driver (self), stasis_domain_get_name (self),
                                    error);
  if (def == NULL)
    return FALSE;
  if (metadata->kind == STASIS_METADATA_ELEMENT)
    *out_text
        = metadata->uri != NULL ? stasis_domain_metadata_get (def->metadata, metadata->uri) : NULL;
  else
    *out_text = g_strdup (metadata->kind == STASIS_METADATA_TITLE ? def->title : def->description);
  return TRUE;
}
