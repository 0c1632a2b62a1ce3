/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-validate.c: refuse definitions that contradict themselves; the domain as a whole
 */

#include "config.h"

#include "conf/domain-internal.h"

#include <glib/gi18n-lib.h>
#include <inttypes.h>
#include <string.h>

#define NAME_MAX_OCTETS 128u
#define VCPUS_MAX       1024
#define IOTHREADS_MAX   256
#define MEMORY_MAX      (G_GINT64_CONSTANT (1) << 42) /* KiB: 4 PiB */

/* What a terminal obeys instead of showing it: control characters, and formatting ones such as
 * those that turn the direction of writing round. */
static gboolean
is_invisible (gunichar c)
{
  switch (g_unichar_type (c))
    {
    case G_UNICODE_CONTROL:
    case G_UNICODE_FORMAT:
    case G_UNICODE_LINE_SEPARATOR:
    case G_UNICODE_PARAGRAPH_SEPARATOR:
      return TRUE;
    default:
      return FALSE;
    }
}

static gboolean
validate_name (const char *name, GError **error)
{
  if (name == NULL || *name == '\0')
    return stasis_conf_invalid (error, _ ("/domain/name: the domain needs a name"));
  if (strlen (name) > NAME_MAX_OCTETS)
    return stasis_conf_invalid (error, _ ("/domain/name: longer than %1$u octets"),
                                NAME_MAX_OCTETS);
  if (strchr (name, '/') != NULL || strcmp (name, ".") == 0 || strcmp (name, "..") == 0)
    return stasis_conf_invalid (error, _ ("/domain/name: '%1$s' cannot be part of a file name"),
                                name);
  for (const char *p = name; *p != '\0'; p = g_utf8_next_char (p))
    if (is_invisible (g_utf8_get_char (p)))
      return stasis_conf_invalid (
          error, _ ("/domain/name: control and formatting characters are not allowed (U+%1$04X)"),
          g_utf8_get_char (p));
  if (strspn (name, " ") == strlen (name))
    return stasis_conf_invalid (error, _ ("/domain/name: nothing but blanks"));
  return TRUE;
}

static gboolean
validate_memory (const StasisDomainDef *def, GError **error)
{
  if (def->memory <= 0)
    return stasis_conf_invalid (error, _ ("/domain/memory: the domain needs memory"));
  if (def->memory > MEMORY_MAX)
    return stasis_conf_invalid (error, _ ("/domain/memory: more than %1$" PRId64 " KiB"),
                                MEMORY_MAX);
  if (def->current_memory > def->memory)
    return stasis_conf_invalid (error,
                                _ ("/domain/currentMemory: %1$" PRId64
                                   " KiB is more than the maximum of %2$" PRId64 " KiB"),
                                def->current_memory, def->memory);

  const StasisMemoryBackingDef *backing = &def->memory_backing;
  if (backing->hugepages && backing->source == STASIS_MEMORY_SOURCE_ANONYMOUS)
    return stasis_conf_invalid (
        error, _ ("/domain/memoryBacking: huge pages and anonymous memory exclude each other"));
  if (backing->pages->len > 1)
    return stasis_conf_unsupported (
        error, _ ("/domain/memoryBacking/hugepages/page[2]: one page size only (no NUMA)"));
  return TRUE;
}

/* The product of four factors that come from outside. */
static gboolean
topology_matches (const StasisCpuDef *cpu, gint64 vcpus)
{
  const gint64 factors[]
      = { cpu->sockets, cpu->dies == STASIS_UNSET ? 1 : cpu->dies,
          cpu->clusters == STASIS_UNSET ? 1 : cpu->clusters, cpu->cores, cpu->threads };
  gint64 product = 1;
  for (gsize i = 0; i < G_N_ELEMENTS (factors); i++)
    {
      if (factors[i] <= 0 || factors[i] > VCPUS_MAX)
        return FALSE;
      product *= factors[i];
      if (product > VCPUS_MAX)
        return FALSE;
    }
  return product == vcpus;
}

static gboolean
validate_vcpus (const StasisDomainDef *def, GError **error)
{
  const StasisCpuDef *cpu = &def->cpu;

  if (def->vcpus < 1 || def->vcpus > VCPUS_MAX)
    return stasis_conf_invalid (error, _ ("/domain/vcpu: %1$" PRId64 " is not between 1 and %2$d"),
                                def->vcpus, VCPUS_MAX);
  if (def->current_vcpus != STASIS_UNSET
      && (def->current_vcpus < 1 || def->current_vcpus > def->vcpus))
    return stasis_conf_invalid (
        error,
        _ ("/domain/vcpu/@current: %1$" PRId64 " is not between 1 and the maximum of %2$" PRId64),
        def->current_vcpus, def->vcpus);
  const gboolean has_topology = cpu->sockets != STASIS_UNSET || cpu->cores != STASIS_UNSET
                                || cpu->threads != STASIS_UNSET || cpu->dies != STASIS_UNSET
                                || cpu->clusters != STASIS_UNSET;
  if (has_topology && !topology_matches (cpu, def->vcpus))
    return stasis_conf_invalid (
        error,
        _ ("/domain/cpu/topology: sockets, dies, clusters, cores and threads do not multiply to "
           "%1$" PRId64 " vcpus"),
        def->vcpus);
  if (cpu->clusters > 1)
    return stasis_conf_unsupported (error,
                                    _ ("/domain/cpu/topology/@clusters: x86 has no clusters"));
  if (def->iothreads != STASIS_UNSET && def->iothreads > IOTHREADS_MAX)
    return stasis_conf_invalid (error, _ ("/domain/iothreads: more than %1$d"), IOTHREADS_MAX);
  return TRUE;
}

