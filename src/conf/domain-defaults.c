/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-defaults.c: the values that libvirt gives to what a definition leaves open
 *
 * They are part of the guest's ABI: a definition that says nothing of, say, its CPU must give the
 * same guest here as there.
 */

#include "config.h"

#include "conf/domain-internal.h"

#include <glib/gi18n-lib.h>
#include <string.h>

static void
default_string (char **at, const char *value)
{
  if (*at == NULL)
    *at = g_strdup (value);
}

static gboolean
fill_uuid (StasisDomainDef *def, GError **error)
{
  if (def->uuid == NULL)
    {
      def->uuid = g_uuid_string_random ();
      return TRUE;
    }

  /* libvirt takes 32 hexadecimal digits with dashes and blanks anywhere. */
  g_autoptr (GString) digits = g_string_new (NULL);
  for (const char *p = def->uuid; *p != '\0'; p++)
    if (g_ascii_isxdigit (*p))
      g_string_append_c (digits, g_ascii_tolower (*p));
    else if (*p != '-' && !g_ascii_isspace (*p))
      return stasis_conf_invalid (error, _ ("/domain/uuid: '%1$s' is not a UUID"), def->uuid);
  if (digits->len != 32)
    return stasis_conf_invalid (error, _ ("/domain/uuid: '%1$s' is not a UUID"), def->uuid);

  const char *d = digits->str;
  g_free (def->uuid);
  def->uuid = g_strdup_printf ("%.8s-%.4s-%.4s-%.4s-%.12s", d, d + 8, d + 12, d + 16, d + 20);
  return TRUE;
}

/* A running domain has its machine, whatever the emulator on disk has become since. */
static gboolean
fill_machine (StasisDomainDef *def, const StasisConfContext *context, StasisDomainParseFlags flags,
              GError **error)
{
  const gboolean is_running = (flags & STASIS_DOMAIN_PARSE_ACTIVE) != 0 && def->os.machine != NULL;

  default_string (&def->os.type, "hvm");
  default_string (&def->os.arch, "x86_64");
  if (def->emulator == NULL && context->default_emulator != NULL)
    def->emulator = g_strdup (context->default_emulator (def->type, def->os.arch, context->data));
  if (context->canonical_machine == NULL || is_running)
    {
      default_string (&def->os.machine, "pc");
      return TRUE;
    }

  const char *name = context->canonical_machine (def->emulator, def->os.machine, context->data);
  if (name == NULL)
    return stasis_conf_unsupported (
        error, _ ("/domain/os/type/@machine: the emulator '%1$s' has no machine type '%2$s'"),
        def->emulator != NULL ? def->emulator : "", def->os.machine != NULL ? def->os.machine : "");
  g_autofree char *old = g_steal_pointer (&def->os.machine);
  def->os.machine = g_strdup (name);
  return TRUE;
}

static gboolean
has_boot_order (const StasisDomainDef *def)
{
  for (guint i = 0; i < def->disks->len; i++)
    if (((StasisDiskDef *) def->disks->pdata[i])->info.boot_order != STASIS_UNSET)
      return TRUE;
  for (guint i = 0; i < def->interfaces->len; i++)
    if (((StasisInterfaceDef *) def->interfaces->pdata[i])->info.boot_order != STASIS_UNSET)
      return TRUE;
  for (guint i = 0; i < def->redirdevs->len; i++)
    if (((StasisChardevDef *) def->redirdevs->pdata[i])->info.boot_order != STASIS_UNSET)
      return TRUE;
  return FALSE;
}

static void
fill_boot (StasisDomainDef *def)
{
  if (def->os.boots->len > 0 || has_boot_order (def))
    return;

  StasisBootDef *boot = g_new0 (StasisBootDef, 1);
  boot->device = STASIS_BOOT_HD;
  g_ptr_array_add (def->os.boots, boot);
}

/* A firmware by path is flash memory when it is called so, a ROM otherwise; firmware='efi' is
 * always flash, whose file the driver chooses. */
static void
fill_loader (StasisOsDef *os)
{
  if (os->loader == NULL)
    return;
  if (os->loader_type == STASIS_LOADER_UNSET)
    os->loader_type = STASIS_LOADER_ROM;
  if (os->loader_type == STASIS_LOADER_PFLASH && os->loader_readonly == STASIS_TRISTATE_UNSET)
    os->loader_readonly = STASIS_TRISTATE_ON;
}

