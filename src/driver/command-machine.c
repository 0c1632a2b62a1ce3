/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command-machine.c: machine, accelerator, memory, CPUs' number, firmware, boot, power management
 */

#include "config.h"

#include "driver/command-private.h"

#include <inttypes.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#define KIB         1024
#define KIB_PER_MIB 1024

/* Flash that keeps variables goes with flash that does not. */
gboolean
stasis_command_has_nvram (const StasisOsDef *os)
{
  return os->loader != NULL && os->loader_type == STASIS_LOADER_PFLASH
         && os->loader_readonly != STASIS_TRISTATE_OFF
         && os->loader_stateless != STASIS_TRISTATE_ON;
}

static void
append_tristate (GString *options, const char *name, StasisTristate value)
{
  if (value != STASIS_TRISTATE_UNSET)
    stasis_args_append (options, name, stasis_on_off_names[value]);
}

static StasisTristate
timer_present (const StasisDomainDef *def, StasisTimerName name)
{
  for (guint i = 0; i < def->clock.timers->len; i++)
    {
      const StasisTimerDef *timer = def->clock.timers->pdata[i];
      if (timer->name == name)
        return timer->present;
    }
  return STASIS_TRISTATE_UNSET;
}

static void
append_firmware (GString *options, const StasisOsDef *os)
{
  if (os->loader == NULL || os->loader_type != STASIS_LOADER_PFLASH)
    return;

  stasis_args_append (options, "pflash0", "pflash0-format");
  if (stasis_command_has_nvram (os))
    stasis_args_append (options, "pflash1", "pflash1-format");
}

gboolean
stasis_args_add_machine (StasisArgs *args, GError **error)
{
  const StasisDomainDef *def = args->def;
  const StasisFeaturesDef *features = &def->features;
  const char *machine = stasis_qemu_caps_canonical_machine (args->caps, def->os.machine);
  if (machine == NULL)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("/domain/os/type/@machine: QEMU %1$s as installed has no machine '%2$s'"),
                   stasis_qemu_caps_version (args->caps), def->os.machine);
      return FALSE;
    }

  g_autoptr (GString) options = g_string_new (machine);
  g_string_append (options, ",usb=off");
  append_tristate (options, "vmport", features->vmport);
  append_tristate (options, "smm", features->smm);
  if (features->ioapic_driver != NULL)
    stasis_args_append (options, "kernel_irqchip",
                        g_str_equal (features->ioapic_driver, "qemu") ? "split" : "on");
  stasis_args_append (options, "dump-guest-core",
                      g_strcmp0 (def->dump_core, "on") == 0 ? "on" : "off");
  if (def->memory_backing.nosharepages)
    stasis_args_append (options, "mem-merge", "off");
  append_firmware (options, &def->os);
  stasis_args_append (options, "memory-backend", stasis_qemu_caps_ram_id (args->caps, machine));
  if (def->os.bios_useserial == STASIS_TRISTATE_ON)
    stasis_args_append (options, "graphics", "off");
  append_tristate (options, "hpet", timer_present (def, STASIS_TIMER_HPET));
  if (!features->acpi)
    stasis_args_append (options, "acpi", "off");
  stasis_args_add (args, "-machine", options->str);
  stasis_args_add (args, "-accel", args->is_kvm ? "kvm" : "tcg");
  return TRUE;
}

/* Memory with a file descriptor: what may be shared or made of huge pages.  A memfd serves
 * source='file' too, for the file that libvirt makes for it has no name that outlives it. */
static StasisJson *
make_memfd (const StasisMemoryBackingDef *backing)
{
  StasisJson *object = stasis_json_new_object ();
  stasis_json_set_string (object, "qom-type", "memory-backend-memfd");
  if (backing->hugepages)
    {
      stasis_json_set_boolean (object, "hugetlb", TRUE);
      const StasisHugepageDef *page = backing->pages->len > 0 ? backing->pages->pdata[0] : NULL;
      if (page != NULL && page->size != STASIS_UNSET)
        stasis_json_set_int (object, "hugetlbsize", page->size * KIB);
    }

  /* QEMU's default for a memfd is to share, for the rest it is not to. */
  const gboolean is_shared = backing->access == STASIS_MEMORY_ACCESS_SHARED
                             || (backing->access == STASIS_MEMORY_ACCESS_UNSET
                                 && backing->source == STASIS_MEMORY_SOURCE_MEMFD);
  stasis_json_set_boolean (object, "share", is_shared);

  /* Without this the block of RAM has another name in the stream than anonymous memory. */
  stasis_json_set_boolean (object, "x-use-canonical-path-for-ramblock-id", FALSE);
  return object;
}