static gboolean
validate_firmware (const StasisOsDef *os, GError **error)
{
  const gboolean is_flash = os->loader_type == STASIS_LOADER_PFLASH;

  if (os->loader == NULL && os->firmware != STASIS_FIRMWARE_EFI
      && (os->nvram != NULL || os->nvram_template != NULL))
    return stasis_conf_invalid (error, _ ("/domain/os/nvram: there is no firmware to use it"));
  if (os->loader != NULL && !g_path_is_absolute (os->loader))
    return stasis_conf_invalid (error, _ ("/domain/os/loader: '%1$s' is not an absolute path"),
                                os->loader);
  if (os->nvram != NULL && !g_path_is_absolute (os->nvram))
    return stasis_conf_invalid (error, _ ("/domain/os/nvram: '%1$s' is not an absolute path"),
                                os->nvram);
  if (os->loader != NULL && !is_flash && (os->nvram != NULL || os->nvram_template != NULL))
    return stasis_conf_invalid (
        error, _ ("/domain/os/nvram: only a loader of type 'pflash' keeps variables"));
  if (os->loader_stateless == STASIS_TRISTATE_ON && os->nvram != NULL)
    return stasis_conf_invalid (error, _ ("/domain/os/nvram: the loader is stateless"));
  if (os->firmware == STASIS_FIRMWARE_BIOS && os->loader != NULL && is_flash)
    return stasis_conf_invalid (error,
                                _ ("/domain/os/@firmware: 'bios' with a loader of type 'pflash'"));
  return TRUE;
}

static gboolean
validate_os (const StasisDomainDef *def, GError **error)
{
  const StasisOsDef *os = &def->os;

  if (strcmp (os->type, "hvm") != 0)
    return stasis_conf_unsupported (error, _ ("/domain/os/type: '%1$s' is not supported"),
                                    os->type);
  if (strcmp (os->arch, "x86_64") != 0)
    return stasis_conf_unsupported (error, _ ("/domain/os/type/@arch: '%1$s' is not supported"),
                                    os->arch);
  const gboolean is_i440fx
      = strcmp (os->machine, "pc") == 0 || g_str_has_prefix (os->machine, "pc-i440fx-");
  if (!is_i440fx && !stasis_domain_def_is_q35 (def))
    return stasis_conf_unsupported (error, _ ("/domain/os/type/@machine: '%1$s' is not supported"),
                                    os->machine);
  if (os->kernel == NULL && (os->initrd != NULL || os->cmdline != NULL))
    return stasis_conf_invalid (error,
                                _ ("/domain/os: an initrd or a command line, but no kernel"));
  if (os->kernel != NULL && !g_path_is_absolute (os->kernel))
    return stasis_conf_invalid (error, _ ("/domain/os/kernel: '%1$s' is not an absolute path"),
                                os->kernel);
  if (os->initrd != NULL && !g_path_is_absolute (os->initrd))
    return stasis_conf_invalid (error, _ ("/domain/os/initrd: '%1$s' is not an absolute path"),
                                os->initrd);
  for (guint i = 0; i < os->boots->len; i++)
    if (((StasisBootDef *) os->boots->pdata[i])->device == STASIS_BOOT_UNSET)
      return stasis_conf_invalid (error, _ ("/domain/os/boot[%1$u]: 'dev' is missing"), i + 1);
  return validate_firmware (os, error);
}

static gboolean
validate_cpu (const StasisCpuDef *cpu, GError **error)
{
  if (cpu->mode != STASIS_CPU_MODE_CUSTOM && cpu->model != NULL
      && cpu->mode != STASIS_CPU_MODE_HOST_MODEL)
    return stasis_conf_invalid (error, _ ("/domain/cpu/model: a model needs mode='custom'"));
  for (guint i = 0; i < cpu->features->len; i++)
    if (((StasisCpuFeatureDef *) cpu->features->pdata[i])->name == NULL)
      return stasis_conf_invalid (error, _ ("/domain/cpu/feature[%1$u]: 'name' is missing"), i + 1);
  return TRUE;
}

