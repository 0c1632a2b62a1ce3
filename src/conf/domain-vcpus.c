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

/* TRUE where the guest has that one. */
gboolean
stasis_domain_def_has_vcpu (const StasisDomainDef *def, guint id)
{
  if (id >= def->vcpu_list->len)
    return def->vcpu_list->len == 0 && id < current_of (def);
  return ((const StasisVcpuDef *) g_ptr_array_index (def->vcpu_list, id))->enabled
         == STASIS_TRISTATE_ON;
}

static void
add (StasisDomainDef *def, gint64 id, gint64 boot, gboolean is_there, gint64 order)
{
  StasisVcpuDef *vcpu = stasis_schema_new (&stasis_vcpu_schema);
  vcpu->id = id;
  vcpu->enabled = is_there ? STASIS_TRISTATE_ON : STASIS_TRISTATE_OFF;
  vcpu->hotpluggable = id < boot ? STASIS_TRISTATE_OFF : STASIS_TRISTATE_ON;
  if (is_there)
    vcpu->order = order;
  g_ptr_array_add (def->vcpu_list, vcpu);
}

/* A running guest has those from the beginning, and of the others these. */
void
stasis_domain_def_set_live_vcpus (StasisDomainDef *def, const gboolean *is_there)
{
  const gint64 boot = stasis_domain_def_boot_vcpus (def);
  gint64 count = boot;
  for (gint64 id = boot; id < def->vcpus; id++)
    count += is_there[id] ? 1 : 0;
  def->current_vcpus = count < def->vcpus ? count : STASIS_UNSET;
  clear_list (def);
  gint64 order = 0;
  for (gint64 id = 0; count > boot && id < def->vcpus; id++)
    {
      const gboolean is_on = id < boot || is_there[id];
      order += is_on ? 1 : 0;
      add (def, id, boot, is_on, order);
    }
}

/* It will begin with so many. */
void
stasis_domain_def_set_boot_vcpus (StasisDomainDef *def, gint64 count)
{
  def->current_vcpus = count < def->vcpus ? count : STASIS_UNSET;
  clear_list (def);
}

static gint64
count_list (const StasisDomainDef *def)
{
  gint64 count = 0;
  for (guint i = 0; i < def->vcpu_list->len; i++)
    count += stasis_domain_def_has_vcpu (def, i) ? 1 : 0;
  return count;
}

/* Those from the beginning in a row, then those that come and go. */
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
  if (count_list (def) != current_of (def))
    return stasis_conf_invalid (
        error, _ ("/domain/vcpus: as many processors have to be enabled as /domain/vcpu says"));
  for (guint i = 0; i < def->vcpu_list->len; i++)
    {
      const StasisVcpuDef *vcpu = g_ptr_array_index (def->vcpu_list, i);
      if (vcpu->id != i || (vcpu->hotpluggable != STASIS_TRISTATE_ON) != (i < boot))
        return stasis_conf_unsupported (
            error,
            _ ("/domain/vcpus/vcpu[%1$u]: only processors in a row are supported: those that are "
               "not hotpluggable, and enabled, then the others"),
            i + 1);
    }
  return TRUE;
}