/* TRUE where the definition leaves open what the guest's memory is made of. */
gboolean
stasis_command_ram_is_plain (const StasisDomainDef *def)
{
  const StasisMemoryBackingDef *backing = &def->memory_backing;
  return !backing->hugepages && backing->access == STASIS_MEMORY_ACCESS_UNSET
         && (backing->source == STASIS_MEMORY_SOURCE_UNSET
             || backing->source == STASIS_MEMORY_SOURCE_ANONYMOUS);
}

/* The same path for QEMU and for who watches what it opens. */
char *
stasis_command_ram_path (const StasisCommandRam *ram)
{
  return g_strdup_printf ("/proc/self/fd/%d", ram->fd);
}

/* What the guest writes stays its own.  Without rom=off read-only would hold for the guest, too:
 * where there is none, QEMU believes that it opens the file for writing. */
static StasisJson *
make_mapped (const StasisCommandRam *mapped)
{
  g_autofree char *path = stasis_command_ram_path (mapped);
  StasisJson *object = stasis_json_new_object ();
  stasis_json_set_string (object, "qom-type", STASIS_QEMU_FILE_MEMORY);
  stasis_json_set_string (object, "mem-path", path);
  if (!mapped->is_flat)
    stasis_json_set_uint (object, "offset", mapped->offset);
  stasis_json_set_boolean (object, "share", FALSE);
  stasis_json_set_boolean (object, "readonly", !mapped->is_flat);
  if (!mapped->is_flat)
    stasis_json_set_string (object, "rom", "off");
  stasis_json_set_boolean (object, "x-use-canonical-path-for-ramblock-id", FALSE);
  return object;
}

/* By its name in /proc: of memory that QEMU finds by a name another QEMU can have the same. */
static StasisJson *
make_shared (const StasisCommandRam *shared)
{
  g_autofree char *path = stasis_command_ram_path (shared);
  StasisJson *object = stasis_json_new_object ();
  stasis_json_set_string (object, "qom-type", STASIS_QEMU_FILE_MEMORY);
  stasis_json_set_string (object, "mem-path", path);
  stasis_json_set_boolean (object, "share", TRUE);
  stasis_json_set_boolean (object, "x-use-canonical-path-for-ramblock-id", FALSE);
  return object;
}

static StasisJson *
make_ram (const StasisArgs *args)
{
  if (args->host->mapped_ram != NULL)
    return make_mapped (args->host->mapped_ram);
  if (args->host->shared_ram != NULL)
    return make_shared (args->host->shared_ram);
  if (!stasis_command_ram_is_plain (args->def))
    return make_memfd (&args->def->memory_backing);

  StasisJson *object = stasis_json_new_object ();
  stasis_json_set_string (object, "qom-type", "memory-backend-ram");
  return object;
}

static void
add_smp (StasisArgs *args)
{
  const StasisDomainDef *def = args->def;
  const StasisCpuDef *cpu = &def->cpu;
  const gboolean has_topology = cpu->sockets != STASIS_UNSET;
  const gint64 current = stasis_domain_def_boot_vcpus (def);

  /* All numbers are spelled out: what QEMU would choose depends on the machine's version. */
  g_autoptr (GString) options = g_string_new (NULL);
  g_string_append_printf (options, "%" PRId64, current);
  if (current != def->vcpus)
    g_string_append_printf (options, ",maxcpus=%" PRId64, def->vcpus);
  g_string_append_printf (options, ",sockets=%" PRId64, has_topology ? cpu->sockets : def->vcpus);
  if (has_topology && cpu->dies != STASIS_UNSET)
    g_string_append_printf (options, ",dies=%" PRId64, cpu->dies);
  g_string_append_printf (options, ",cores=%" PRId64 ",threads=%" PRId64,
                          has_topology ? cpu->cores : 1, has_topology ? cpu->threads : 1);
  stasis_args_add (args, "-smp", options->str);
}

/* Octets of guest memory, rounded as libvirt does. */
gint64
stasis_command_ram_size (const StasisDomainDef *def)
{
  return (def->memory + KIB_PER_MIB - 1) / KIB_PER_MIB * KIB_PER_MIB * KIB;
}

/* RAM, CPUs, I/O threads, identity. */
gboolean
stasis_args_add_memory (StasisArgs *args, GError **error)
{
  const StasisDomainDef *def = args->def;
  const StasisMemoryBackingDef *backing = &def->memory_backing;
  const gint64 size = stasis_command_ram_size (def);

  StasisJson *ram = make_ram (args);
  stasis_json_set_string (ram, "id", stasis_qemu_caps_ram_id (args->caps, def->os.machine));
  if (g_strcmp0 (backing->allocation, "immediate") == 0)
    stasis_json_set_boolean (ram, "prealloc", TRUE);
  stasis_args_set_number (ram, "prealloc-threads", backing->allocation_threads);
  stasis_json_set_int (ram, "size", size);
  stasis_args_add_printf (args, "-m", "size=%" PRId64 "k", size / KIB);
  stasis_args_add_json (args, "-object", ram);
  if (backing->locked)
    stasis_args_add (args, "-overcommit", "mem-lock=on");
  add_smp (args);

  for (gint64 i = 1; i <= def->iothreads; i++)
    {
      g_autofree char *id = g_strdup_printf ("iothread%" PRId64, i);
      StasisJson *object = stasis_json_new_object ();
      stasis_json_set_string (object, "qom-type", "iothread");
      stasis_json_set_string (object, "id", id);
      stasis_args_add_json (args, "-object", object);
    }

  stasis_args_add (args, "-uuid", def->uuid);
  return TRUE;
}

