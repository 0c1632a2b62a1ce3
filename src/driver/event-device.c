/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * event-device.c: which device of a domain an event of QEMU's is about
 */

#include "config.h"

#include "driver/event-device.h"

#include <string.h>

#include "driver/agent-channel.h"
#include "driver/domain-private.h"

#define NODE "disk-" /* the nodes of a disk's chain: command-block.c */

/* "disk-vda-format", "disk-vda-1-storage" of vda, not of vdaa. */
static gboolean
is_node_of (const char *node, const char *target)
{
  if (node == NULL || target == NULL || !g_str_has_prefix (node, NODE))
    return FALSE;
  const char *rest = node + strlen (NODE);
  const gsize length = strlen (target);
  return strncmp (rest, target, length) == 0 && (rest[length] == '-' || rest[length] == '\0');
}

/* In the definition of the running instance. */
void
stasis_event_device_find (StasisDriver *driver, const char *domain, const char *node,
                          const char *alias, StasisEventDevice *out_device)
{
  *out_device = (StasisEventDevice){ NULL };
  g_autoptr (StasisDomain) self = stasis_domain_new (driver, domain, NULL);
  g_autoptr (StasisDomainDef) def = stasis_domain_load_live (self, NULL);
  if (def == NULL)
    return;
  for (guint i = 0; i < def->disks->len; i++)
    {
      const StasisDiskDef *disk = g_ptr_array_index (def->disks, i);
      if (!is_node_of (node, disk->target)
          && (alias == NULL || g_strcmp0 (alias, disk->info.alias) != 0))
        continue;
      out_device->alias = g_strdup (disk->info.alias);
      out_device->source = g_strdup (disk->source);
      return;
    }
  const StasisChardevDef *agent = stasis_agent_channel_find (def);
  out_device->is_agent
      = agent != NULL && alias != NULL && g_strcmp0 (agent->info.alias, alias) == 0;
  out_device->alias = g_strdup (alias);
}

/* What it owns. */
void
stasis_event_device_clear (StasisEventDevice *device)
{
  g_clear_pointer (&device->alias, g_free);
  g_clear_pointer (&device->source, g_free);
}
