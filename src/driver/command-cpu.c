/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command-cpu.c: the CPU's model and features, paravirtual interfaces included
 */

#include "config.h"

#include "driver/command-private.h"

#include <inttypes.h>
#include <string.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

static gboolean
throw_unsupported (const char *place, const char *value, GError **error)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("/domain/cpu/%1$s: '%2$s' is not supported here"), place, value);
  return FALSE;
}

static void
append_on (GString *cpu, const char *name, StasisTristate value)
{
  if (value != STASIS_TRISTATE_UNSET)
    stasis_args_append (cpu, name, stasis_on_off_names[value]);
}

/* QEMU has no fixed name for "like the host's, but migratable" with software emulation: there the
 * most it can emulate is what the host model is. */
static gboolean
append_model (GString *cpu, const StasisArgs *args, GError **error)
{
  const StasisCpuDef *def = &args->def->cpu;

  switch (def->mode)
    {
    case STASIS_CPU_MODE_UNSET:
    case STASIS_CPU_MODE_CUSTOM:
      stasis_args_append (cpu, "", def->model != NULL ? def->model : "qemu64");
      return TRUE;
    case STASIS_CPU_MODE_HOST_MODEL:
      stasis_args_append (cpu, "", args->is_kvm ? "host" : "max");
      stasis_args_append (cpu, "migratable", "on");
      return TRUE;
    case STASIS_CPU_MODE_HOST_PASSTHROUGH:
      if (!args->is_kvm)
        return throw_unsupported ("@mode", "host-passthrough", error);
      stasis_args_append (cpu, "", "host");
      append_on (cpu, "migratable", def->migratable);
      return TRUE;
    case STASIS_CPU_MODE_MAXIMUM:
      stasis_args_append (cpu, "", "max");
      if (def->migratable == STASIS_TRISTATE_OFF)
        stasis_args_append (cpu, "migratable", "off");
      return TRUE;
    }
  return TRUE;
}

/* Bits that the guest's kernel sets, not the hypervisor; QEMU has no name for them. */
static gboolean
is_kernels_own (const char *feature)
{
  return strcmp (feature, "osxsave") == 0 || strcmp (feature, "ospke") == 0;
}

static void
append_features (GString *cpu, const StasisCpuDef *def)
{
  if (def->vendor_id != NULL)
    stasis_args_append (cpu, "vendor", def->vendor_id);

  for (guint i = 0; i < def->features->len; i++)
    {
      const StasisCpuFeatureDef *feature = def->features->pdata[i];
      if (is_kernels_own (feature->name))
        continue;
      const gboolean is_off = feature->policy == STASIS_CPU_POLICY_DISABLE
                              || feature->policy == STASIS_CPU_POLICY_FORBID;
      g_autofree char *name = g_strdelimit (g_strdup (feature->name), "_", '-');
      stasis_args_append (cpu, name, is_off ? "off" : "on");
    }
}

static gboolean
append_timers (GString *cpu, const StasisDomainDef *def, GError **error)
{
  for (guint i = 0; i < def->clock.timers->len; i++)
    {
      const StasisTimerDef *timer = def->clock.timers->pdata[i];

      if (timer->name == STASIS_TIMER_KVMCLOCK)
        append_on (cpu, "kvmclock", timer->present);
      else if (timer->name == STASIS_TIMER_HYPERVCLOCK && timer->present == STASIS_TRISTATE_ON)
        stasis_args_append (cpu, "hv-time", "on");
      else if (timer->name == STASIS_TIMER_TSC && timer->mode != NULL
               && strcmp (timer->mode, "auto") != 0)
        {
          g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                       _ ("/domain/clock/timer[%1$u]/@mode: '%2$s' is not supported here"), i + 1,
                       timer->mode);
          return FALSE;
        }
      else if (timer->name == STASIS_TIMER_TSC && timer->frequency > 0)
        g_string_append_printf (cpu, ",tsc-frequency=%" PRId64, timer->frequency);
    }
  return TRUE;
}

