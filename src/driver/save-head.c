/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save-head.c: what an image says of its guest before the memory comes
 *
 * Theory of operation
 *
 * The head is written before the guest stands still, for the body's place depends on it.  Until
 * then the guest may release a device that it was asked for, or that nobody asked it for, and QEMU
 * saves it without.  So QEMU is asked in the moment that the image is of, and a head that has
 * become wrong is written anew in its place.  Where it goes through us it cannot be, and is written
 * in that moment.
 */

#include "config.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/device-settle.h"
#include "driver/device-unplug.h"
#include "driver/domain-private.h"
#include "driver/live-def.h"
#include "driver/save-facts.h"
#include "driver/save-private.h"
#include "driver/vcpus.h"
#include "image/facts.h"
#include "util/uuid.h"

/* What the image is to say of the guest: its live definition, or the caller's of the same ABI. */
gboolean
stasis_save_head_choose (StasisSave *save, GError **error)
{
  const StasisDomainFormatFlags flags = STASIS_DOMAIN_FORMAT_INACTIVE
                                        | STASIS_DOMAIN_FORMAT_MIGRATABLE
                                        | STASIS_DOMAIN_FORMAT_SECURE;
  const char *xml = save->request->xml;
  g_clear_pointer (&save->xml, g_free);
  if (xml == NULL)
    {
      save->xml = stasis_domain_def_format (save->def, flags);
      return TRUE;
    }
  g_autoptr (StasisDomainDef) wanted
      = stasis_driver_parse (save->driver, xml, NULL, STASIS_DOMAIN_PARSE_DEFAULT, error);
  if (wanted == NULL || !stasis_domain_def_check_abi (save->def, wanted, error))
    return FALSE;
  save->xml = stasis_domain_def_format (wanted, flags);
  return TRUE;
}

/* TRUE where its file systems are. */
gboolean
stasis_save_head_is_frozen (const StasisSave *save)
{
  return (save->flags & STASIS_SAVE_QUIESCE) != 0 || save->hold->status->frozen != NULL;
}

static gboolean
resume_running (const StasisSave *save)
{
  if (save->flags & STASIS_SAVE_RUNNING)
    return TRUE;
  return save->was_running && (save->flags & STASIS_SAVE_PAUSED) == 0;
}

/* The facts are those of the beginning. */
static StasisJson *
describe (const StasisSave *save)
{
  const char *reason = save->was_running ? "running" : "user";
  StasisJson *facts = stasis_save_facts (save->def, save->hold->status, save->engine,
                                         save->ram_blocks, resume_running (save), reason,
                                         save->monitor, stasis_job_cancellable (save->job));
  if (stasis_save_head_is_frozen (save))
    stasis_json_set_boolean (facts, STASIS_IMAGE_FACTS_FROZEN, TRUE);
  return facts;
}

static gboolean
put (StasisSave *save, gboolean is_renewed, GError **error)
{
  guint8 uuid[STASIS_UUID_SIZE];
  if (!stasis_uuid_parse (save->def->uuid, uuid, error))
    return FALSE;
  const StasisSaveHead head = {
    .domain_uuid = uuid,
    .xml = save->xml,
    .qemu_facts = save->facts,
    .parent = save->base != NULL ? save->base->parent : NULL,
    .way = save->engine->way,
    .resume_running = resume_running (save),
  };
  return is_renewed ? stasis_save_output_renew (save->output, &head, error)
                    : stasis_save_output_begin (save->output, &head, save->job, error);
}

/* What stands before the body. */
gboolean
stasis_save_head_write (StasisSave *save, GError **error)
{
  save->facts = describe (save);
  return put (save, FALSE, error);
}

/* Where it became wrong. */
gboolean
stasis_save_head_renew (StasisSave *save, GError **error)
{
  return !save->is_head_stale || put (save, TRUE, error);
}

/* What is behind an interface is saved beside it. */
static void
drop_netdevs (const StasisSave *save, const StasisDomainDef *now)
{
  for (guint i = 0; i < save->def->interfaces->len; i++)
    {
      const StasisInterfaceDef *interface = g_ptr_array_index (save->def->interfaces, i);
      StasisDevicePlace place;
      if (interface->info.alias == NULL
          || stasis_domain_def_find_alias (now, interface->info.alias, &place))
        continue;
      g_autofree char *netdev = g_strconcat ("host", interface->info.alias, NULL);
      stasis_device_drop_backend (save->monitor, NULL, netdev);
    }
}

static void
use (StasisSave *save, StasisDomainDef *now_take)
{
  if (save->def_before == NULL)
    save->def_before = save->def; /* others refer to what is in it */
  else
    stasis_domain_def_free (save->def);
  save->def = now_take;
  save->is_head_stale = save->facts != NULL;
}

static gboolean
list_blocks (StasisSave *save, GError **error)
{
  g_ptr_array_unref (save->ram_blocks);
  save->ram_blocks = stasis_monitor_query_ram_blocks (save->monitor, NULL, error);
  return save->ram_blocks != NULL;
}

/* Memory of an interface's own, and what is behind it, were begun to be saved, or are saved. */
static gboolean
check_interfaces (const StasisSave *save, const StasisDomainDef *now, GError **error)
{
  if (now->interfaces->len == save->def->interfaces->len)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
               _ ("the guest of domain '%s' released an interface while it was saved: try again"),
               save->def->name);
  return FALSE;
}

static StasisDomainDef *
look (const StasisSave *save, GError **error)
{
  StasisDomainDef *now = NULL;
  if (!stasis_vcpus_check_boot (save->def, save->monitor, NULL, error)
      || !stasis_device_unplug_compare (save->monitor, save->def, &now, error))
    return NULL;
  if (now == NULL)
    return save->def;
  stasis_live_def_mark_automatic (now, save->hold->folder);
  return now;
}

/* Before the devices are saved. */
gboolean
stasis_save_head_settle (StasisSave *save, GError **error)
{
  StasisDomainDef *now = look (save, error);
  if (now == NULL || now == save->def)
    return now != NULL;
  drop_netdevs (save, now);
  use (save, now);
  return (save->is_live || list_blocks (save, error)) && stasis_save_head_choose (save, error);
}

/* After that. */
gboolean
stasis_save_head_settle_late (StasisSave *save, GError **error)
{
  StasisDomainDef *now = look (save, error);
  if (now == NULL || now == save->def)
    return now != NULL;
  const gboolean ok = check_interfaces (save, now, error);
  use (save, now);
  return ok && stasis_save_head_choose (save, error);
}

/* The moment may have been before, or after, what QEMU has lost since. */
gboolean
stasis_save_head_check (StasisSave *save, GError **error)
{
  g_autoptr (StasisDomainDef) now = NULL;
  if (!stasis_vcpus_check_boot (save->def, save->monitor, NULL, error)
      || !stasis_device_unplug_compare (save->monitor, save->def, &now, error))
    return FALSE;
  if (now == NULL)
    return TRUE;
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
                       _ ("the guest released a device in the moment of the snapshot"));
  return FALSE;
}
