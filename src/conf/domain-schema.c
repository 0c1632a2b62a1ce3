/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-schema.c: the tables of <domain> itself; its devices are in files of their own
 *
 * The order is the order of printing, which is libvirt's.
 */

#include "config.h"

#include "conf/domain-schema.h"

#include "conf/domain-def.h"

#define F(...) STASIS_FIELD (__VA_ARGS__)
#define HOST   .flags = STASIS_FIELD_HOST
#define YES_NO .names = stasis_yes_no_names
#define ON_OFF .names = stasis_on_off_names

#define T StasisBootDef
static const StasisField boot_fields[] = {
  F (ENUM, "@dev", device, .names = stasis_boot_device_names, HOST),
};
static const StasisSchema boot_schema = STASIS_SCHEMA (boot_fields);
#undef T

#define T StasisFirmwareFeatureDef
static const StasisField firmware_feature_fields[] = {
  F (ENUM, "@enabled", enabled, YES_NO, HOST),
  F (STRING, "@name", name, HOST),
};
static const StasisSchema firmware_feature_schema = STASIS_SCHEMA (firmware_feature_fields);
#undef T

#define T StasisOsDef
static const StasisField os_fields[] = {
  F (ENUM, "@firmware", firmware, .names = stasis_firmware_names, HOST),
  F (STRING, "type@arch", arch),
  F (STRING, "type@machine", machine),
  F (STRING, "type", type),
  F (LIST, "firmware/feature", firmware_features, .schema = &firmware_feature_schema, HOST),
  F (ENUM, "loader@readonly", loader_readonly, YES_NO),
  F (ENUM, "loader@secure", loader_secure, YES_NO),
  F (ENUM, "loader@type", loader_type, .names = stasis_loader_type_names),
  F (ENUM, "loader@stateless", loader_stateless, YES_NO),
  F (ENUM, "loader@format", loader_format, .names = stasis_disk_format_names, HOST),
  F (STRING, "loader", loader, HOST),
  F (STRING, "nvram@template", nvram_template, HOST),
  F (ENUM, "nvram@templateFormat", nvram_template_format, .names = stasis_disk_format_names, HOST),
  F (ENUM, "nvram@format", nvram_format, .names = stasis_disk_format_names, HOST),
  F (STRING, "nvram", nvram, HOST),
  F (STRING, "kernel", kernel, HOST),
  F (STRING, "initrd", initrd, HOST),
  F (STRING, "cmdline", cmdline, HOST),
  F (LIST, "boot", boots, .schema = &boot_schema, HOST),
  F (ENUM, "bootmenu@enable", bootmenu, YES_NO, HOST),
  F (INT, "bootmenu@timeout", bootmenu_timeout, HOST),
  F (ENUM, "bios@useserial", bios_useserial, YES_NO),
  F (INT, "bios@rebootTimeout", bios_reboot_timeout,
     .flags = STASIS_FIELD_HOST | STASIS_FIELD_MINUS_ONE),
  F (STRING, "smbios@mode", smbios_mode),
};
static const StasisSchema os_schema = STASIS_SCHEMA (os_fields);
#undef T

#define T StasisFeaturesDef
static const StasisField features_fields[] = {
  F (FLAG, "acpi", acpi),
  F (FLAG, "apic", apic),
  F (ENUM, "apic@eoi", apic_eoi, ON_OFF),
  F (FLAG, "pae", pae),
  F (FLAG, "hap", hap, HOST),
  F (STRING, "hyperv@mode", hyperv_mode),
  F (ENUM, "hyperv/relaxed@state", hyperv_relaxed, ON_OFF),
  F (ENUM, "hyperv/vapic@state", hyperv_vapic, ON_OFF),
  F (ENUM, "hyperv/spinlocks@state", hyperv_spinlocks, ON_OFF),
  F (INT, "hyperv/spinlocks@retries", hyperv_retries),
  F (ENUM, "hyperv/vpindex@state", hyperv_vpindex, ON_OFF),
  F (ENUM, "hyperv/runtime@state", hyperv_runtime, ON_OFF),
  F (ENUM, "hyperv/synic@state", hyperv_synic, ON_OFF),
  F (ENUM, "hyperv/stimer@state", hyperv_stimer, ON_OFF),
  F (ENUM, "hyperv/stimer/direct@state", hyperv_stimer_direct, ON_OFF),
  F (ENUM, "hyperv/reset@state", hyperv_reset, ON_OFF),
  F (ENUM, "hyperv/vendor_id@state", hyperv_vendor_id, ON_OFF),
  F (STRING, "hyperv/vendor_id@value", hyperv_vendor_value),
  F (ENUM, "hyperv/frequencies@state", hyperv_frequencies, ON_OFF),
  F (ENUM, "hyperv/reenlightenment@state", hyperv_reenlightenment, ON_OFF),
  F (ENUM, "hyperv/tlbflush@state", hyperv_tlbflush, ON_OFF),
  F (ENUM, "hyperv/ipi@state", hyperv_ipi, ON_OFF),
  F (ENUM, "hyperv/evmcs@state", hyperv_evmcs, ON_OFF),
  F (ENUM, "hyperv/avic@state", hyperv_avic, ON_OFF),
  F (ENUM, "kvm/hidden@state", kvm_hidden, ON_OFF),
  F (ENUM, "kvm/hint-dedicated@state", kvm_hint_dedicated, ON_OFF),
  F (ENUM, "kvm/poll-control@state", kvm_poll_control, ON_OFF),
  F (ENUM, "pvspinlock@state", pvspinlock, ON_OFF),
  F (ENUM, "pmu@state", pmu, ON_OFF),
  F (ENUM, "vmport@state", vmport, ON_OFF),
  F (ENUM, "smm@state", smm, ON_OFF),
  F (STRING, "ioapic@driver", ioapic_driver),
};
static const StasisSchema features_schema = STASIS_SCHEMA (features_fields);
#undef T