static gboolean
is_signed_number (const char *text)
{
  gint64 value = 0;
  return text == NULL
         || g_ascii_string_to_signed (text, 10, G_MININT64 / 4, G_MAXINT64 / 4, &value, NULL);
}

static gboolean
validate_clock (const StasisClockDef *clock, GError **error)
{
  const gboolean is_reset = g_strcmp0 (clock->adjustment, "reset") == 0;
  if (!is_reset && !is_signed_number (clock->adjustment))
    return stasis_conf_invalid (error, _ ("/domain/clock/@adjustment: '%1$s' is not a number"),
                                clock->adjustment);
  if (clock->offset == STASIS_CLOCK_ABSOLUTE
      && (clock->start == NULL || !is_signed_number (clock->start)))
    return stasis_conf_invalid (error, _ ("/domain/clock/@start: seconds since 1970 are needed"));
  if (clock->offset == STASIS_CLOCK_TIMEZONE && clock->timezone == NULL)
    return stasis_conf_invalid (error, _ ("/domain/clock/@timezone: missing"));
  for (guint i = 0; i < clock->timers->len; i++)
    if (((StasisTimerDef *) clock->timers->pdata[i])->name == STASIS_TIMER_UNSET)
      return stasis_conf_invalid (error, _ ("/domain/clock/timer[%1$u]: 'name' is missing"), i + 1);
  return TRUE;
}

/* Attributes whose words matter to the host only are plain strings in the structs. */
static gboolean
validate_words (const StasisDomainDef *def, GError **error)
{
  const struct
  {
    const char *value;
    const char *path;
    const char *words;
  } checks[] = {
    { def->dump_core, "/domain/memory/@dumpCore", "on off" },
    { def->vcpu_placement, "/domain/vcpu/@placement", "static" },
    { def->os.smbios_mode, "/domain/os/smbios/@mode", "emulate" },
    { def->features.hyperv_mode, "/domain/features/hyperv/@mode", "custom passthrough" },
    { def->features.ioapic_driver, "/domain/features/ioapic/@driver", "kvm qemu" },
    { def->cpu.match, "/domain/cpu/@match", "minimum exact strict" },
    { def->cpu.check, "/domain/cpu/@check", "none partial full" },
    { def->cpu.fallback, "/domain/cpu/model/@fallback", "allow forbid" },
    { def->cpu.cache_mode, "/domain/cpu/cache/@mode", "emulate passthrough disable" },
    { def->cpu.maxphysaddr_mode, "/domain/cpu/maxphysaddr/@mode", "passthrough emulate" },
    { def->clock.basis, "/domain/clock/@basis", "utc localtime" },
    { def->memory_backing.allocation, "/domain/memoryBacking/allocation/@mode",
      "immediate ondemand" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (checks); i++)
    if (!stasis_conf_check_word (checks[i].value, checks[i].path, checks[i].words, error))
      return FALSE;
  return TRUE;
}

gboolean
stasis_conf_check_word (const char *value, const char *path, const char *words, GError **error)
{
  if (value == NULL)
    return TRUE;

  g_auto (GStrv) known = g_strsplit (words, " ", -1);
  if (g_strv_contains ((const char *const *) known, value))
    return TRUE;
  g_autofree char *list = g_strjoinv (", ", known);
  return stasis_conf_unsupported (error, _ ("%1$s: '%2$s' is not supported (known: %3$s)"), path,
                                  value, list);
}

static gboolean
validate_qemu_commandline (const StasisDomainDef *def, GError **error)
{
  for (guint i = 0; i < def->qemu_args->len; i++)
    if (((StasisQemuArgDef *) def->qemu_args->pdata[i])->value == NULL)
      return stasis_conf_invalid (error, _ ("/domain/qemu:commandline/qemu:arg[%1$u]: no value"),
                                  i + 1);
  for (guint i = 0; i < def->qemu_envs->len; i++)
    {
      const StasisQemuEnvDef *env = def->qemu_envs->pdata[i];
      if (env->name == NULL || *env->name == '\0' || strchr (env->name, '=') != NULL)
        return stasis_conf_invalid (error, _ ("/domain/qemu:commandline/qemu:env[%1$u]: no name"),
                                    i + 1);
    }
  return TRUE;
}

gboolean
stasis_domain_validate (const StasisDomainDef *def, GError **error)
{
  if (def->type == STASIS_DOMAIN_TYPE_UNSET)
    return stasis_conf_invalid (error, _ ("/domain/@type: missing"));

  return validate_name (def->name, error) && validate_memory (def, error)
         && validate_vcpus (def, error) && stasis_domain_validate_vcpu_list (def, error)
         && validate_os (def, error) && validate_cpu (&def->cpu, error)
         && validate_clock (&def->clock, error) && validate_words (def, error)
         && validate_qemu_commandline (def, error) && stasis_domain_validate_disks (def, error)
         && stasis_domain_validate_chardevs (def, error)
         && stasis_domain_validate_devices (def, error);
}