static void
append_hyperv (GString *cpu, const StasisFeaturesDef *features)
{
  const struct
  {
    const char *name;
    StasisTristate value;
  } simple[] = {
    { "hv-vpindex", features->hyperv_vpindex },
    { "hv-runtime", features->hyperv_runtime },
    { "hv-synic", features->hyperv_synic },
    { "hv-stimer", features->hyperv_stimer },
    { "hv-stimer-direct", features->hyperv_stimer_direct },
    { "hv-reset", features->hyperv_reset },
    { "hv-frequencies", features->hyperv_frequencies },
    { "hv-reenlightenment", features->hyperv_reenlightenment },
    { "hv-tlbflush", features->hyperv_tlbflush },
    { "hv-ipi", features->hyperv_ipi },
    { "hv-evmcs", features->hyperv_evmcs },
    { "hv-avic", features->hyperv_avic },
  };

  if (g_strcmp0 (features->hyperv_mode, "passthrough") == 0)
    stasis_args_append (cpu, "hv-passthrough", "on");
  if (features->hyperv_relaxed == STASIS_TRISTATE_ON)
    stasis_args_append (cpu, "hv-relaxed", "on");
  if (features->hyperv_vapic == STASIS_TRISTATE_ON)
    stasis_args_append (cpu, "hv-vapic", "on");
  if (features->hyperv_spinlocks == STASIS_TRISTATE_ON)
    g_string_append_printf (cpu, ",hv-spinlocks=0x%" PRIx64, MAX (0, features->hyperv_retries));
  for (gsize i = 0; i < G_N_ELEMENTS (simple); i++)
    if (simple[i].value == STASIS_TRISTATE_ON)
      stasis_args_append (cpu, simple[i].name, "on");
  if (features->hyperv_vendor_id == STASIS_TRISTATE_ON && features->hyperv_vendor_value != NULL)
    stasis_args_append (cpu, "hv-vendor-id", features->hyperv_vendor_value);
}

static gboolean
has_hyperv_panic (const StasisDomainDef *def)
{
  for (guint i = 0; i < def->panics->len; i++)
    if (((StasisPanicDef *) def->panics->pdata[i])->model == STASIS_PANIC_HYPERV)
      return TRUE;
  return FALSE;
}

static void
append_kvm (GString *cpu, const StasisDomainDef *def)
{
  const StasisFeaturesDef *features = &def->features;

  if (has_hyperv_panic (def))
    stasis_args_append (cpu, "hv-crash", "on");
  if (features->kvm_hidden == STASIS_TRISTATE_ON)
    stasis_args_append (cpu, "kvm", "off");
  if (features->kvm_hint_dedicated == STASIS_TRISTATE_ON)
    stasis_args_append (cpu, "kvm-hint-dedicated", "on");
  if (features->kvm_poll_control == STASIS_TRISTATE_ON)
    stasis_args_append (cpu, "kvm-poll-control", "on");
  append_on (cpu, "pmu", features->pmu);
}

static gboolean
append_cache (GString *cpu, const StasisCpuDef *def, GError **error)
{
  const char *mode = def->cache_mode;
  if (mode == NULL)
    return TRUE;

  const gboolean is_passthrough = strcmp (mode, "passthrough") == 0;
  const gboolean is_disabled = strcmp (mode, "disable") == 0;
  if (is_passthrough && def->mode != STASIS_CPU_MODE_HOST_PASSTHROUGH
      && def->mode != STASIS_CPU_MODE_MAXIMUM)
    return throw_unsupported ("cache/@mode", mode, error);
  if (!is_passthrough && !is_disabled && def->cache_level != 3 && def->cache_level != STASIS_UNSET)
    return throw_unsupported ("cache/@level", "1, 2", error);

  if (is_passthrough)
    stasis_args_append (cpu, "host-cache-info", "on");
  else if (is_disabled)
    stasis_args_append (cpu, "host-cache-info", "off");
  stasis_args_append (cpu, "l3-cache", is_passthrough || is_disabled ? "off" : "on");
  return TRUE;
}

static void
append_address_size (GString *cpu, const StasisCpuDef *def)
{
  if (def->maxphysaddr_mode == NULL)
    return;

  const gboolean is_passthrough = strcmp (def->maxphysaddr_mode, "passthrough") == 0;
  if (is_passthrough)
    stasis_args_append (cpu, "host-phys-bits", "on");
  if (def->maxphysaddr_bits != STASIS_UNSET)
    g_string_append_printf (cpu, ",%s=%" PRId64,
                            is_passthrough ? "host-phys-bits-limit" : "phys-bits",
                            def->maxphysaddr_bits);
}

gboolean
stasis_args_add_cpu (StasisArgs *args, GError **error)
{
  const StasisDomainDef *def = args->def;
  if (g_strcmp0 (def->cpu.match, "minimum") == 0)
    return throw_unsupported ("@match", def->cpu.match, error);

  g_autoptr (GString) cpu = g_string_new (NULL);
  if (!append_model (cpu, args, error))
    return FALSE;
  append_features (cpu, &def->cpu);
  if (!append_timers (cpu, def, error))
    return FALSE;
  append_on (cpu, "kvm-pv-eoi", def->features.apic_eoi);
  append_on (cpu, "kvm-pv-unhalt", def->features.pvspinlock);
  append_hyperv (cpu, &def->features);
  append_kvm (cpu, def);
  if (!append_cache (cpu, &def->cpu, error))
    return FALSE;
  append_address_size (cpu, &def->cpu);
  stasis_args_add (args, "-cpu", cpu->str);
  return TRUE;
}
