/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-vcpus.c: the processors that a guest begins with, and those that come later
 *
 * Devices look at how many there are when QEMU begins (virtio has a queue for each), so an image of
 * a guest that has got more has to be loaded by a QEMU that begins with as few.  <vcpus> tells, as
 * libvirt's does: those that are not hotpluggable are there from the beginning.  A definition
 * without it begins with all that it has.
 */

#include "config.h"

#include "conf/domain-internal.h"

#include <glib/gi18n-lib.h>

#include "conf/domain-schema.h"

static gint64
current_of (const StasisDomainDef *def)
{
  return def->current_vcpus != STASIS_UNSET ? def->current_vcpus : def->vcpus;
}

/* How many there are when QEMU begins. */
gint64
stasis_domain_def_boot_vcpus (const StasisDomainDef *def)
{
  gint64 count = 0;
  for (guint i = 0; i < def->vcpu_list->len; i++)
    {
      const StasisVcpuDef *vcpu = g_ptr_array_index (def->vcpu_list, i);
      count += vcpu->enabled == STASIS_TRISTATE_ON && vcpu->hotpluggable != STASIS_TRISTATE_ON;
    }
  return def->vcpu_list->len > 0 ? count : current_of (def);
}

static void
clear_list (StasisDomainDef *def)
{
  while (def->vcpu_list->len > 0)
    stasis_schema_free (&stasis_vcpu_schema,
                        g_ptr_array_remove_index (def->vcpu_list, def->vcpu_list->len - 1));
}

static void
add (StasisDomainDef *def, gint64 id, gint64 boot, gint64 count)
{
  StasisVcpuDef *vcpu = stasis_schema_new (&stasis_vcpu_schema);
  vcpu->id = id;
  vcpu->enabled = id < count ? STASIS_TRISTATE_ON : STASIS_TRISTATE_OFF;
  vcpu->hotpluggable = id < boot ? STASIS_TRISTATE_OFF : STASIS_TRISTATE_ON;
  if (id < count)
    vcpu->order = id + 1;
  g_ptr_array_add (def->vcpu_list, vcpu);
}

/* A running guest has so many. */
void
stasis_domain_def_set_live_vcpus (StasisDomainDef *def, gint64 count)
{
  const gint64 boot = stasis_domain_def_boot_vcpus (def);
  def->current_vcpus = count < def->vcpus ? count : STASIS_UNSET;
  clear_list (def);
  for (gint64 id = 0; count > boot && id < def->vcpus; id++)
    add (def, id, boot, count);
}

/* It will begin with so many. */
void
stasis_domain_def_set_boot_vcpus (StasisDomainDef *def, gint64 count)
{
  def->current_vcpus = count < def->vcpus ? count : STASIS_UNSET;
  clear_list (def);
}

/* In a row: those from the beginning, those that came, those that may. */
gboolean
stasis_domain_validate_vcpu_list (const StasisDomainDef *def, GError **error)
{
  const gint64 boot = stasis_domain_def_boot_vcpus (def);
  if (def->vcpu_list->len == 0)
    return TRUE;
  if (def->vcpu_list->len != def->vcpus || boot < 1)
    return stasis_conf_invalid (
        error, _ ("/domain/vcpus: there has to be an element for each of the processors, and one "
                  "that is not hotpluggable"));
  for (guint i = 0; i < def->vcpu_list->len; i++)
    {
      const StasisVcpuDef *vcpu = g_ptr_array_index (def->vcpu_list, i);
      if (vcpu->id != i || (vcpu->enabled == STASIS_TRISTATE_ON) != (i < current_of (def))
          || (vcpu->hotpluggable != STASIS_TRISTATE_ON) != (i < boot))
        return stasis_conf_unsupported (
            error,
            _ ("/domain/vcpus/vcpu[%1$u]: only processors in a row are supported: those that are "
               "not hotpluggable, others that are enabled, those that are not"),
            i + 1);
    }
  return TRUE;
}