#define T StasisCpuFeatureDef
static const StasisField cpu_feature_fields[] = {
  F (ENUM, "@policy", policy, .names = stasis_cpu_policy_names),
  F (STRING, "@name", name),
};
static const StasisSchema cpu_feature_schema = STASIS_SCHEMA (cpu_feature_fields);
#undef T

#define T StasisCpuDef
static const StasisField cpu_fields[] = {
  F (ENUM, "@mode", mode, .names = stasis_cpu_mode_names),
  F (STRING, "@match", match),
  F (STRING, "@check", check, HOST),
  F (ENUM, "@migratable", migratable, ON_OFF),
  F (STRING, "model@fallback", fallback, HOST),
  F (STRING, "model@vendor_id", vendor_id),
  F (STRING, "model", model),
  F (STRING, "vendor", vendor),
  F (INT, "topology@sockets", sockets),
  F (INT, "topology@dies", dies),
  F (INT, "topology@clusters", clusters),
  F (INT, "topology@cores", cores),
  F (INT, "topology@threads", threads),
  F (INT, "cache@level", cache_level),
  F (STRING, "cache@mode", cache_mode),
  F (STRING, "maxphysaddr@mode", maxphysaddr_mode),
  F (INT, "maxphysaddr@bits", maxphysaddr_bits),
  F (LIST, "feature", features, .schema = &cpu_feature_schema),
};
static const StasisSchema cpu_schema = STASIS_SCHEMA (cpu_fields);
#undef T

#define T StasisTimerDef
static const StasisField timer_fields[] = {
  F (ENUM, "@name", name, .names = stasis_timer_names),
  F (ENUM, "@present", present, YES_NO),
  F (ENUM, "@tickpolicy", tickpolicy, .names = stasis_tick_policy_names),
  F (STRING, "@track", track),
  F (INT, "@frequency", frequency),
  F (STRING, "@mode", mode),
  F (INT, "catchup@threshold", catchup_threshold),
  F (INT, "catchup@slew", catchup_slew),
  F (INT, "catchup@limit", catchup_limit),
};
static const StasisSchema timer_schema = STASIS_SCHEMA (timer_fields);
#undef T

#define T StasisClockDef
static const StasisField clock_fields[] = {
  F (ENUM, "@offset", offset, .names = stasis_clock_offset_names, HOST),
  F (STRING, "@adjustment", adjustment, HOST),
  F (STRING, "@basis", basis, HOST),
  F (STRING, "@timezone", timezone, HOST),
  F (STRING, "@start", start, HOST),
  F (LIST, "timer", timers, .schema = &timer_schema),
};
static const StasisSchema clock_schema = STASIS_SCHEMA (clock_fields);
#undef T

#define T StasisHugepageDef
static const StasisField hugepage_fields[] = {
  F (SIZE, "@size", size, HOST),
};
static const StasisSchema hugepage_schema = STASIS_SCHEMA (hugepage_fields);
#undef T

#define T StasisMemoryBackingDef
static const StasisField memory_backing_fields[] = {
  F (FLAG, "hugepages", hugepages, HOST),
  F (LIST, "hugepages/page", pages, .schema = &hugepage_schema, HOST),
  F (FLAG, "nosharepages", nosharepages, HOST),
  F (FLAG, "locked", locked, HOST),
  F (ENUM, "source@type", source, .names = stasis_memory_source_names, HOST),
  F (ENUM, "access@mode", access, .names = stasis_memory_access_names, HOST),
  F (STRING, "allocation@mode", allocation, HOST),
  F (INT, "allocation@threads", allocation_threads, HOST),
  F (FLAG, "discard", discard, HOST),
};
static const StasisSchema memory_backing_schema = STASIS_SCHEMA (memory_backing_fields);
#undef T

#define T StasisVcpuDef
static const StasisField vcpu_fields[] = {
  F (INT, "@id", id),
  F (ENUM, "@enabled", enabled, .names = stasis_yes_no_names),
  F (ENUM, "@hotpluggable", hotpluggable, .names = stasis_yes_no_names),
  F (INT, "@order", order, HOST),
};
const StasisSchema stasis_vcpu_schema = STASIS_SCHEMA (vcpu_fields);
#undef T

