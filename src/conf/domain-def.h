/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-def.h: the definition of a domain (libvirt's domain XML) as plain structs
 *
 * Every pointer is owned by the definition.  Strings are NULL, numbers STASIS_UNSET and
 * enumerations 0 where the XML says nothing and nothing was filled in; lists are never NULL.
 * domain-schema.c ties each field to its place in the XML; parse, format, copy, free and the
 * comparison of guest ABI all walk those tables, so a field that is not in a table does not live.
 *
 * "Runtime" fields describe a running instance: the driver fills them in a live definition, only
 * STASIS_DOMAIN_FORMAT_ACTIVE prints them and only STASIS_DOMAIN_PARSE_ACTIVE reads them.
 */

#pragma once

#include <glib.h>

#include "conf/domain-names.h"
#include "conf/error.h"

G_BEGIN_DECLS

#define STASIS_UNSET           ((gint64) -1)
#define STASIS_DOMAIN_SIZE_MAX (1024u * 1024u) /* octets of one definition */

/* Where a device sits; which members count depends on the type. */
typedef struct
{
  StasisAddressType type;
  gint64 domain; /* pci */
  gint64 bus;    /* pci, drive, virtio-serial, usb */
  gint64 slot;   /* pci, ccid */
  gint64 function;
  StasisTristate multifunction;
  gint64 controller; /* drive, virtio-serial, ccid */
  gint64 target;     /* drive */
  gint64 unit;       /* drive */
  gint64 port;       /* virtio-serial */
  char *usb_port;    /* "1" or, behind hubs, "1.2" */
  gint64 iobase;     /* isa */
  gint64 irq;        /* isa */
} StasisAddress;

/* What every device has. */
typedef struct
{
  char *alias; /* runtime, unless it is the user's own ("ua-...") */
  StasisAddress address;
  gint64 boot_order;
  StasisTristate rom_bar;
  StasisTristate rom_enabled;
} StasisDeviceInfo;

typedef struct
{
  StasisDiskType type;
  StasisDiskDevice device;
  StasisVirtioModel model;
  char *snapshot; /* kept */
  char *driver_name;
  StasisDiskFormat format;
  StasisDiskCache cache;
  char *error_policy; /* stop, report, ignore, enospace */
  char *rerror_policy;
  char *io;            /* native, threads, io_uring */
  char *discard;       /* unmap, ignore */
  char *detect_zeroes; /* off, on, unmap */
  StasisTristate copy_on_read;
  gint64 iothread; /* 1... */
  gint64 queues;
  gint64 queue_size;
  char *source; /* path of the file or block device; NULL: no medium */
  char *startup_policy;
  gint64 source_index; /* runtime */
  char *backing_store; /* kept; the driver finds the chain itself */
  char *target;        /* "vda" */
  StasisDiskBus bus;
  char *tray; /* open, closed */
  StasisTristate removable;
  gint64 rotation_rate;
  gint64 logical_block_size;
  gint64 physical_block_size;
  gboolean readonly;
  gboolean shareable;
  char *serial;
  char *wwn;
  char *vendor;
  char *product;
  StasisDeviceInfo info;
} StasisDiskDef;

typedef struct
{
  StasisControllerType type;
  gint64 index;
  StasisControllerModel model;
  gint64 ports;         /* usb (xhci), virtio-serial */
  gint64 vectors;       /* virtio-serial */
  char *pci_model_name; /* QEMU's device behind a PCI model: "pcie-root-port" */
  gint64 chassis_nr;
  gint64 chassis;
  gint64 port;
  StasisTristate hotplug;
  gint64 queues;
  gint64 cmd_per_lun;
  gint64 max_sectors;
  gint64 iothread;
  gint64 usb_master_startport; /* the first port of a companion controller */
  gint64 pcihole64;            /* KiB */
  StasisDeviceInfo info;
} StasisControllerDef;

typedef struct
{
  StasisInterfaceType type;
  char *mac;         /* 52:54:00:xx:xx:xx, lower case; never NULL after parse */
  char *network;     /* type network: its name */
  char *portid;      /* runtime */
  char *bridge;      /* type bridge; for type network the one the context maps it to */
  char *target;      /* host side name; names like vnetN are runtime */
  char *model;       /* virtio, e1000, e1000e, rtl8139 */
  char *driver_name; /* vhost, qemu */
  gint64 queues;
  gint64 rx_queue_size;
  gint64 tx_queue_size;
  StasisLinkState link;
  gint64 mtu;
  StasisDeviceInfo info;
} StasisInterfaceDef;

/* serial, parallel, console, channel and redirdev */
typedef struct
{
  StasisChardevType type;
  char *tty;                  /* runtime: old spelling of source_path on consoles */
  char *source_path;          /* file, unix; runtime for pty and generated unix paths */
  gboolean path_is_automatic; /* unix: source_path was generated; not in the XML */
  StasisChardevMode mode;
  StasisTristate append;
  char *host;
  char *service;
  char *protocol; /* raw, telnet */
  char *log_file;
  StasisTristate log_append;
  StasisChardevTarget target_type;
  char *target_name;  /* channel: org.qemu.guest_agent.0 */
  char *target_state; /* runtime: connected, disconnected */
  gint64 target_port;
  char *target_model; /* isa-serial, pci-serial, usb-serial */
  char *bus;          /* redirdev: usb */
  StasisDeviceInfo info;
} StasisChardevDef;

typedef struct
{
  StasisInputType type;
  StasisInputBus bus;
  StasisVirtioModel model;
  StasisDeviceInfo info;
} StasisInputDef;

typedef struct
{
  StasisListenType type;
  char *address;
  char *socket;
} StasisListenDef;

typedef struct
{
  StasisGraphicsType type;
  gint64 port; /* with autoport it is runtime */
  gint64 tls_port;
  StasisTristate autoport;
  gint64 websocket;
  char *listen;
  char *socket;
  char *keymap;
  char *share_policy;
  char *passwd;       /* vnc; a secret */
  GPtrArray *listens; /* of StasisListenDef */
  StasisTristate gl;
  char *image_compression;
  StasisTristate filetransfer;
  StasisTristate copypaste;
} StasisGraphicsDef;

typedef struct
{
  StasisVideoModel model;
  gint64 ram;    /* KiB */
  gint64 vram;   /* KiB */
  gint64 vram64; /* KiB */
  gint64 vgamem; /* KiB */
  gint64 heads;
  StasisTristate primary;
  StasisTristate blob;
  StasisTristate accel3d;
  gint64 resolution_x;
  gint64 resolution_y;
  StasisDeviceInfo info;
} StasisVideoDef;

typedef struct
{
  char *type; /* duplex, micro, output */
} StasisCodecDef;

typedef struct
{
  StasisSoundModel model;
  GPtrArray *codecs; /* of StasisCodecDef */
  gint64 audio_id;
  StasisDeviceInfo info;
} StasisSoundDef;

typedef struct
{
  gint64 id;
  StasisAudioType type;
} StasisAudioDef;

typedef struct
{
  StasisBalloonModel model;
  StasisTristate autodeflate;
  StasisTristate free_page_reporting;
  gint64 stats_period; /* seconds */
  StasisDeviceInfo info;
} StasisBalloonDef;

typedef struct
{
  StasisVirtioModel model;
  StasisRngBackend backend;
  char *source; /* random: /dev/random, /dev/urandom, /dev/hwrng */
  gint64 rate_bytes;
  gint64 rate_period; /* ms */
  StasisDeviceInfo info;
} StasisRngDef;

typedef struct
{
  StasisWatchdogModel model;
  StasisWatchdogAction action;
  StasisDeviceInfo info;
} StasisWatchdogDef;

typedef struct
{
  StasisPanicModel model;
  StasisDeviceInfo info;
} StasisPanicDef;

typedef struct
{
  char *type; /* usb */
  StasisDeviceInfo info;
} StasisHubDef;

typedef struct
{
  StasisBootDevice device;
} StasisBootDef;

typedef struct
{
  StasisTristate enabled;
  char *name; /* enrolled-keys, secure-boot */
} StasisFirmwareFeatureDef;

typedef struct
{
  StasisFirmware firmware;
  char *type;                   /* "hvm" */
  char *arch;                   /* "x86_64" */
  char *machine;                /* canonical after parse where the context can tell */
  GPtrArray *firmware_features; /* of StasisFirmwareFeatureDef */
  char *loader;                 /* path */
  StasisTristate loader_readonly;
  StasisLoaderType loader_type;
  StasisTristate loader_secure;
  StasisDiskFormat loader_format;
  StasisTristate loader_stateless;
  char *nvram; /* path; NULL: the driver's default place */
  char *nvram_template;
  StasisDiskFormat nvram_template_format;
  StasisDiskFormat nvram_format;
  char *kernel;
  char *initrd;
  char *cmdline;
  GPtrArray *boots; /* of StasisBootDef */
  StasisTristate bootmenu;
  gint64 bootmenu_timeout;
  char *smbios_mode; /* emulate */
  StasisTristate bios_useserial;
  gint64 bios_reboot_timeout;
} StasisOsDef;

typedef struct
{
  gboolean acpi;
  gboolean apic;
  StasisTristate apic_eoi;
  gboolean pae;
  gboolean hap;      /* kept */
  char *hyperv_mode; /* custom, passthrough */
  StasisTristate hyperv_relaxed;
  StasisTristate hyperv_vapic;
  StasisTristate hyperv_spinlocks;
  gint64 hyperv_retries;
  StasisTristate hyperv_vpindex;
  StasisTristate hyperv_runtime;
  StasisTristate hyperv_synic;
  StasisTristate hyperv_stimer;
  StasisTristate hyperv_stimer_direct;
  StasisTristate hyperv_reset;
  StasisTristate hyperv_vendor_id;
  char *hyperv_vendor_value;
  StasisTristate hyperv_frequencies;
  StasisTristate hyperv_reenlightenment;
  StasisTristate hyperv_tlbflush;
  StasisTristate hyperv_ipi;
  StasisTristate hyperv_evmcs;
  StasisTristate hyperv_avic;
  StasisTristate kvm_hidden;
  StasisTristate kvm_hint_dedicated;
  StasisTristate kvm_poll_control;
  StasisTristate pmu;
  StasisTristate vmport;
  StasisTristate smm;
  char *ioapic_driver; /* kvm, qemu */
  StasisTristate pvspinlock;
} StasisFeaturesDef;

typedef struct
{
  StasisCpuPolicy policy;
  char *name;
} StasisCpuFeatureDef;

typedef struct
{
  StasisCpuMode mode;
  char *match; /* exact, minimum, strict */
  char *check; /* none, partial, full; host side */
  StasisTristate migratable;
  char *model;
  char *fallback; /* allow, forbid */
  char *vendor_id;
  char *vendor;
  gint64 sockets; /* STASIS_UNSET: no topology given */
  gint64 dies;
  gint64 clusters;
  gint64 cores;
  gint64 threads;
  gint64 cache_level;
  char *cache_mode;       /* emulate, passthrough, disable */
  char *maxphysaddr_mode; /* passthrough, emulate */
  gint64 maxphysaddr_bits;
  GPtrArray *features; /* of StasisCpuFeatureDef */
} StasisCpuDef;

typedef struct
{
  StasisTimerName name;
  StasisTristate present;
  StasisTickPolicy tickpolicy;
  char *track;      /* rtc: guest, wall */
  gint64 frequency; /* tsc, Hz */
  char *mode;       /* tsc: auto, native, emulate */
  gint64 catchup_threshold;
  gint64 catchup_slew;
  gint64 catchup_limit;
} StasisTimerDef;

typedef struct
{
  StasisClockOffset offset;
  char *adjustment; /* variable: seconds, may be negative; utc/localtime: also "reset" */
  char *basis;      /* variable: utc, localtime */
  char *timezone;
  char *start;       /* absolute: seconds since 1970 */
  GPtrArray *timers; /* of StasisTimerDef */
} StasisClockDef;

typedef struct
{
  gint64 size; /* KiB of one huge page */
} StasisHugepageDef;

typedef struct
{
  gboolean hugepages;
  GPtrArray *pages; /* of StasisHugepageDef; empty: the host's default size */
  gboolean nosharepages;
  gboolean locked;
  StasisMemorySource source;
  StasisMemoryAccess access;
  char *allocation; /* immediate, ondemand */
  gint64 allocation_threads;
  gboolean discard;
} StasisMemoryBackingDef;

typedef struct
{
  char *value;
} StasisQemuArgDef;

typedef struct
{
  char *name;
  char *value;
} StasisQemuEnvDef;

typedef struct
{
  gint64 id;
  StasisTristate enabled;
  StasisTristate hotpluggable;
  gint64 order; /* kept */
} StasisVcpuDef;

typedef struct
{
  StasisDomainType type;
  gint64 id;   /* runtime */
  char *name;  /* never NULL, no '/' and not "." or ".." */
  char *uuid;  /* never NULL after parse; canonical lower case */
  char *genid; /* "" asks the driver for a new one */
  char *title;
  char *description;
  char *metadata;        /* kept: the whole <metadata> element */
  gint64 memory;         /* KiB */
  gint64 current_memory; /* KiB */
  char *dump_core;       /* on, off; kept */
  StasisMemoryBackingDef memory_backing;
  char *memtune; /* kept, not applied */
  gint64 vcpus;
  gint64 current_vcpus; /* STASIS_UNSET: all of them */
  GPtrArray *vcpu_list; /* of StasisVcpuDef; empty: all are there from the beginning */
  char *vcpu_placement; /* kept */
  char *vcpu_cpuset;    /* kept */
  gint64 iothreads;     /* STASIS_UNSET: none */
  char *iothreadids;    /* kept */
  char *blkiotune;      /* kept, not applied */
  char *cputune;        /* kept, not applied */
  char *resource;       /* kept */
  StasisOsDef os;
  StasisFeaturesDef features;
  StasisCpuDef cpu;
  StasisClockDef clock;
  StasisLifecycleAction on_poweroff;
  StasisLifecycleAction on_reboot;
  StasisLifecycleAction on_crash;
  StasisTristate pm_suspend_to_mem;
  StasisTristate pm_suspend_to_disk;
  char *emulator;
  GPtrArray *disks;       /* of StasisDiskDef */
  GPtrArray *controllers; /* of StasisControllerDef */
  GPtrArray *interfaces;  /* of StasisInterfaceDef */
  GPtrArray *serials;     /* of StasisChardevDef */
  GPtrArray *parallels;   /* of StasisChardevDef */
  GPtrArray *consoles;    /* of StasisChardevDef */
  GPtrArray *channels;    /* of StasisChardevDef */
  GPtrArray *inputs;      /* of StasisInputDef */
  GPtrArray *graphics;    /* of StasisGraphicsDef */
  GPtrArray *sounds;      /* of StasisSoundDef */
  GPtrArray *audios;      /* of StasisAudioDef */
  GPtrArray *videos;      /* of StasisVideoDef */
  GPtrArray *redirdevs;   /* of StasisChardevDef */
  GPtrArray *hubs;        /* of StasisHubDef */
  GPtrArray *watchdogs;   /* of StasisWatchdogDef */
  GPtrArray *balloons;    /* of StasisBalloonDef: one after parse */
  GPtrArray *rngs;        /* of StasisRngDef */
  GPtrArray *panics;      /* of StasisPanicDef */
  char *seclabels;        /* kept, not applied: all <seclabel> elements */
  GPtrArray *qemu_args;   /* of StasisQemuArgDef */
  GPtrArray *qemu_envs;   /* of StasisQemuEnvDef */
} StasisDomainDef;

/* What the driver knows about the host, asked while parsing.  Each function may be NULL; what
 * they return is theirs and lives as long as the context. */
typedef struct
{
  /* The full name behind a machine alias ("pc" -> "pc-i440fx-10.0"); @machine NULL or "" asks for
   * the emulator's default.  NULL: this emulator has no such machine. */
  const char *(*canonical_machine) (const char *emulator, const char *machine, gpointer data);

  /* The emulator for definitions that name none. */
  const char *(*default_emulator) (StasisDomainType type, const char *arch, gpointer data);

  /* The bridge that stands for a libvirt network.  NULL: none is configured. */
  const char *(*network_bridge) (const char *network, gpointer data);

  gpointer data; /* (borrowed) */

  /* (borrowed) (nullable) Where networks get their bridges, for messages. */
  const char *network_settings;
} StasisConfContext;

typedef enum
{
  STASIS_DOMAIN_PARSE_DEFAULT = 0,
  STASIS_DOMAIN_PARSE_ACTIVE = 1 << 0, /* keep runtime fields */
  STASIS_DOMAIN_PARSE_AS_IS = 1 << 1,  /* fill in and check nothing (the comparison of two texts) */
} StasisDomainParseFlags;

typedef enum
{
  STASIS_DOMAIN_FORMAT_INACTIVE = 0,
  STASIS_DOMAIN_FORMAT_ACTIVE = 1 << 0, /* with the runtime fields */
  STASIS_DOMAIN_FORMAT_MIGRATABLE = 1
                                    << 1, /* for another host: nothing an older reader trips over */
  STASIS_DOMAIN_FORMAT_SECURE = 1 << 2,   /* with secrets */
} StasisDomainFormatFlags;

/* Parse, fill in (implicit devices, addresses, aliases, defaults) and check.  @length -1: up to
 * the NUL.  @source_name (nullable) stands in front of messages: "FILE:LINE: ".  @context
 * (nullable) is used during the call only. */
StasisDomainDef *stasis_domain_def_parse (const char *xml, gssize length, const char *source_name,
                                          const StasisConfContext *context,
                                          StasisDomainParseFlags flags,
                                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Put in front of @error's message, which begins with a path ("/domain/devices/disk[2]: "), where
 * in
 * @xml that is: "FILE:LINE: ".  Parse does so itself; this is for those who check more. */
void stasis_domain_def_place_error (const char *xml, gssize length, const char *source_name,
                                    GError **error);

/* The XML as libvirt would print it; parsing it again gives an equal definition. */
char *stasis_domain_def_format (const StasisDomainDef *def, StasisDomainFormatFlags flags);

/* A definition with nothing in it. */
StasisDomainDef *stasis_domain_def_new (void);
StasisDomainDef *stasis_domain_def_copy (const StasisDomainDef *def);

/* Free a definition.  NULL is fine. */
void stasis_domain_def_free (StasisDomainDef *def);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisDomainDef, stasis_domain_def_free)

/* TRUE where a guest saved under @now goes on under @wanted without noticing.  The error names
 * every difference, one a line. */
gboolean stasis_domain_def_check_abi (const StasisDomainDef *now, const StasisDomainDef *wanted,
                                      GError **error);

/* Give devices their names ("virtio-disk0"); parse does it too. */
void stasis_domain_def_assign_aliases (StasisDomainDef *def);

/* (transfer full): a MAC address for an interface of a guest, at random. */
char *stasis_domain_def_new_mac (void);

/* How many processors there are when QEMU begins; others come before the guest runs. */
gint64 stasis_domain_def_boot_vcpus (const StasisDomainDef *def);
gboolean stasis_domain_def_has_vcpu (const StasisDomainDef *def, guint id);
/* A running guest has these, of all that it may have, besides those from the beginning. */
void stasis_domain_def_set_live_vcpus (StasisDomainDef *def, const gboolean *is_there);
/* It will begin with so many. */
void stasis_domain_def_set_boot_vcpus (StasisDomainDef *def, gint64 count);

/* TRUE for q35 machines, FALSE for the i440fx ones. */
gboolean stasis_domain_def_is_q35 (const StasisDomainDef *def);

G_END_DECLS