static gboolean
add_blob (StasisArgs *args, const char *option, const char *key, GError **error)
{
  const StasisResource *resource = stasis_args_need (args, key, "", error);
  if (resource == NULL)
    return FALSE;
  stasis_args_add_printf (args, option, "/proc/self/fd/%d", resource->fd);
  return TRUE;
}

static gboolean
add_pflash (StasisArgs *args, GError **error)
{
  const StasisOsDef *os = &args->def->os;
  const StasisResource *loader = stasis_args_need (args, "loader", "", error);
  if (loader == NULL
      || !stasis_args_add_flash_nodes (args, "pflash0", loader, os->loader_format, error))
    return FALSE;
  if (os->loader_secure == STASIS_TRISTATE_ON)
    stasis_args_add (args, "-global", "driver=cfi.pflash01,property=secure,value=on");
  if (!stasis_command_has_nvram (os))
    return TRUE;

  const StasisResource *nvram = stasis_args_need (args, "nvram", "", error);
  return nvram != NULL
         && stasis_args_add_flash_nodes (args, "pflash1", nvram, os->nvram_format, error);
}

/* Flash or ROM.  Which firmware stands for firmware='efi' the driver has chosen before. */
gboolean
stasis_args_add_firmware (StasisArgs *args, GError **error)
{
  const StasisOsDef *os = &args->def->os;

  if (os->loader == NULL && os->firmware == STASIS_FIRMWARE_EFI)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("/domain/os/@firmware: no firmware has been chosen; name one in <loader>"));
      return FALSE;
    }
  if (os->loader == NULL)
    return TRUE;
  return os->loader_type == STASIS_LOADER_PFLASH ? add_pflash (args, error)
                                                 : add_blob (args, "-bios", "bios", error);
}

static void
add_boot_options (StasisArgs *args)
{
  const StasisOsDef *os = &args->def->os;

  g_autoptr (GString) options = g_string_new (NULL);
  append_tristate (options, "menu", os->bootmenu);
  if (os->bios_reboot_timeout != STASIS_UNSET)
    g_string_append_printf (options, "%sreboot-timeout=%" PRId64, options->len > 0 ? "," : "",
                            os->bios_reboot_timeout);
  if (os->bootmenu == STASIS_TRISTATE_ON && os->bootmenu_timeout != STASIS_UNSET)
    g_string_append_printf (options, "%ssplash-time=%" PRId64, options->len > 0 ? "," : "",
                            os->bootmenu_timeout);
  stasis_args_append (options, "strict", "on");
  stasis_args_add (args, "-boot", options->str);
}

static void
add_sleep_states (StasisArgs *args)
{
  const char *chip = args->is_q35 ? "ICH9-LPC" : "PIIX4_PM";
  const StasisTristate to_mem = args->def->pm_suspend_to_mem;
  const StasisTristate to_disk = args->def->pm_suspend_to_disk;

  if (to_mem != STASIS_TRISTATE_UNSET)
    stasis_args_add_printf (args, "-global", "%s.disable_s3=%d", chip,
                            to_mem == STASIS_TRISTATE_OFF);
  if (to_disk != STASIS_TRISTATE_UNSET)
    stasis_args_add_printf (args, "-global", "%s.disable_s4=%d", chip,
                            to_disk == STASIS_TRISTATE_OFF);
  if (args->is_q35) /* or the built-in watchdog could not reset the guest */
    stasis_args_add (args, "-global", "ICH9-LPC.noreboot=off");
}

/* Sleep states, boot menu, kernel. */
gboolean
stasis_args_add_boot (StasisArgs *args, GError **error)
{
  const StasisOsDef *os = &args->def->os;

  add_sleep_states (args);
  add_boot_options (args);
  if (os->kernel == NULL)
    return TRUE;
  if (!add_blob (args, "-kernel", "kernel", error)
      || (os->initrd != NULL && !add_blob (args, "-initrd", "initrd", error)))
    return FALSE;
  if (os->cmdline != NULL)
    stasis_args_add (args, "-append", os->cmdline);
  return TRUE;
}