#define T StasisQemuArgDef
static const StasisField qemu_arg_fields[] = {
  F (STRING, "@value", value),
};
static const StasisSchema qemu_arg_schema = STASIS_SCHEMA (qemu_arg_fields);
#undef T

#define T StasisQemuEnvDef
static const StasisField qemu_env_fields[] = {
  F (STRING, "@name", name),
  F (STRING, "@value", value),
};
static const StasisSchema qemu_env_schema = STASIS_SCHEMA (qemu_env_fields);
#undef T

#define T StasisDomainDef
static const StasisField domain_fields[] = {
  F (ENUM, "@type", type, .names = stasis_domain_type_names),
  F (INT, "@id", id, .flags = STASIS_FIELD_RUNTIME),
  F (STRING, "name", name, HOST),
  F (STRING, "uuid", uuid),
  F (STRING, "genid", genid, HOST),
  F (STRING, "title", title, HOST),
  F (STRING, "description", description, HOST),
  F (XML, "metadata", metadata, HOST),
  F (STRING, "memory@dumpCore", dump_core, HOST),
  F (SIZE, "memory", memory),
  F (SIZE, "currentMemory", current_memory, HOST),
  F (XML, "blkiotune", blkiotune, HOST),
  F (XML, "memtune", memtune, HOST),
  F (STRUCT, "memoryBacking", memory_backing, .schema = &memory_backing_schema),
  F (STRING, "vcpu@placement", vcpu_placement, HOST),
  F (STRING, "vcpu@cpuset", vcpu_cpuset, HOST),
  F (INT, "vcpu@current", current_vcpus),
  F (INT, "vcpu", vcpus),
  F (LIST, "vcpus/vcpu", vcpu_list, .schema = &stasis_vcpu_schema),
  F (INT, "iothreads", iothreads, HOST),
  F (XML, "iothreadids", iothreadids, HOST),
  F (XML, "cputune", cputune, HOST),
  F (XML, "resource", resource, HOST),
  F (STRUCT, "os", os, .schema = &os_schema),
  F (STRUCT, "features", features, .schema = &features_schema),
  F (STRUCT, "cpu", cpu, .schema = &cpu_schema),
  F (STRUCT, "clock", clock, .schema = &clock_schema),
  F (ENUM, "on_poweroff", on_poweroff, .names = stasis_lifecycle_action_names, HOST),
  F (ENUM, "on_reboot", on_reboot, .names = stasis_lifecycle_action_names, HOST),
  F (ENUM, "on_crash", on_crash, .names = stasis_lifecycle_action_names, HOST),
  F (ENUM, "pm/suspend-to-mem@enabled", pm_suspend_to_mem, YES_NO),
  F (ENUM, "pm/suspend-to-disk@enabled", pm_suspend_to_disk, YES_NO),
  F (STRING, "devices/emulator", emulator, HOST),
  F (LIST, "devices/disk", disks, .schema = &stasis_disk_schema),
  F (LIST, "devices/controller", controllers, .schema = &stasis_controller_schema),
  F (LIST, "devices/interface", interfaces, .schema = &stasis_interface_schema),
  F (LIST, "devices/serial", serials, .schema = &stasis_serial_schema),
  F (LIST, "devices/parallel", parallels, .schema = &stasis_serial_schema),
  F (LIST, "devices/console", consoles, .schema = &stasis_console_schema),
  F (LIST, "devices/channel", channels, .schema = &stasis_channel_schema),
  F (LIST, "devices/input", inputs, .schema = &stasis_input_schema),
  F (LIST, "devices/graphics", graphics, .schema = &stasis_graphics_schema, HOST),
  F (LIST, "devices/sound", sounds, .schema = &stasis_sound_schema),
  F (LIST, "devices/audio", audios, .schema = &stasis_audio_schema, HOST),
  F (LIST, "devices/video", videos, .schema = &stasis_video_schema),
  F (LIST, "devices/redirdev", redirdevs, .schema = &stasis_redirdev_schema),
  F (LIST, "devices/hub", hubs, .schema = &stasis_hub_schema),
  F (LIST, "devices/watchdog", watchdogs, .schema = &stasis_watchdog_schema),
  F (LIST, "devices/memballoon", balloons, .schema = &stasis_balloon_schema),
  F (LIST, "devices/rng", rngs, .schema = &stasis_rng_schema),
  F (LIST, "devices/panic", panics, .schema = &stasis_panic_schema),
  F (XML, "seclabel", seclabels, .flags = STASIS_FIELD_HOST | STASIS_FIELD_MULTIPLE),
  F (LIST, "qemu:commandline/qemu:arg", qemu_args, .schema = &qemu_arg_schema),
  F (LIST, "qemu:commandline/qemu:env", qemu_envs, .schema = &qemu_env_schema),
};
const StasisSchema stasis_domain_schema = STASIS_SCHEMA (domain_fields);
#undef T