static void
fill_cpu (StasisDomainDef *def)
{
  StasisCpuDef *cpu = &def->cpu;

  if (cpu->mode == STASIS_CPU_MODE_UNSET)
    cpu->mode = STASIS_CPU_MODE_CUSTOM;
  if (cpu->mode == STASIS_CPU_MODE_CUSTOM && cpu->model == NULL)
    {
      cpu->model = g_strdup ("qemu64");
      default_string (&cpu->fallback, "forbid");
      default_string (&cpu->check, "none");
    }
  if (cpu->mode == STASIS_CPU_MODE_CUSTOM)
    {
      default_string (&cpu->match, "exact");
      default_string (&cpu->fallback, "allow");
    }
  const gboolean is_host
      = cpu->mode == STASIS_CPU_MODE_HOST_PASSTHROUGH || cpu->mode == STASIS_CPU_MODE_MAXIMUM;
  if (is_host && cpu->migratable == STASIS_TRISTATE_UNSET)
    cpu->migratable = STASIS_TRISTATE_ON;
  const gboolean is_checked = def->type == STASIS_DOMAIN_TYPE_KVM && !is_host;
  default_string (&cpu->check, is_checked ? "partial" : "none");
  if (cpu->sockets != STASIS_UNSET && cpu->dies == STASIS_UNSET)
    cpu->dies = 1;
  for (guint i = 0; i < cpu->features->len; i++)
    {
      StasisCpuFeatureDef *feature = cpu->features->pdata[i];
      if (feature->policy == STASIS_CPU_POLICY_UNSET)
        feature->policy = STASIS_CPU_POLICY_REQUIRE;
    }
}

/* Any word on Hyper-V means the mode in which each of them counts. */
static void
fill_features (StasisFeaturesDef *features)
{
  const StasisTristate states[] = {
    features->hyperv_relaxed,     features->hyperv_vapic,           features->hyperv_spinlocks,
    features->hyperv_vpindex,     features->hyperv_runtime,         features->hyperv_synic,
    features->hyperv_stimer,      features->hyperv_reset,           features->hyperv_vendor_id,
    features->hyperv_frequencies, features->hyperv_reenlightenment, features->hyperv_tlbflush,
    features->hyperv_ipi,         features->hyperv_evmcs,           features->hyperv_avic
  };

  for (gsize i = 0; i < G_N_ELEMENTS (states); i++)
    if (states[i] != STASIS_TRISTATE_UNSET)
      default_string (&features->hyperv_mode, "custom");
}

static void
fill_clock (StasisDomainDef *def)
{
  if (def->clock.offset == STASIS_CLOCK_UNSET)
    def->clock.offset = STASIS_CLOCK_UTC;
  if (def->clock.offset == STASIS_CLOCK_VARIABLE)
    {
      default_string (&def->clock.adjustment, "0");
      default_string (&def->clock.basis, "utc");
    }
}

static void
fill_lifecycle (StasisDomainDef *def)
{
  if (def->on_poweroff == STASIS_LIFECYCLE_UNSET)
    def->on_poweroff = STASIS_LIFECYCLE_DESTROY;
  if (def->on_reboot == STASIS_LIFECYCLE_UNSET)
    def->on_reboot = STASIS_LIFECYCLE_RESTART;
  if (def->on_crash == STASIS_LIFECYCLE_UNSET)
    def->on_crash = STASIS_LIFECYCLE_DESTROY;
}

gboolean
stasis_domain_fill_defaults (StasisDomainDef *def, const StasisConfContext *context,
                             StasisDomainParseFlags flags, GError **error)
{
  if (def->current_memory == STASIS_UNSET || def->current_memory == 0)
    def->current_memory = def->memory;
  if (def->vcpus == STASIS_UNSET)
    def->vcpus = 1;
  if (def->current_vcpus == def->vcpus)
    def->current_vcpus = STASIS_UNSET;
  default_string (&def->vcpu_placement, "static");
  if (def->iothreads == 0)
    def->iothreads = STASIS_UNSET;
  if (def->genid != NULL && *def->genid == '\0')
    {
      g_free (def->genid);
      def->genid = g_uuid_string_random ();
    }

  fill_boot (def);
  fill_loader (&def->os);
  fill_cpu (def);
  fill_features (&def->features);
  fill_clock (def);
  fill_lifecycle (def);
  stasis_domain_fill_device_defaults (def, flags);
  return fill_uuid (def, error) && fill_machine (def, context, flags, error)
         && stasis_domain_fill_interfaces (def, context, flags, error);
}
